// The viewer API: one study in one answer, its priors, and what this server is. /api/v1

import Access
import DICOMCore
import Foundation
import Hummingbird
import NIOCore
import Records
import Web

struct ViewerRoutes: Sendable {
    private struct OriginQuestion: Decodable, Sendable {
        let studies: [String]
    }

    private struct Origins: Encodable, Sendable {
        /// By Study Instance UID, of those that were fetched from elsewhere.
        let origins: [String: ViewerStudyAnswer.Origin]
    }

    private static let mostOrigins = 200
    private static let usualPriors = 50
    private static let mostPriors = 500

    private let services: PortalServices
    private let others: ViewerPriors

    init(_ services: PortalServices) {
        self.services = services
        others = ViewerPriors(services.catalog)
    }

    func add(to group: RouterGroup<WebRequestContext>) {
        group.get("server") { _, context in
            try JSONAnswer.response(ServerDescription(services, caller: context.caller))
        }
        group.get("studies/:uid") { request, context in try await study(request, context) }
        group.get("studies/:uid/priors") { request, context in try await priors(request, context) }
        group.post("studies/origins") { request, context in try await origins(request, context) }
    }

    /// Where studies of a list were fetched from: nothing is said of those that the caller may not see.
    private func origins(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let caller = try context.authorized(.search, detail: "origins")
        let asked = try await JSONAnswer.body(OriginQuestion.self, of: request)
        guard asked.studies.count <= Self.mostOrigins, asked.studies.allSatisfy(UID.isValid) else {
            throw Problem(.badRequest, "studies: at most \(Self.mostOrigins) UIDs")
        }
        let seen = asked.studies.filter(caller.scope.contains)
        let found = try await services.hospital.look { try $0.externalStudies(seen) }
        return try JSONAnswer.response(
            Origins(
                origins: Dictionary(
                    found.map { ($0.studyInstanceUID, ViewerStudyAnswer.Origin($0)) }, uniquingKeysWith: { $1 })))
    }

    private func study(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let uid = try context.studyInstanceUID()
        _ = try context.authorized(.read, study: uid, detail: "viewer")
        let found = try await services.work.run { [studies = services.studies] in try studies.answer(for: uid) }
        guard let found else { throw Problem.absent }
        return Self.own(found.response(to: request))
    }

    private func priors(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let uid = try context.studyInstanceUID()
        let caller = try context.authorized(.read, study: uid, detail: "priors")
        let limit = try Self.limit(request)
        // A link opens one study; that there are others is not its business.
        var scope = caller.scope
        if case .link = caller.credential { scope = .only([uid]) }
        let found = try await services.work.run { [others, scope] in
            try others.answer(for: uid, within: scope, limit: limit).map { answer in
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
                return Asset([UInt8](try encoder.encode(answer)), mediaType: "application/json")
            }
        }
        guard let found else { throw Problem.absent }
        return Self.own(found.response(to: request))
    }

    /// Kept by the browser of this caller alone, and asked for anew every time: who has signed out sees nothing of it.
    private static func own(_ response: Response) -> Response {
        var response = response
        response.headers[.cacheControl] = "private, no-cache"
        response.headers[.vary] = "Accept-Encoding, Authorization, Cookie"
        return response
    }

    private static func limit(_ request: Request) throws -> Int {
        var limit = usualPriors
        for (key, value) in request.uri.queryParameters {
            guard key == "limit" else { throw Problem(.badRequest, "known is limit") }
            guard let number = Int(value), (1...mostPriors).contains(number) else {
                throw Problem(.badRequest, "limit: from 1 to \(mostPriors)")
            }
            limit = number
        }
        return limit
    }
}

extension WebRequestContext {
    /// The study in the path; what is no UID names nothing here, and who is nobody learns not even that.
    func studyInstanceUID() throws(Problem) -> String {
        guard let uid = parameters.get("uid"), UID.isValid(uid) else {
            throw caller == nil ? .unauthenticated : .absent
        }
        return uid
    }
}
