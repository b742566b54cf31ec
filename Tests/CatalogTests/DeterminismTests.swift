// The catalogue is a projection: whatever the order in which instances are enrolled, it comes out the same.

import Catalog
import Testing
import Volumes

@Suite("Order does not matter")
struct Determinism {
    /// A messy archive: shared and missing patient IDs, studies under two patients, series UIDs in two studies,
    /// changing demographics, UIDs with several contents, contents stored twice, equal times of receipt.
    static func mess(_ seed: UInt64) -> [Enrollment] {
        var random = Seeded(seed)
        return (0..<220).map { index in
            let sop = Int.random(in: 0..<130, using: &random)
            let content = UInt8.random(in: 0..<3, using: &random)
            // Equal bytes say equal things: everything follows from the UID and the content.
            var facts = Seeded(UInt64(sop * 3 + Int(content)) ^ seed)
            let patient = ["", "A", "B", "C"].randomElement(using: &facts) ?? ""
            let home = Int.random(in: 0..<9, using: &facts)
            return sample(
                "1.9.\(sop)", study: "1.2.\(home)", series: "1.3.\(home % 4).\(Int.random(in: 0..<3, using: &facts))",
                patient: patient, content: content, receivedAt: Int64.random(in: 0..<40, using: &random),
                volume: 1 + index % 3,
                offset: Int64(index) * 4_096,
                [
                    "PatientName": ["Lê^Lợi", "Le^Loi", ""].randomElement(using: &facts) ?? "",
                    "IssuerOfPatientID": ["", "BM"].randomElement(using: &facts) ?? "",
                    "Modality": ["CT", "MR", ""].randomElement(using: &facts) ?? "",
                    "SOPClassUID": ["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"].randomElement(
                        using: &facts) ?? "",
                    "StudyDescription": "day \(Int.random(in: 0..<5, using: &facts))",
                    "SeriesNumber": "\(Int.random(in: 0..<5, using: &facts))",
                    "InstanceNumber": "\(sop)",
                ])
        }
    }

    static func enrolled(_ enrollments: [Enrollment], _ random: inout Seeded) throws -> String {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        var rest = enrollments[...]
        while !rest.isEmpty {
            let batch = rest.prefix(Int.random(in: 1...20, using: &random))
            try catalog.enroll(Array(batch))
            rest = rest.dropFirst(batch.count)
        }
        #expect(try catalog.integrityCheck() == [])
        return try catalog.snapshot()
    }

    @Test("shuffled instances in batches of any size give the same snapshot", arguments: 1...6 as ClosedRange<UInt64>)
    func shuffled(seed: UInt64) throws {
        var random = Seeded(seed)
        let enrollments = Self.mess(seed)
        let reference = try Self.enrolled(enrollments, &random)
        #expect(reference.contains("secondary\t"))
        for _ in 0..<4 {
            let snapshot = try Self.enrolled(enrollments.shuffled(using: &random), &random)
            #expect(snapshot == reference)
        }
    }

    @Test("erasing what came in between leaves what never having had it would", arguments: 1...4 as ClosedRange<UInt64>)
    func erased(seed: UInt64) throws {
        var random = Seeded(seed)
        let enrollments = Self.mess(seed)
        let gone = Set((0..<40).map { "1.9.\($0 * 3)" })
        let reference = try Self.enrolled(enrollments.filter { !gone.contains($0.facts.sopInstanceUID) }, &random)

        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        try catalog.enroll(enrollments.shuffled(using: &random))
        _ = try catalog.beginErasure(Scope(sopUIDs: Array(gone)))
        #expect(try catalog.integrityCheck() == [])
        #expect(try catalog.snapshot() == reference)
    }

    @Test("erasing a study leaves the copies that belong elsewhere", arguments: 1...4 as ClosedRange<UInt64>)
    func erasedStudy(seed: UInt64) throws {
        var random = Seeded(seed)
        let enrollments = Self.mess(seed)
        let reference = try Self.enrolled(enrollments.filter { $0.facts.studyInstanceUID != "1.2.3" }, &random)

        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        try catalog.enroll(enrollments)
        _ = try catalog.beginErasure(Scope(studyUIDs: ["1.2.3"]))
        #expect(try catalog.integrityCheck() == [])
        #expect(try catalog.snapshot() == reference)
    }

