// Duplicates and conflicts: nothing is stored twice, nothing is destroyed.

import Catalog
import Testing
import Volumes

@Suite("Copies of one SOP Instance UID")
struct Copies {
    @Test("the same place again is known: nothing is surplus, the live bytes least of all")
    func known() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        let first = sample("1.1")
        #expect(try catalog.enroll([first, first]) == [.new, .known])
        #expect(try catalog.enroll([first]) == [.known])
        let other = sample("1.1", content: 2, receivedAt: 2_000, offset: 99)
        #expect(try catalog.enroll([other, other]) == [.conflict, .known])
    }

    @Test("the same bytes elsewhere are a duplicate, and the surplus place is the later one")
    func duplicate() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        let early = sample("1.1", receivedAt: 10, offset: 512)
        let late = sample("1.1", receivedAt: 20, offset: 8_192)
        #expect(try catalog.enroll([late]) == [.new])
        #expect(try catalog.enroll([early]) == [.duplicate(surplus: late.place)])
        #expect(try catalog.primary(sopInstanceUID: "1.1")?.place == early.place)
        #expect(try catalog.enroll([late]) == [.duplicate(surplus: late.place)])
        #expect(try catalog.statistics().instances == 1)
        #expect(try catalog.conflicts().isEmpty)
    }

    @Test("other bytes under the UID are kept, listed and not counted, even when they name another study")
    func conflict() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        let first = sample("1.1", study: "1.2.1", content: 1, receivedAt: 10, offset: 0)
        let second = sample("1.1", study: "1.2.2", content: 2, receivedAt: 20, offset: 8_192)
        #expect(try catalog.enroll([second, first]) == [.new, .conflict])
        #expect(try catalog.primary(sopInstanceUID: "1.1")?.digest == first.digest)
        #expect(try catalog.values("StudyInstanceUID", level: .study) == ["1.2.1"])
        let conflict = try #require(try catalog.conflicts().first)
        #expect(conflict.copies.map(\.isPrimary) == [true, false])
        #expect(conflict.copies.map(\.studyInstanceUID) == ["1.2.1", "1.2.2"])
        #expect(conflict.copies.map(\.place) == [first.place, second.place])
        #expect(try catalog.statistics().instances == 1)
    }

    @Test("a person's decision swaps the copies, clears the list and outlives an earlier arrival")
    func resolve() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        let first = sample("1.1", study: "1.2.1", content: 1, receivedAt: 10, offset: 0)
        let second = sample("1.1", study: "1.2.2", content: 2, receivedAt: 20, offset: 8_192)
        try catalog.enroll([first, second])
        #expect(try catalog.resolveConflict(sopInstanceUID: "1.1", keep: second.digest) == [])
        #expect(try catalog.primary(sopInstanceUID: "1.1")?.place == second.place)
        #expect(try catalog.values("StudyInstanceUID", level: .study) == ["1.2.2"])
        #expect(try catalog.conflicts().isEmpty)
        #expect(try catalog.copies(sopInstanceUID: "1.1").count == 2)
        #expect(try catalog.enroll([sample("1.1", content: 3, receivedAt: 1, offset: 600)]) == [.conflict])
        #expect(try catalog.primary(sopInstanceUID: "1.1")?.place == second.place)
        #expect(try catalog.conflicts().count == 1)
        #expect(try catalog.integrityCheck() == [])
    }

    @Test("deciding with erasure leaves one copy and lists the others' places")
    func resolveErasing() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        let first = sample("1.1", content: 1, receivedAt: 10, offset: 0)
        let second = sample("1.1", content: 2, receivedAt: 20, offset: 8_192)
        try catalog.enroll([first, second])
        let erasures = try catalog.resolveConflict(sopInstanceUID: "1.1", keep: second.digest, erasingOthers: true)
        #expect(erasures.map(\.place) == [first.place])
        #expect(try catalog.copies(sopInstanceUID: "1.1").map(\.place) == [second.place])
        #expect(throws: CatalogError.notFound) {
            try catalog.resolveConflict(sopInstanceUID: "1.1", keep: first.digest)
        }
    }
}

