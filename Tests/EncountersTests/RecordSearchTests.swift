// Searches over the records: dates of any precision, names, numbers, and pages.

import Encounters
import Records
import Testing

@Suite struct RecordSearchTests {
    /// What a date of a record is against `2026-11` (FHIR R4 Section 3.1.1.5.6): the comparisons that find it.
    @Test(
        "prefixes compare spans with spans",
        arguments: [
            ("20261115", "eq ge le ap"), ("202611", "eq ge le ap"), ("2026", "ne gt lt ge le ap"),
            ("20261031", "ne lt le eb"), ("202610", "ne lt le eb"), ("20261201", "ne gt ge sa"),
            ("2027", "ne gt ge sa"),
            ("2025", "ne lt le eb"), ("", ""),
        ])
    func comparesSpans(_ birthDate: String, _ comparisons: String) throws {
        let hospital = try Hospital()
        _ = try hospital.change { try $0.patients.register(Hospital.facts("BN1", birthDate: birthDate)) }
        let found = try SpanCondition.Comparison.allCases.filter { comparison in
            var filter = PatientFilter()
            filter.birthDates = [[SpanCondition(comparison, low: "20261101000000", high: "20261130235959")]]
            return try hospital.look { try $0.count(filter, to: 10) } == 1
        }
        #expect(Set(found.map(\.rawValue)) == Set(comparisons.split(separator: " ").map(String.init)))
    }

    @Test("lists of any length are one question", arguments: [1, 2, 40_000]) func lists(_ count: Int) throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1")
        let words = (1..<count).map { "x\($0)" } + [order.state]
        var (filter, orders, worklist) = (ProcedureFilter(), OrderFilter(), WorklistFilter())
        filter.states = [words]
        orders.states = Set(words)
        worklist.states = words
        worklist.studyInstanceUIDs = words + [order.studyInstanceUID]
        #expect(
            try hospital.look { try $0.procedures(filter, page: RecordPage(limit: 10)) }.map(\.id) == [order.id])
        #expect(try hospital.look { try $0.count(filter, to: 10) } == 1)
        #expect(try hospital.look { try $0.orders(orders, limit: 10) }.map(\.procedure.id) == [order.id])
        #expect(try hospital.look { try $0.worklist(worklist, limit: 10) }.map(\.procedure.id) == [order.id])
    }

    @Test("more patterns than a statement can hold are refused") func patterns() throws {
        let hospital = try Hospital()
        var worklist = WorklistFilter()
        worklist.modalities = (0..<2_000).map { "x\($0)*" }
        #expect(throws: EncounterFailure.self) { try hospital.look { try $0.worklist(worklist, limit: 10) } }
    }

    @Test func aVisitWithoutAnEndIsNotOver() throws {
        let hospital = try Hospital()
        for (number, start, end) in [("A", "20261101", "20261103"), ("B", "202611010800", "")] {
            try hospital.change { desk in
                let patient = try desk.patients.register(Hospital.facts("BN1"), older: .ignored)
                _ = try desk.encounters.apply(
                    .admit,
                    EncounterFacts(issuer: "24001", number: number, asOf: 1) {
                        $0.startedAt = start
                        $0.endedAt = end
                    }, patient: patient)
            }
        }
        func found(_ comparison: SpanCondition.Comparison, _ day: String) throws -> [String] {
            var filter = EncounterFilter()
            filter.periods = [[SpanCondition(comparison, low: day + "000000", high: day + "235959")]]
            return try hospital.look { try $0.encounters(filter, page: RecordPage(limit: 10)) }.map(\.number).sorted()
        }
        #expect(try found(.greaterOrEqual, "20261110") == ["B"])
        #expect(try found(.approximately, "20261102") == ["A", "B"])
        #expect(try found(.lessOrEqual, "20261031") == [])
        #expect(try found(.endsBefore, "20261104") == ["A"])
    }

    @Test func pagesGoFromTheNewestAndMoveNobody() throws {
        let hospital = try Hospital()
        for number in 0..<5 { try hospital.order("O\(number)", patient: "BN\(number)") }
        let first = try hospital.look { try $0.procedures(ProcedureFilter(), page: RecordPage(limit: 2)) }
        // One more tells that there are more.
        #expect(first.map(\.placer.value) == ["O4", "O3", "O2"])
        try hospital.order("NEW", patient: "BN9")
        let second = try hospital.look {
            try $0.procedures(ProcedureFilter(), page: RecordPage(before: first[1].id, limit: 5))
        }
        #expect(second.map(\.placer.value) == ["O2", "O1", "O0"])
    }

    @Test func numbersOfProcedures() throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1", visit: "V1")
        func count(_ number: ProcedureNumber) throws -> Int {
            var filter = ProcedureFilter()
            filter.numbers = [[number]]
            return try hospital.look { try $0.count(filter, to: 10) }
        }
        #expect(try count(.placer(IdentifierKey(value: "O1"))) == 1)
        #expect(try count(.placer(IdentifierKey(issuer: "LIS", value: "O1"))) == 0)
        #expect(try count(.accession(IdentifierKey(issuer: "24001", value: order.accession.value))) == 1)
        #expect(try count(.study(order.studyInstanceUID)) == 1)
        #expect(try count(.study("1.2")) == 0)
    }
}
