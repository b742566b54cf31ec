// Visits: /api/v1/visits.

import Access
import Encounters
import Foundation
import Hummingbird
import Records
import Web

/// What a caller says of a visit.
struct VisitWish: Decodable, Sendable {
    /// MA_LK, 1 to 100 characters.
    let number: String?
    /// This hospital where none is said.
    let issuer: String?
    /// Number of the person.
    let patient: Int64?
    /// As it was seen, for a change.
    let version: Int64?
    /// What happened, in the words of `EncounterEvent`.
    let event: String?
    let patientClass: String?
    let facility: String?
    let department: String?
    let room: String?
    let bed: String?
    let attendingPhysician: String?
    let referringPhysician: String?
    let admittingDiagnosis: String?
    let hospitalService: String?
    let startedAt: String?
    let endedAt: String?

    func facts(number: String, issuer: String, asOf: Int64) throws(EncounterFailure) -> EncounterFacts {
        try WishText.checkTime(startedAt, "startedAt")
        try WishText.checkTime(endedAt, "endedAt")
        try WishText.check(number, "number", most: 100)
        try WishText.check(issuer, "issuer", most: 64)
        let texts: [(String, String?, any WritableKeyPath<EncounterDetails, String> & Sendable)] = [
            ("patientClass", patientClass, \.patientClass), ("facility", facility, \.facility),
            ("department", department, \.department), ("room", room, \.room), ("bed", bed, \.bed),
            ("attendingPhysician", attendingPhysician, \.attendingPhysician),
            ("referringPhysician", referringPhysician, \.referringPhysician),
            ("admittingDiagnosis", admittingDiagnosis, \.admittingDiagnosis),
            ("hospitalService", hospitalService, \.hospitalService), ("startedAt", startedAt, \.startedAt),
            ("endedAt", endedAt, \.endedAt),
        ]
        for (field, text, _) in texts { try WishText.check(text, field, most: 200) }
        return EncounterFacts(issuer: issuer, number: number, asOf: asOf) { details in
            for (_, text, path) in texts {
                if let text { details[keyPath: path] = text.precomposedStringWithCanonicalMapping }
            }
            if details.facility.isEmpty { details.facility = issuer }
        }
    }

    func happened(else usual: EncounterEvent) throws(EncounterFailure) -> EncounterEvent {
        guard let event else { return usual }
        guard let known = EncounterEvent(rawValue: event) else {
            let words = EncounterEvent.allCases.map(\.rawValue).joined(separator: ", ")
            throw .invalid(field: "event", reason: "known are \(words)")
        }
        return known
    }
}

struct VisitRoutes: Sendable {
    private struct Search: Decodable, Sendable {
        let number: String
        let issuer: String?
    }

    private struct Answer: Encodable, Sendable {
        let visit: VisitReport
        let orders: [OrderReport]
        let studies: [LinkReport]
    }

    private let services: HospitalServices

    init(_ services: HospitalServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        let visits = group.group("visits")
        visits.post("search") { request, context in try await search(request, context) }
        visits.post { request, context in try await open(request, context) }
        visits.get(":id") { _, context in try await show(context) }
        visits.post(":id/events") { request, context in try await happened(request, context) }
    }

    private func search(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let caller = try context.authorized(.readOrders, detail: "search of visits")
        let asked = try await JSONAnswer.body(Search.self, of: request)
        return try JSONAnswer.response(
            try await services.look { records in
                let sight = try Sight(caller, records)
                return try records.encounters(number: asked.number).filter {
                    sight.has(visit: $0.id) && (asked.issuer ?? $0.issuer) == $0.issuer
                }.map { try VisitReport($0, records) }
            })
    }

    /// A number that is known already brings what is known of the visit up to date.
    private func open(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let caller = try context.authorized(.register, detail: "visit")
        let asked = try await JSONAnswer.body(VisitWish.self, of: request)
        guard let number = asked.number, let patient = asked.patient else {
            throw Problem(.badRequest, "The fields number and patient are needed.")
        }
        let (report, isNew) = try await services.change(by: caller) { desk in
            let issuer = asked.issuer ?? desk.settings.issuer
            let known = try desk.records.encounter(issuer: issuer, number: number)
            let visit = try desk.apply(
                try asked.happened(else: known == nil ? .register : .update),
                try asked.facts(number: number, issuer: issuer, asOf: desk.records.now), patient: patient,
                version: asked.version)
            return (try VisitReport(visit, desk.records), known == nil)
        }
        return try JSONAnswer.response(report, status: isNew ? .created : .ok)
    }

    private func happened(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let caller = try context.authorized(.register, detail: "visit")
        let (id, asked) = (try context.number(), try await JSONAnswer.body(VisitWish.self, of: request))
        return try JSONAnswer.response(
            try await services.change(by: caller) { desk in
                let known = try desk.records.encounter(id: id)
                let facts = try asked.facts(number: known.number, issuer: known.issuer, asOf: desk.records.now)
                let visit = try desk.apply(
                    try asked.happened(else: .update), facts, patient: known.patient, version: asked.version)
                return try VisitReport(visit, desk.records)
            })
    }

    private func show(_ context: WebRequestContext) async throws -> Response {
        let caller = try context.authorized(.readOrders, detail: "visit")
        let id = try context.number()
        return try JSONAnswer.response(
            try await services.look { records in
                let sight = try Sight(caller, records)
                try sight.demand(sight.has(visit: id))
                var filter = OrderFilter()
                filter.encounter = id
                filter.procedures = sight.orders
                let links = try records.links(encounter: id).filter { caller.scope.contains($0.studyInstanceUID) }
                return Answer(
                    visit: try VisitReport(try records.encounter(id: id), records),
                    orders: try records.orders(filter, limit: PageLimit.most).map(OrderReport.init),
                    studies: try LinkReport.reports(links, records))
            })
    }
}