@Suite("Erasure")
struct Erasures {
    @Test("erased instances are out of sight at once, and out of the list when their bytes are gone")
    func flow() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        let all = (0..<5).map { sample("1.\($0)", series: "1.2.1.\($0 % 2)", offset: Int64($0) * 8_192) }
        try catalog.enroll(all)
        let erasures = try catalog.beginErasure(Scope(seriesUIDs: ["1.2.1.0"]))
        #expect(erasures.map(\.place) == [0, 2, 4].map { all[$0].place })
        #expect(try catalog.instances(Scope()).map(\.sopInstanceUID) == ["1.1", "1.3"])
        #expect(try catalog.values("NumberOfStudyRelatedSeries", level: .study) == ["1"])
        #expect(try catalog.pendingErasures() == erasures)
        // A replay of the volume must not bring them back while they wait.
        #expect(try catalog.enroll([all[0]]) == [.known])
        #expect(try catalog.primary(sopInstanceUID: "1.0") == nil)
        try catalog.finishErasure(erasures.map(\.id))
        #expect(try catalog.pendingErasures().isEmpty)
    }

    @Test("the last instance takes its series, study and patient along")
    func last() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        try catalog.enroll([sample("1.1"), sample("1.2", study: "1.2.2", series: "1.2.2.1", patient: "P2")])
        _ = try catalog.beginErasure(Scope(studyUIDs: ["1.2.1"]))
        let statistics = try catalog.statistics()
        #expect([statistics.patients, statistics.studies, statistics.series, statistics.instances] == [1, 1, 1, 1])
        #expect(try catalog.find(query(.patient, ["PatientID": "*P1*"])).isEmpty)
    }

    @Test("an empty scope erases nothing")
    func empty() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        try catalog.enroll([sample("1.1")])
        #expect(try catalog.beginErasure(Scope()).isEmpty)
        #expect(try catalog.statistics().instances == 1)
    }

    @Test("when the primary leaves, the earliest other content takes its place")
    func succession() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        let copies = (0..<3).map {
            sample("1.1", study: "1.2.\($0)", content: UInt8($0), receivedAt: Int64($0), offset: Int64($0) * 8_192)
        }
        try catalog.enroll(copies)
        let erasures = try catalog.beginErasure(Scope(studyUIDs: ["1.2.0"]))
        #expect(erasures.map(\.place) == [copies[0].place])
        #expect(try catalog.primary(sopInstanceUID: "1.1")?.studyInstanceUID == "1.2.1")
        #expect(try catalog.beginErasure(Scope(sopUIDs: ["1.1"])).count == 2)
        #expect(try catalog.copies(sopInstanceUID: "1.1").isEmpty)
    }

    @Test("the change feed tells what was stored and erased, in order")
    func feed() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        try catalog.enroll([sample("1.1"), sample("1.2"), sample("1.3", series: "1.2.1.9")])
        _ = try catalog.beginErasure(Scope(sopUIDs: ["1.1"]))
        let changes = try catalog.changes(after: 0)
        #expect(changes.map(\.kind) == [.stored, .stored, .erased])
        #expect(changes.map(\.instances) == [2, 1, 1])
        #expect(changes.map(\.seriesInstanceUID) == ["1.2.1.1", "1.2.1.9", "1.2.1.1"])
        try catalog.forgetChanges(through: changes[1].sequence)
        #expect(try catalog.changes(after: 0).map(\.kind) == [.erased])
        #expect(try catalog.changes(after: changes[2].sequence).isEmpty)
    }

    @Test("numbers of the change feed grow on when every entry has been seen and dropped")
    func feedNumbers() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        try catalog.enroll([sample("1.1")])
        let first = try #require(try catalog.changes(after: 0).first)
        try catalog.forgetChanges(through: first.sequence)
        try catalog.forgetChanges(keeping: 0)
        try catalog.enroll([sample("1.2")])
        let later = try catalog.changes(after: first.sequence)
        #expect(later.count == 1 && later.allSatisfy { $0.sequence > first.sequence })
    }
}
