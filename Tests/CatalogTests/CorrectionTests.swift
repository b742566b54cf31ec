// What was corrected is shown and found, stays while instances come and go, and depends on no order.

import Catalog
import DICOMCore
import Testing

@Suite("Corrections in the catalogue")
struct CorrectionTests {
    typealias Tag = DICOMCore.Tag

    private static func correction(
        _ revision: Int64, _ study: String, _ values: [Tag: String]
    ) -> StudyCorrection {
        StudyCorrection(studyInstanceUID: study, revision: revision, at: revision, isByHand: false, attributes: values)
    }

    private static let moved: [Tag: String] = [.patientID: "BN1", .patientName: "NGUYỄN VĂN ĐỨC"]

    @Test("Values stay what they are, whatever stands behind the sign that separates them")
    func values() {
        let values: [Tag: String] = [.patientName: "\u{0338}A=B", .studyDescription: "=", .patientSex: ""]
        #expect(Self.correction(1, "1.2.1", values).attributes == values)
    }

    @Test("Every study under one Patient ID is found, page by page")
    func pages() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        let uids = (1...5).map { "1.2.\($0)" }
        try catalog.enroll(
            uids.map { sample($0 + ".9", study: $0, series: $0 + ".8", patient: "0", ["PatientName": "A"]) })
        var (found, last) = ([String](), "")
        while case let page = try catalog.studies(patientID: "0", beyond: last, limit: 2), let next = page.last {
            found += page
            last = next
        }
        #expect(found == uids)
    }

    @Test("A corrected study is found as it is shown, and no longer as it came; taken back, as before")
    func shown() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        try catalog.enroll([
            sample("1.1", patient: "X", ["PatientName": "AI^DO", "AccessionNumber": "A1"]),
            sample("1.2", study: "1.2.2", series: "1.2.2.1", patient: "BN1", ["PatientName": "Nguyen Van Duc"]),
        ])
        let before = try catalog.snapshot()
        let last = try catalog.changeBounds().last
        try catalog.project(
            [Self.correction(7, "1.2.1", Self.moved.merging([.accessionNumber: "BG1"]) { $1 })], through: 7)
        #expect(
            try catalog.values("StudyInstanceUID", level: .study, ["PatientID": "BN1"]).sorted() == ["1.2.1", "1.2.2"])
        #expect(try catalog.values("StudyInstanceUID", level: .study, ["PatientName": "*van duc*"]).count == 2)
        #expect(try catalog.values("PatientName", level: .study, ["AccessionNumber": "BG1"]) == ["NGUYỄN VĂN ĐỨC"])
        for gone in [["PatientID": "X"], ["PatientName": "*AI*"], ["AccessionNumber": "A1"]] {
            #expect(try catalog.values("StudyInstanceUID", level: .study, gone).isEmpty)
        }
        #expect(try catalog.statistics().patients == 1)
        #expect(try catalog.values("NumberOfPatientRelatedStudies", level: .patient) == ["2"])
        #expect(try catalog.changes(after: last).map(\.kind) == [.updated])
        #expect(try catalog.primary(sopInstanceUID: "1.1")?.correction?.attributes[.patientID] == "BN1")
        #expect(try catalog.primary(sopInstanceUID: "1.1")?.asReceived.correction == nil)
        #expect(try catalog.primary(sopInstanceUID: "1.2")?.correction == nil)
        #expect(try catalog.claims(of: ["1.2.1"]).first?.values[.patientID] == "X")
        #expect(try catalog.integrityCheck() == [])

        try catalog.project([Self.correction(8, "1.2.1", [:])], through: 8)
        #expect(try catalog.snapshot() == before)
        #expect(try catalog.integrityCheck() == [])
    }

    @Test("What was found out last names the patient, whatever images came first")
    func naming() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        try catalog.enroll([
            sample("1.0", study: "1.2.0", series: "1.2.0.1", patient: "BN1", receivedAt: 1, ["PatientName": "NGUYEN"]),
            sample("1.1", patient: "BN1", receivedAt: 2, ["PatientName": "NGUYEN"]),
        ])
        try catalog.project([Self.correction(1, "1.2.1", [.patientName: "Nguyễn Văn Đức"])], through: 1)
        #expect(try catalog.values("PatientName", level: .patient) == ["Nguyễn Văn Đức"])
        try catalog.enroll([
            sample("1.9", study: "1.2.9", series: "1.2.9.1", patient: "BN1", receivedAt: 0, ["PatientName": "NGUYEN"])
        ])
        #expect(try catalog.values("PatientName", level: .patient) == ["Nguyễn Văn Đức"])
    }

    @Test("New instances join as corrected; another patient among them is still noticed")
    func late() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        try catalog.enroll([sample("1.1", patient: "X")])
        try catalog.project([Self.correction(1, "1.2.1", Self.moved)], through: 1)
        let state = try catalog.seriesStates(study: "1.2.1").map(\.fingerprint)
        try catalog.enroll([sample("1.2", patient: "X", receivedAt: 5)])
        #expect(try catalog.mixedStudies().isEmpty)
        #expect(try catalog.values("PatientID", level: .study) == ["BN1"])
        #expect(try catalog.seriesStates(study: "1.2.1").map(\.fingerprint) != state)
        // An earlier one speaks for the study, as corrected as the others.
        try catalog.enroll([sample("1.3", patient: "Y", receivedAt: 0)])
        #expect(try catalog.mixedStudies() == ["1.2.1"])
        #expect(try catalog.values("PatientID", level: .study) == ["BN1"])
        // All that was there goes and comes again.
        _ = try catalog.beginErasure(Scope(studyUIDs: ["1.2.1"]))
        #expect(try catalog.statistics().patients == 0)
        try catalog.enroll([sample("1.4", patient: "X", volume: 2)])
        #expect(try catalog.values("PatientName", level: .study) == ["NGUYỄN VĂN ĐỨC"])
        #expect(try catalog.integrityCheck() == [])
    }

    @Test("A revision is taken over once, and never an older one after a newer")
    func once() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        try catalog.enroll([sample("1.1", patient: "X")])
        try catalog.project(
            [Self.correction(1, "1.2.1", [.patientID: "A"]), Self.correction(2, "1.2.1", [.patientID: "B"])], through: 2
        )
        let last = try catalog.changeBounds().last
        try catalog.project([Self.correction(1, "1.2.1", [.patientID: "A"])], through: 1)
        #expect(try catalog.values("PatientID", level: .study) == ["B"])
        #expect(try catalog.changeBounds().last == last)
        #expect(try catalog.correctedThrough() == 2)
        try catalog.forgetCorrections()
        #expect(try catalog.values("PatientID", level: .study) == ["X"])
        #expect(try catalog.correctedThrough() == 0)
    }

    @Test("Corrected before, between or after: the same snapshot", arguments: 11...16 as ClosedRange<UInt64>)
    func order(seed: UInt64) throws {
        var random = Seeded(seed)
        let enrollments = Determinism.mess(seed)
        let corrections = (0..<6).map { home in
            Self.correction(
                Int64(home + 1), "1.2.\(home)",
                [
                    [.patientID: "BN\(home % 2)"], Self.moved, [.patientID: ""], [.accessionNumber: "BG\(home)"],
                    [.patientName: "Trần \(home)"], [.patientID: "A", .issuerOfPatientID: ""],
                ][home])
        }
        var reference: String?
        for _ in 0..<4 {
            let scratch = try Scratch()
            let catalog = try scratch.catalog()
            var rest = enrollments.shuffled(using: &random)[...]
            var due = corrections[...]
            while !rest.isEmpty || !due.isEmpty {
                let batch = rest.prefix(Int.random(in: 1...30, using: &random))
                try catalog.enroll(Array(batch))
                rest = rest.dropFirst(batch.count)
                if rest.isEmpty || Bool.random(using: &random), let next = due.popFirst() {
                    try catalog.project([next], through: next.revision)
                }
            }
            #expect(try catalog.integrityCheck() == [])
            let snapshot = try catalog.snapshot()
            #expect(snapshot == reference ?? snapshot)
            reference = snapshot
        }
    }
}