    @Test("a catalogue rebuilt beside the live one takes its place; feed and erasures stay, the deleted stays away")
    func replaced() throws {
        let enrollments = Self.mess(5)
        let (liveFolder, freshFolder) = (try Scratch(), try Scratch())
        let live = try liveFolder.catalog()
        let sibling = try liveFolder.catalog()
        let fresh = try freshFolder.catalog()
        try live.enroll(enrollments)
        let erasures = try live.beginErasure(Scope(studyUIDs: ["1.2.3"]))
        let (wanted, feed) = (try live.snapshot(), try live.changes(after: 0))
        _ = try sibling.find(query(.study, ["PatientName": "le*"]))
        // The volumes still hold what waits for its erasure.
        try fresh.enroll(enrollments.reversed())
        try live.replace(with: fresh)
        #expect(try live.snapshot() == wanted)
        #expect(try sibling.snapshot() == wanted)
        // One more, by which the numbers jump.
        #expect(try live.changes(after: 0).dropLast() == feed[...])
        #expect(try live.pendingErasures() == erasures)
        #expect(try live.integrityCheck() == [])
        #expect(try sibling.enroll([sample("1.7777", offset: 99_999_744)]) == [.new])
        #expect(try live.primary(sopInstanceUID: "1.7777") != nil)
    }

    @Test("the earliest instance speaks for its patient, study and series")
    func earliest() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        try catalog.enroll([
            sample("1.1", receivedAt: 20, ["PatientName": "Later^Name", "StudyDescription": "later"]),
            sample("1.2", receivedAt: 10, ["PatientName": "First^Name", "StudyDescription": "first"]),
            sample("1.3", receivedAt: 30, ["PatientName": "Last^Name", "StudyDescription": "last"]),
        ])
        #expect(try catalog.values("PatientName", level: .study) == ["First^Name"])
        #expect(try catalog.values("StudyDescription", level: .study) == ["first"])
        _ = try catalog.beginErasure(Scope(sopUIDs: ["1.2"]))
        #expect(try catalog.values("PatientName", level: .study) == ["Later^Name"])
        #expect(try catalog.find(query(.study, ["PatientName": "first*"])).isEmpty)
    }

    @Test("without a Patient ID every study is a patient of its own")
    func unknownPatients() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        try catalog.enroll([
            sample("1.1", study: "1.2.1", patient: "", ["PatientName": "Unknown"]),
            sample("1.2", study: "1.2.2", patient: "", ["PatientName": "Unknown"]),
            sample("1.3", study: "1.2.2", patient: "", ["PatientName": "Unknown"]),
            sample("1.4", study: "1.2.4", patient: "X"),
            sample("1.5", study: "1.2.5", patient: "X", ["IssuerOfPatientID": "BM"]),
        ])
        #expect(try catalog.statistics().patients == 4)
    }

    @Test("a study under two patients stays whole, with the earliest, and is marked")
    func mixedStudy() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        try catalog.enroll([sample("1.1", patient: "B", receivedAt: 20), sample("1.2", patient: "B", receivedAt: 21)])
        #expect(try catalog.mixedStudies().isEmpty)
        try catalog.enroll([sample("1.3", patient: "A", receivedAt: 10)])
        #expect(try catalog.values("PatientID", level: .patient) == ["A"])
        #expect(try catalog.values("NumberOfStudyRelatedInstances", level: .study) == ["3"])
        #expect(try catalog.mixedStudies() == ["1.2.1"])
        _ = try catalog.beginErasure(Scope(sopUIDs: ["1.3"]))
        #expect(try catalog.values("PatientID", level: .patient) == ["B"])
        #expect(try catalog.mixedStudies().isEmpty)
    }
}
