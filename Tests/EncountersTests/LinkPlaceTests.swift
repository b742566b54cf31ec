// Pages of links and of candidates say what each would say that is asked for alone.

import Encounters
import Foundation
import Records
import Testing

@Suite("Places of links")
struct LinkPlaceTests {
    /// Orders with and without a visit and a code, of people of whom every tenth is merged into another.
    private func filled(_ hospital: Hospital) throws -> [ProcedureRecord] {
        let orders = try (0..<40).map { number in
            try hospital.order(
                "O\(number)", patient: "BN\(number)", name: "NGUYỄN VĂN \(number)",
                visit: number.isMultiple(of: 3) ? "V\(number)" : nil)
        }
        try hospital.change { desk in
            for (number, order) in orders.enumerated() where number.isMultiple(of: 2) {
                var details = order.details
                details.code = Coded(
                    value: "CT01", scheme: "99", meaning: number.isMultiple(of: 4) ? "CT \"sọ\" não" : "")
                try desk.records.setProcedure(
                    order.id, patient: order.patient, encounter: order.encounter, details: details, nameKey: "",
                    asOf: 1)
            }
            for number in stride(from: 0, to: 30, by: 10) {
                _ = try desk.merge(patient: orders[number].patient, into: orders[number + 1].patient, reason: "twice")
            }
        }
        return orders
    }

    /// What one target is, asked row by row.
    private struct Asked: Equatable {
        var order, visitID: Int64?
        var accessionNumber, meaning, scheduledAt, visit: String?
        var patient: Int64
        var name: String

        init(_ target: LinkTarget, _ records: RecordTransaction) throws {
            let procedure = try target.procedure.map { try records.procedure(id: $0) }
            let code = procedure?.details.code
            (order, visitID) = (procedure?.id, target.encounter)
            accessionNumber = procedure?.accession.value
            meaning = code.map { $0.meaning.isEmpty ? $0.value : $0.meaning }
            scheduledAt = procedure?.details.scheduledAt
            visit = try target.encounter.map { try records.encounter(id: $0).number }
            let root = try records.patient(id: try records.patient(id: target.patient).root)
            (patient, name) = (root.id, root.demographics.name)
        }

        init(_ report: PlaceReport) {
            (order, visitID, visit) = (report.order, report.visitID, report.visit)
            (accessionNumber, meaning, scheduledAt) = (report.accessionNumber, report.meaning, report.scheduledAt)
            (patient, name) = (report.patient, report.patientName)
        }
    }

    @Test("A page of 100 links, in its order")
    func page() throws {
        let hospital = try Hospital()
        let orders = try filled(hospital)
        try hospital.change { desk in
            for (number, order) in orders.enumerated() {
                let visit = order.encounter
                let targets = [
                    LinkTarget(procedure: order.id, encounter: visit, patient: order.patient),
                    LinkTarget(procedure: nil, encounter: visit, patient: order.patient),
                    LinkTarget(procedure: nil, encounter: nil, patient: order.patient),
                ]
                for (way, target) in targets.enumerated() {
                    try desk.links.decide(study: "1.2.\(number).\(way)", target: target, reason: "")
                }
            }
        }
        try hospital.look { records in
            let links = try records.links(method: nil, limit: 100)
            let reports = try LinkReport.reports(links, records)
            #expect(links.count == 100 && reports.map(\.id) == links.map(\.id))
            #expect(try reports.map { Asked($0.place) } == links.map { try Asked($0.target, records) })
            #expect(Set(reports.map(\.place.meaning)) == ["CT \"sọ\" não", "CT01", "", nil])
            #expect(reports.contains { $0.place.visit != nil && $0.place.order == nil })
            #expect(
                reports.contains { report in
                    links.contains { $0.id == report.id && $0.target.patient != report.place.patient }
                })
            #expect(try LinkReport.reports([], records).isEmpty)
        }
    }

    @Test("Candidates of several studies stay with their study; one that leads nowhere is said")
    func candidates() throws {
        let hospital = try Hospital()
        let orders = try filled(hospital)
        let studies = (0..<100).map { number in
            let code = number.isMultiple(of: 5) ? "X" : "BN\(number % 40)"
            return Hospital.study(
                "1.3.\(number)", accession: orders[(number + 1) % 40].accession.value, patientID: code)
        }
        try hospital.look { records in
            let linking = StudyLinking(records, issuer: "24001")
            let candidates = try studies.map { try linking.candidates($0) }
            let reports = try CandidateReport.reports(candidates, records)
            #expect(reports.map(\.count) == candidates.map(\.count) && reports.joined().count > 100)
            for (told, known) in zip(reports.joined(), candidates.joined()) {
                #expect(try Asked(told.place) == Asked(known.target, records))
                #expect((told.score, told.method) == (known.score, known.method.rawValue))
            }
            #expect(throws: RecordsError.notFound) {
                _ = try records.places(of: [LinkTarget(procedure: 9_999, encounter: nil, patient: orders[0].patient)])
            }
        }
    }
}
