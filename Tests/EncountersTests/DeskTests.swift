// What people enter and decide: sent twice, changed by two, come late.

import Encounters
import Foundation
import Records
import Testing

@Suite("The desk")
struct DeskTests {
    private let encounters: Encounters

    init() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "desk-\(UUID().uuidString).sqlite").path
        encounters = Encounters(records: try RecordStore(path: path), settings: OrderSettings(issuer: "24001"))
    }

    private func entry(
        _ code: String, number: String? = nil, accession: String? = nil, modality: String = "CT"
    ) throws -> OrderEntry {
        let identifier = try PatientIdentifier(type: "MR", issuer: "24001", value: code)
        return OrderEntry(
            person: .told(PatientFacts(identifiers: [identifier], asOf: 1) { $0.name = "Nguyễn Văn Đức" }), visit: nil,
            number: number, accessionNumber: accession, amend: { $0.modality = modality })
    }

    private func enter(_ entry: OrderEntry, _ repetition: OrderEntry.Repetition = .isTheSame) throws -> ProcedureRecord
    {
        try encounters.change(by: "lan") { try $0.enter(entry, repetition: repetition).procedure }
    }

    private func sentence(_ body: () throws -> Void) -> String? {
        do { try body() } catch { return (error as? EncounterFailure)?.sentence }
        return nil
    }

    private func study(_ uid: String, accession: String = "", patientID: String = "") -> StudyFacts {
        var facts = StudyFacts(studyInstanceUID: uid)
        (facts.accessionNumber, facts.patientID, facts.modalities) = (accession, patientID, ["CT"])
        facts.startedAt = "20261121093000"
        return facts
    }

    @Test("an order that is sent again is the same order") func again() throws {
        let first = try enter(try entry("B1", number: "N1"))
        #expect(try enter(try entry("B1", number: "N1")).id == first.id)
        #expect(try enter(try entry("B1", number: "N1")).updatedAt == first.updatedAt)
    }

    @Test(
        "a number that is another order's is refused",
        arguments: [("B2", "CT", nil), ("B1", "MR", nil), ("B1", "CT", "OTHER")] as [(String, String, String?)])
    func other(code: String, modality: String, accession: String?) throws {
        _ = try enter(try entry("B1", number: "N1"))
        let said = sentence { _ = try enter(try entry(code, number: "N1", accession: accession, modality: modality)) }
        #expect(said?.hasPrefix("Another order") == true)
        // Nothing half done: the person of the refused order is not there either.
        #expect(try encounters.look { try $0.holders(identifierValue: "B2") }.isEmpty)
    }

    @Test("where numbers mean changes, the order changes") func changes() throws {
        let first = try enter(try entry("B1", number: "N1"))
        let changed = try enter(try entry("B1", number: "N1", modality: "MR"), .changes)
        #expect((changed.id, changed.details.modality) == (first.id, "MR"))
    }

    @Test("what somebody else has changed meanwhile is not changed") func versions() throws {
        let made = try enter(try entry("B1"))
        let changed = try encounters.change(by: "lan") {
            try $0.change(order: made.id, version: made.updatedAt) { $0.location = "P2" }.procedure
        }
        #expect(changed.details.location == "P2")
        #expect(
            sentence {
                _ = try encounters.change(by: "minh") {
                    try $0.take(.cancel, order: made.id, version: made.updatedAt, reason: "x")
                }
            }?.contains("meanwhile") == true)
        #expect(try encounters.look { try $0.procedure(id: made.id).state } == "ordered")
    }

    @Test("two decide about one study: the second is told") func decisions() throws {
        let (first, second) = (try enter(try entry("B1")), try enter(try entry("B2")))
        try encounters.change(by: "rule") { _ = try $0.links.arrived(study("1.2.3")) }
        func decide(_ procedure: ProcedureRecord, replacing: Int64?, by actor: String) throws -> StudyLinkRecord {
            try encounters.change(by: actor) { desk in
                let target = LinkTarget(procedure: procedure.id, encounter: nil, patient: 0)
                return try desk.decide(study: "1.2.3", target: target, reason: "", replacing: replacing)
            }
        }
        let link = try decide(first, replacing: nil, by: "lan")
        #expect(try decide(first, replacing: nil, by: "minh") == link)
        #expect(sentence { _ = try decide(second, replacing: nil, by: "minh") }?.contains("meanwhile") == true)
        let moved = try decide(second, replacing: link.id, by: "minh")
        #expect(
            sentence {
                try encounters.change(by: "lan") { try $0.undo(study: study("1.2.3"), link: link.id, reason: "x") }
            }?.contains("meanwhile") == true)
        try encounters.change(by: "lan") { try $0.undo(study: study("1.2.3"), link: moved.id, reason: "neither") }
        let story = try encounters.look { try StudyLinkStory(study("1.2.3"), $0, issuer: "24001") }
        #expect(story.holding == nil)
        #expect(story.links.first?.undoneReason == "neither")
        #expect(story.holdingOnly.links.isEmpty)
    }

    @Test("a late order takes the study that waits for it") func late() throws {
        try encounters.change(by: "rule") { _ = try $0.links.arrived(study("1.2.3", accession: "A1", patientID: "B1")) }
        #expect(try encounters.look { try $0.inboxCount() } == 1)
        let made = try enter(try entry("B1", accession: "A1"))
        #expect(made.state == "in-progress")
        #expect(try encounters.look { try $0.link(ofStudy: "1.2.3")?.target.procedure } == made.id)
        #expect(try encounters.look { try $0.inboxCount() } == 0)
    }

    @Test("a row that is merged away is not merged into a third; a study that waited for it finds its order")
    func merges() throws {
        let orders = try ["B1", "B2", "B3"].map { try enter(try entry($0, accession: "A-\($0)")) }
        let (first, second, third) = (orders[0].patient, orders[1].patient, orders[2].patient)
        let link = try encounters.change(by: "rule") {
            try $0.links.arrived(study("1.2.3", accession: "A-B2", patientID: "B1"))
        }
        #expect(link == nil)
        func merge(_ prior: Int64, into survivor: Int64) throws -> Int64 {
            try encounters.change(by: "lan") { try $0.merge(patient: prior, into: survivor, reason: "twice").id }
        }
        #expect(try merge(first, into: second) == second)
        #expect(try encounters.look { try $0.link(ofStudy: "1.2.3")?.target.procedure } == orders[1].id)
        // Said twice is done once.
        #expect(try merge(first, into: second) == second)
        #expect(sentence { _ = try merge(first, into: third) }?.contains("already") == true)
        let roots = try encounters.look { records in try [first, second, third].map { try records.root(of: $0).id } }
        #expect(roots == [second, second, third])
    }

    @Test("the inbox and the orders page by page, each once") func pages() throws {
        for number in 1...7 {
            try encounters.change(by: "rule") { _ = try $0.links.arrived(study("1.2.\(number)")) }
            _ = try enter(try entry("P\(number)"))
        }
        var (waiting, last) = ([String](), InboxPosition?.none)
        repeat {
            let page = try encounters.look { try $0.inbox(after: last, limit: 3) }
            waiting += page.map(\.facts.studyInstanceUID)
            last =
                page.count == 3
                ? page.last.map { .init(since: $0.since, studyInstanceUID: $0.facts.studyInstanceUID) } : nil
        } while last != nil
        #expect(waiting.count == 7 && Set(waiting).count == 7)
        var (orders, position) = ([Int64](), WorklistPosition?.none)
        repeat {
            let page = try encounters.look { try $0.orders(OrderFilter(), after: position, limit: 3) }
            orders += page.map(\.procedure.id)
            position = page.count == 3 ? page.last.map { WorklistPosition($0.procedure) } : nil
        } while position != nil
        #expect(orders.count == 7 && Set(orders).count == 7)
        var filter = OrderFilter()
        filter.procedures = [orders[2]]
        #expect(try encounters.look { try $0.orders(filter, limit: 10) }.map(\.procedure.id) == [orders[2]])
        filter.states = ["cancelled"]
        #expect(try encounters.look { try $0.orders(filter, limit: 10) }.isEmpty)
    }
}
