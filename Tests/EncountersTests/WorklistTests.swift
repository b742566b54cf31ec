// Searching the open procedures.

import DICOMCore
import Encounters
import Records
import Testing

@Suite("Searching the worklist")
struct WorklistTests {
    private func numbers(
        _ hospital: Hospital, limit: Int = 100, named name: String? = nil,
        _ amend: (inout WorklistFilter) -> Void = { _ in }
    ) throws -> [String] {
        var filter = WorklistFilter()
        amend(&filter)
        let pattern = name.map { PersonNamePattern($0) }
        filter.nameWords = pattern?.searchWords ?? []
        return try hospital.look { records in
            try records.worklist(filter, limit: limit) { pattern?.matches(folded: $0) ?? true }
        }.map(\.procedure.placer.value)
    }

    @Test("Names: marks, order of words, wild cards, and what other languages of patterns would mean")
    func names() throws {
        let hospital = try Hospital()
        try hospital.order("1", patient: "BN1", name: "NGUYỄN VĂN ĐỨC")
        try hospital.order("2", patient: "BN2", name: "Trần^Đức^Văn")
        try hospital.order("3", patient: "BN3", name: "LÊ AN")
        try hospital.order("4", patient: "BN4", name: "O'NEIL [X] \"Q\"")
        let expected: [(String, [String])] = [
            ("*van duc*", ["1", "2"]), ("nguyen*", ["1"]), ("duc van nguyen", ["1"]), ("nguyen van", []),
            ("*le*", ["3"]), ("an le", ["3"]), ("L?*", ["3"]), ("*[x]*", ["4"]), ("*\"q\"*", ["4"]), ("*o'n*", ["4"]),
            ("*[abc]*", []), ("*%*", []), ("*tran*", ["2"]), ("*", ["1", "2", "3", "4"]), ("*xyzzy*", []),
        ]
        for (pattern, found) in expected {
            #expect(try numbers(hospital, named: pattern) == found, "\(pattern)")
        }
    }

    @Test("The index of names follows a new name, a cancel and a merge")
    func follows() throws {
        let hospital = try Hospital()
        let order = try hospital.order("1", patient: "BN1", name: "NGUYỄN VĂN ĐỨC")
        try hospital.order("2", patient: "BN2", name: "LÊ THỊ HOA")
        _ = try hospital.change { desk in
            try desk.patients.register(try Hospital.facts("BN1", name: "PHẠM VĂN ĐỒNG", asOf: 2))
        }
        #expect(try numbers(hospital, named: "*nguyen*") == [])
        #expect(try numbers(hospital, named: "*pham*") == ["1"])
        try hospital.change { desk in
            let (prior, survivor) = try (
                desk.records.procedure(id: order.id).patient, desk.records.procedures(placerNumber: "2")[0].patient
            )
            try desk.patients.merge(prior, into: survivor, reason: "test")
        }
        #expect(try numbers(hospital, named: "*pham*") == [])
        #expect(try numbers(hospital, named: "*thi hoa*") == ["1", "2"])
        _ = try hospital.change { try $0.orders.step(.cancel, order, reason: "test") }
        #expect(try numbers(hospital, named: "*thi hoa*") == ["2"])
    }

    @Test("Days, times of day, stations, states and numbers")
    func keys() throws {
        let hospital = try Hospital()
        try hospital.order("1", patient: "BN1", modality: "CT", at: "20261121", accession: "AB1")
        try hospital.order("2", patient: "BN1", modality: "MR", at: "202611210930", accession: "AB2")
        try hospital.order("3", patient: "BN2", modality: "CT", at: "20261122093030", accession: "[1")
        // However it was written, it is found by its day.
        #expect(
            try numbers(hospital) {
                $0.from = "20261121000000"
                $0.through = "20261121235959"
            } == ["1", "2"])
        #expect(
            try numbers(hospital) {
                $0.timeFrom = "093000"
                $0.timeThrough = "093059"
            } == ["2", "3"])
        #expect(try numbers(hospital) { $0.modalities = ["CT"] } == ["1", "3"])
        #expect(try numbers(hospital) { $0.stationAETitles = ["CT1"] } == ["1", "2", "3"])
        #expect(try numbers(hospital) { $0.accessionNumber = "AB?" } == ["1", "2"])
        #expect(try numbers(hospital) { $0.accessionNumber = "[*" } == ["3"])
        #expect(try numbers(hospital) { $0.scheduledProcedureStepID = "AB2" } == ["2"])
        #expect(try numbers(hospital) { $0.patientID = "BN2" } == ["3"])
        #expect(try numbers(hospital) { $0.states = ["arrived"] } == [])
        #expect(try numbers(hospital) { $0.performingPhysicians = [] } == [])
    }

    @Test("A page goes on where the one before ended, also among equal times")
    func pages() throws {
        let hospital = try Hospital()
        for number in 1...7 { try hospital.order("\(number)", patient: "BN\(number)", at: "20261121090000") }
        try hospital.order("0", patient: "BN8", at: "20261121080000")
        var seen: [String] = []
        var position: WorklistPosition?
        while true {
            let page = try hospital.look { [position] in try $0.worklist(WorklistFilter(), after: position, limit: 3) }
            seen += page.map(\.procedure.placer.value)
            guard page.count == 3, let last = page.last else { break }
            position = WorklistPosition(last.procedure)
        }
        #expect(seen == ["0", "1", "2", "3", "4", "5", "6", "7"])
    }

    @Test("Who performs: every name once")
    func performers() throws {
        let hospital = try Hospital()
        for (number, name) in [("1", "Lan"), ("2", "Đức"), ("3", "Lan"), ("4", "")] {
            let order = try hospital.order(number, patient: "BN\(number)")
            _ = try hospital.change { desk in
                try desk.orders.apply(
                    .change,
                    OrderFacts(placer: order.placer, asOf: 2) { $0.performingPhysician = name },
                    patient: try desk.records.patient(id: order.patient), encounter: nil)
            }
        }
        #expect(try hospital.look { try $0.performingPhysicians() } == ["", "Lan", "Đức"])
        #expect(try numbers(hospital) { $0.performingPhysicians = ["Lan"] } == ["1", "3"])
    }
}
