// One study opened to others: /api/v1/studies/{uid}/grants and /links.

import Access
import Foundation
import Hummingbird
import Records
import Web

struct GrantRoutes: Sendable {
    private struct Grant: Encodable {
        let account: String
        let grantedBy: String
        let createdAt: Date
        let until: Date?

        init(_ grant: GrantRecord) {
            account = grant.account
            grantedBy = grant.grantedBy
            createdAt = JSONAnswer.date(grant.createdAt)
            until = grant.expiresAt.map(JSONAnswer.date)
        }
    }

    private struct NewGrant: Decodable {
        let account: String
        let until: Date?
    }

    private struct Link: Encodable {
        let id: Int64
        let sharedBy: String
        let createdAt: Date
        let expiresAt: Date
        let revokedAt: Date?
        let useCount: Int
        let mostUses: Int?
        let lastUsedAt: Date?

        init(_ link: LinkRecord) {
            id = link.id
            sharedBy = link.accountName
            createdAt = JSONAnswer.date(link.createdAt)
            expiresAt = JSONAnswer.date(link.expiresAt)
            revokedAt = link.revokedAt.map(JSONAnswer.date)
            useCount = link.useCount
            mostUses = link.mostUses
            lastUsedAt = link.lastUsedAt.map(JSONAnswer.date)
        }
    }

    private struct LinkWish: Decodable {
        /// How long it may be opened.
        let seconds: Int?
        let mostUses: Int?
    }

    private struct LinkAnswer: Encodable {
        let id: Int64
        /// On this server: put its address in front.
        let path: String
        let expiresAt: Date
    }

    /// A week: long enough for a patient to see another doctor.
    private static let usualSeconds = 7 * 86_400

    private let services: AccessServices

    init(_ services: AccessServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        let study = group.group("studies/:uid")
        study.get("grants") { _, context in
            let (uid, _) = try await shared(context)
            return try JSONAnswer.response(try await services.run { try $0.grants(study: uid) }.map(Grant.init))
        }
        study.post("grants") { request, context in
            let (uid, author) = try await shared(context)
            let asked = try await JSONAnswer.body(NewGrant.self, of: request)
            try await services.run {
                try $0.grant(
                    study: uid, to: asked.account, expiresAt: asked.until.map(JSONAnswer.microseconds), by: author)
            }
            return Response(status: .noContent)
        }
        study.delete("grants/:name") { _, context in
            let (uid, author) = try await shared(context)
            let name = try context.name()
            try await services.run { try $0.withdrawGrant(study: uid, from: name, by: author) }
            return Response(status: .noContent)
        }
        study.get("links") { _, context in
            let (uid, _) = try await shared(context)
            return try JSONAnswer.response(try await services.run { try $0.links(study: uid) }.map(Link.init))
        }
        study.post("links") { request, context in try await makeLink(request, context) }
        study.delete("links/:id") { _, context in
            let (uid, author) = try await shared(context)
            let id = try context.number()
            try await services.run { access in
                guard try access.link(id).subject == .study(uid) else { throw AccessFailure.notFound }
                try access.revokeLink(id, by: author)
            }
            return Response(status: .noContent)
        }
    }

    /// The study of the path, which must be here, and who may share it.
    private func shared(_ context: WebRequestContext) async throws -> (uid: String, author: Author) {
        guard let uid = context.parameters.get("uid") else { throw Problem.absent }
        let caller = try context.authorized(.share, study: uid)
        guard try await services.work.run({ [hasStudy = services.hasStudy] in try hasStudy(uid) }) else {
            throw Problem.absent
        }
        return (uid, Author(caller))
    }

    private func makeLink(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let (uid, author) = try await shared(context)
        let asked = try await JSONAnswer.body(LinkWish.self, of: request)
        let link = try await services.run { access in
            try access.makeLink(
                to: .study(uid), seconds: asked.seconds ?? Self.usualSeconds, mostUses: asked.mostUses,
                account: author.account, by: author)
        }
        return try JSONAnswer.response(
            LinkAnswer(id: link.id, path: "/link/\(link.secret)", expiresAt: JSONAnswer.date(link.expiresAt)),
            status: .created)
    }
}
