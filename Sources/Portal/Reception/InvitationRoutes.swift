// Links from the hospital's system to the images of one visit or one order: /api/v1/links.

import Access
import Encounters
import Foundation
import Hummingbird
import Records
import Web

struct InvitationRoutes: Sendable {
    /// One visit or one order: by its number here, or by the one that the hospital knows.
    private struct Wish: Decodable, Sendable {
        let visit: Int64?
        /// MA_LK
        let visitNumber: String?
        let issuer: String?
        let order: Int64?
        let accessionNumber: String?
        /// How long it may be opened, and how long a session from it lasts at most.
        let seconds: Int?
        let mostUses: Int?
    }

    private struct Answer: Encodable {
        let id: Int64
        /// On this server: put its address in front.
        let path: String
        let expiresAt: Date
    }

    /// An hour: the link is made when a page of the hospital's system is shown.
    private static let usualSeconds = 3_600

    private let services: HospitalServices

    init(_ services: HospitalServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        group.post("links") { request, context in try await make(request, context) }
        group.delete("links/:id") { _, context in
            let caller = try context.authorized(.invite)
            let id = try context.number()
            try await run { access in
                let link = try access.link(id)
                // Links to studies are the business of who shares them.
                guard link.subject.studyInstanceUID == nil,
                    link.account == caller.accountID || caller.rights.contains(.administer)
                else { throw AccessFailure.notFound }
                try access.revokeLink(id, by: Author(caller))
            }
            return Response(status: .noContent)
        }
    }

    private func make(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let caller = try context.authorized(.invite)
        let asked = try await JSONAnswer.body(Wish.self, of: request)
        let named: [Any?] = [asked.visit, asked.visitNumber, asked.order, asked.accessionNumber]
        guard named.compactMap({ $0 }).count == 1 else {
            throw Problem(.badRequest, "Give one of visit, visitNumber, order and accessionNumber.")
        }
        let subject = try await services.look { records in try Self.subject(asked, records) }
        let link = try await run { access in
            try access.makeLink(
                to: subject, seconds: asked.seconds ?? Self.usualSeconds, mostUses: asked.mostUses,
                account: caller.account, by: Author(caller))
        }
        return try JSONAnswer.response(
            Answer(id: link.id, path: "/link/\(link.secret)", expiresAt: JSONAnswer.date(link.expiresAt)),
            status: .created)
    }

    private static func subject(_ asked: Wish, _ records: RecordTransaction) throws -> LinkSubject {
        if let visit = asked.visit { return .encounter(try records.encounter(id: visit).id) }
        if let number = asked.visitNumber {
            return .encounter(try records.visit(named: number, issuer: asked.issuer).id)
        }
        if let order = asked.order { return .procedure(try records.procedure(id: order).id) }
        return .procedure(try records.order(named: asked.accessionNumber ?? "").id)
    }

    private func run<Value: Sendable>(
        _ body: @escaping @Sendable (AccessControl) throws -> Value
    ) async throws -> Value {
        do { return try await services.work.run { [access = services.access] in try body(access) } } catch let failure
            as AccessFailure
        {
            throw Problem(failure)
        }
    }
}
