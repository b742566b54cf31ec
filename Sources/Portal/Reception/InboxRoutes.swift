// Studies that wait, and where studies belong: /api/v1/inbox, /api/v1/study-links, /api/v1/studies/{uid}/order.

import Access
import DICOMCore
import Encounters
import Hummingbird
import Records
import Web

struct InboxRoutes: Sendable {
    private struct Waiting: Encodable, Sendable {
        let study: WaitingReport
        let candidates: [CandidateReport]
    }

    private struct List: Encodable, Sendable {
        let waiting: [Waiting]
        /// How many wait in all.
        let total: Int
        let next: String?
    }

    private struct Links: Encodable, Sendable {
        let links: [LinkReport]
        let next: Int64?
    }

    /// Exactly one of order, visit and patient, each by its number here.
    private struct Decision: Decodable, Sendable {
        let order: Int64?
        let visit: Int64?
        let patient: Int64?
        let reason: String?
        /// Number of the link that was seen to hold; none where the study had none.
        let replaces: Int64?

        var target: LinkTarget? {
            guard [order, visit, patient].compactMap({ $0 }).count == 1 else { return nil }
            return LinkTarget(procedure: order, encounter: visit, patient: patient ?? 0)
        }
    }

    private struct Undo: Decodable, Sendable {
        /// Number of the link that is taken away.
        let link: Int64
        let reason: String?
    }

    private let services: HospitalServices

    init(_ services: HospitalServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        group.get("inbox") { request, context in try await list(request, context) }
        group.get("study-links") { request, context in try await links(request, context) }
        group.get("studies/:uid/order") { _, context in try await show(context) }
        group.put("studies/:uid/order") { request, context in try await decide(request, context) }
        group.post("studies/:uid/order/undo") { request, context in try await undo(request, context) }
    }

    private func list(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        _ = try context.authorized(.reconcile, detail: "inbox")
        let asked = try ListParameters(request, known: ["after", "limit"])
        let (position, limit) = (try asked["after"].map(PageMark.inbox), try asked.limit)
        let issuer = services.issuer
        return try JSONAnswer.response(
            try await services.look { records in
                let found = try records.inbox(after: position, limit: limit)
                let candidates = try found.map { try StudyLinking(records, issuer: issuer).candidates($0.facts) }
                return List(
                    waiting: zip(found, try CandidateReport.reports(candidates, records)).map {
                        Waiting(study: WaitingReport($0), candidates: $1)
                    }, total: try records.inboxCount(),
                    next: found.count == limit ? found.last.map { PageMark.text($0) } : nil)
            })
    }

    private func links(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        _ = try context.authorized(.reconcile, detail: "links of studies")
        let asked = try ListParameters(request, known: ["method", "before", "limit"])
        var method: LinkMethod?
        if let word = asked["method"] {
            guard let known = LinkMethod(rawValue: word) else {
                throw Problem(
                    .badRequest, "method: known are \(LinkMethod.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            method = known
        }
        let (before, limit) = (try asked.number("before") ?? .max, try asked.limit)
        return try JSONAnswer.response(
            try await services.look { [method] records in
                let found = try records.links(method: method, before: before, limit: limit)
                return Links(
                    links: try LinkReport.reports(found, records),
                    next: found.count == limit ? found.last?.id : nil)
            })
    }

    private func show(_ context: WebRequestContext) async throws -> Response {
        let uid = try context.studyInstanceUID()
        let caller = try context.authorized(.readOrders, study: uid, detail: "where a study belongs")
        let facts = try await services.facts(of: uid)
        let issuer = services.issuer
        return try JSONAnswer.response(
            try await services.look { records in
                let story = try StudyLinkStory(facts, records, issuer: issuer)
                // Candidates are other people's orders, and links that were undone as well.
                return caller.rights.contains(.reconcile) ? story : story.holdingOnly
            })
    }

    private func decide(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let uid = try context.studyInstanceUID()
        let caller = try context.authorized(.reconcile, study: uid, detail: "study linked")
        let asked = try await JSONAnswer.body(Decision.self, of: request)
        guard let target = asked.target else {
            throw Problem(.badRequest, "Give one of order, visit and patient.")
        }
        _ = try await services.facts(of: uid)
        return try JSONAnswer.response(
            try await services.change(by: caller) { desk in
                try WishText.check(asked.reason, "reason")
                let link = try desk.decide(
                    study: uid, target: target, reason: asked.reason ?? "", replacing: asked.replaces)
                return try LinkReport(link, desk.records)
            })
    }

    private func undo(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let uid = try context.studyInstanceUID()
        let caller = try context.authorized(.reconcile, study: uid, detail: "link undone")
        let asked = try await JSONAnswer.body(Undo.self, of: request)
        let facts = try await services.facts(of: uid)
        return try JSONAnswer.response(
            try await services.change(by: caller) { desk in
                try WishText.check(asked.reason, "reason")
                try desk.undo(study: facts, link: asked.link, reason: asked.reason ?? "")
                return try StudyLinkStory(facts, desk.records, issuer: desk.settings.issuer)
            })
    }
}
