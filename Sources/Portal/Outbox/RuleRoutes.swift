// Rules of what is sent on: /api/v1/routes.

import Access
import DICOMCore
import Encounters
import Forwarding
import Hummingbird
import Records
import Web

struct RuleRoutes: Sendable {
    private struct List: Encodable, Sendable {
        let routes: [RouteReport]
    }

    private struct Explanation: Encodable, Sendable {
        let study: String
        let routes: [RouteVerdictReport]
    }

    /// What is not given stays as it is.
    private struct Wish: Decodable, Sendable {
        let destination: String?
        let when: [String]?
        let priority: String?
        let compress: Bool?
        let deidentify: String?
        let characterSet: String?
        let legalBasis: String?
        let isOn: Bool?

        func apply(to settings: inout RouteSettings) {
            settings.conditions = when ?? settings.conditions
            settings.priority = priority ?? settings.priority
            settings.transform.compresses = compress ?? settings.transform.compresses
            settings.transform.deidentification = deidentify ?? settings.transform.deidentification
            settings.transform.characterSet = characterSet ?? settings.transform.characterSet
            settings.legalBasis = legalBasis ?? settings.legalBasis
        }
    }

    private struct Trial: Decodable, Sendable {
        let when: [String]
        let days: Int?
    }

    /// Studies that a trial over HTTP looks at, at most.
    private static let mostTried = 1_000

    private let services: ForwardingServices

    init(_ services: ForwardingServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        group.get("routes") { _, context in
            _ = try context.authorized(.forward, detail: "rules")
            return try JSONAnswer.response(List(routes: try await services.run { try $0.book.routes() }))
        }
        group.get("routes/explain") { request, context in try await explain(request, context) }
        group.post("routes/try") { request, context in
            _ = try context.authorized(.forward, detail: "rule tried")
            let asked = try await JSONAnswer.body(Trial.self, of: request)
            return try JSONAnswer.response(
                try await services.run {
                    try $0.book.trial(of: asked.when, days: asked.days ?? 30, limit: Self.mostTried)
                })
        }
        group.get("routes/:name") { _, context in
            _ = try context.authorized(.forward, detail: "rules")
            let name = context.pathName()
            return try JSONAnswer.response(try await services.run { RouteReport(try $0.book.route(name)) })
        }
        group.put("routes/:name") { request, context in try await put(request, context) }
        group.delete("routes/:name") { _, context in try await remove(context) }
    }

    private func explain(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        _ = try context.authorized(.forward, detail: "rules explained")
        let asked = try ListParameters(request, known: ["study"])
        guard let study = asked["study"], UID.isValid(study) else {
            throw Problem(.badRequest, "study: a Study Instance UID")
        }
        _ = try context.authorized(.forward, study: study, detail: "rules explained")
        let verdicts = try await services.run { try $0.book.explain(study: study).map(RouteVerdictReport.init) }
        return try JSONAnswer.response(Explanation(study: study, routes: verdicts))
    }

    private func put(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let caller = try context.authorized(.forward)
        let asked = try await JSONAnswer.body(Wish.self, of: request)
        let name = context.pathName()
        do {
            try WishText.check(name, "name", most: 64)
            for text in (asked.when ?? []) + [asked.legalBasis ?? ""] { try WishText.check(text, "when or legalBasis") }
        } catch { throw Problem(error) }
        guard asked.when?.count ?? 0 <= 32 else { throw Problem(.badRequest, "when: at most 32 conditions") }
        guard !["explain", "try"].contains(name.lowercased()) else {
            throw Problem(.badRequest, "name: another one; this is a word of these addresses")
        }
        let peer = try await services.run { services in
            try asked.destination.flatMap { try services.book.peer(toBecome: $0, of: try services.peers()) }
        }
        // Whereto patients' images go is for those who administer.
        if peer != nil { _ = try context.authorized(.administer, detail: "destination of a rule") }
        let (report, isMade) = try await services.run { services in
            try services.book.demandOwn(route: name)
            let known = try? services.book.route(name)
            guard let destination = asked.destination ?? known?.destination else {
                throw ForwardingFailure.invalid(field: "destination", reason: "where it leads")
            }
            var settings = known?.settings ?? RouteSettings()
            asked.apply(to: &settings)
            let isMade =
                try peer != nil
                && services.book.makeDestination(named: destination, of: try services.peers(), by: caller.account)
            try services.book.put(
                route: known?.name ?? name, to: destination, settings, isOn: asked.isOn ?? known?.isOn ?? true,
                by: caller.account)
            return (RouteReport(try services.book.route(name)), isMade)
        }
        if isMade, let peer { context.noteForwarding(caller, "destination \(peer) is dimse peer \(peer)") }
        context.noteForwarding(caller, "rule \(report.name) to \(report.destination)")
        return try JSONAnswer.response(report)
    }

    private func remove(_ context: WebRequestContext) async throws -> Response {
        let caller = try context.authorized(.forward)
        let name = context.pathName()
        try await services.run { services in
            _ = try services.book.route(name)
            try services.book.demandOwn(route: name)
            try services.book.remove(route: name, by: caller.account)
        }
        context.noteForwarding(caller, "rule \(name) removed")
        return Response(status: .noContent)
    }
}
