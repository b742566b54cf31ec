// People: /api/v1/patients.

import Access
import DICOMCore
import Encounters
import Hummingbird
import Records
import Web

struct PatientRoutes: Sendable {
    /// In a body, so that no name or number stands in an address.
    private struct Search: Decodable, Sendable {
        let identifier: String?
        /// A part of the name; marks and case do not count, `*` and `?` are wild cards.
        let name: String?
        /// Number of the last one of the page before.
        let after: Int64?
        let limit: Int?
    }

    private struct List: Encodable, Sendable {
        let patients: [PatientReport]
        let next: Int64?
    }

    private struct Answer: Encodable, Sendable {
        let patient: PatientReport
        let visits: [VisitReport]
        let orders: [OrderReport]
        let studies: [LinkReport]
        let history: [PatientStory.Event]
    }

    private struct Merge: Decodable, Sendable {
        /// Number of the row that stays.
        let into: Int64
        let reason: String
    }

    private struct Tie: Decodable, Sendable {
        let to: Int64
        let reason: String
    }

    private let services: HospitalServices

    init(_ services: HospitalServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        let patients = group.group("patients")
        patients.post("search") { request, context in try await search(request, context) }
        patients.post { request, context in try await register(request, context) }
        patients.get(":id") { _, context in try await show(context) }
        patients.patch(":id") { request, context in try await amend(request, context) }
        patients.post(":id/merge") { request, context in
            let caller = try context.authorized(.reconcile, detail: "patients merged")
            let (id, asked) = (try context.number(), try await JSONAnswer.body(Merge.self, of: request))
            return try JSONAnswer.response(
                try await services.change(by: caller) { desk in
                    try WishText.check(asked.reason, "reason")
                    return try PatientReport(
                        try desk.merge(patient: id, into: asked.into, reason: asked.reason), desk.records)
                })
        }
        patients.post(":id/unmerge") { _, context in
            let caller = try context.authorized(.reconcile, detail: "patients unmerged")
            let id = try context.number()
            return try JSONAnswer.response(
                try await services.change(by: caller) { desk in
                    try desk.patients.unmerge(id)
                    return try PatientReport(try desk.records.patient(id: id), desk.records)
                })
        }
        patients.post(":id/ties") { request, context in
            let caller = try context.authorized(.reconcile, detail: "patients linked")
            let (id, asked) = (try context.number(), try await JSONAnswer.body(Tie.self, of: request))
            try await services.change(by: caller) { desk in
                try WishText.check(asked.reason, "reason")
                try desk.patients.link(id, asked.to, reason: asked.reason)
            }
            return Response(status: .noContent)
        }
    }

    private func search(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let caller = try context.authorized(.readOrders, detail: "search of patients")
        let asked = try await JSONAnswer.body(Search.self, of: request)
        let limit = try PageLimit.checked(asked.limit)
        let pattern = asked.name.map { Self.pattern(Fold.fold($0)) }
        guard asked.identifier?.isEmpty == false || pattern.map({ $0.contains { $0 != "*" } }) == true else {
            throw Problem(.badRequest, "identifier or name: one of them is needed")
        }
        let list = try await services.look { records in
            let sight = try Sight(caller, records)
            var found: [PatientRecord]
            if let identifier = asked.identifier, !identifier.isEmpty {
                found = try records.patients(identifierValue: identifier, type: nil, issuer: nil).filter { person in
                    pattern.map { Wildcard.matches(pattern: $0, value: Fold.fold(person.demographics.name)) } ?? true
                }
            } else {
                found = try records.patients(namePattern: pattern ?? "", after: asked.after, limit: limit)
            }
            let next = found.count == limit ? found.last?.id : nil
            found = found.filter { sight.has(patient: $0.root) }
            return List(patients: try found.map { try PatientReport($0, records) }, next: next)
        }
        return try JSONAnswer.response(list)
    }

    private static func pattern(_ folded: String) -> String {
        folded.isEmpty || Wildcard.isPattern(folded) ? folded : "*\(folded)*"
    }

    private func register(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let caller = try context.authorized(.register, detail: "patient")
        let asked = try await JSONAnswer.body(PersonWish.self, of: request)
        let (report, isNew) = try await services.change(by: caller) { desk in
            let facts = try asked.facts(issuer: desk.settings.issuer, asOf: desk.records.now)
            let (person, isNew) = try desk.register(facts)
            return (try PatientReport(person, desk.records), isNew)
        }
        return try JSONAnswer.response(report, status: isNew ? .created : .ok)
    }

    private func amend(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let caller = try context.authorized(.register, detail: "patient")
        let (id, asked) = (try context.number(), try await JSONAnswer.body(PersonWish.self, of: request))
        return try JSONAnswer.response(
            try await services.change(by: caller) { desk in
                let facts = try asked.facts(issuer: desk.settings.issuer, asOf: desk.records.now)
                let person = try desk.amend(
                    patient: id, version: asked.version, identifiers: facts.identifiers, facts.amend)
                return try PatientReport(person, desk.records)
            })
    }

    private func show(_ context: WebRequestContext) async throws -> Response {
        let caller = try context.authorized(.readOrders, detail: "patient")
        let id = try context.number()
        return try JSONAnswer.response(
            try await services.look { records in
                let sight = try Sight(caller, records)
                let (row, root) = (try records.patient(id: id), try records.root(of: id))
                try sight.demand(sight.has(patient: root.id))
                let story = try PatientStory(root, records)
                var filter = OrderFilter()
                filter.patients = try records.rows(of: root).map(\.id)
                filter.procedures = sight.orders
                let links = try records.links(patient: root).filter { caller.scope.contains($0.studyInstanceUID) }
                return Answer(
                    // A merged row shows itself, and whose it is now.
                    patient: row.mergedInto == nil ? story.patient : try PatientReport(row, records),
                    visits: story.visits.filter { sight.has(visit: $0.id) },
                    orders: try records.orders(filter, limit: PageLimit.most).map(OrderReport.init),
                    studies: try LinkReport.reports(links.suffix(PageLimit.most), records),
                    history: sight.isWhole ? story.history : [])
            })
    }
}
