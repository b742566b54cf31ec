// Giving up images here: only what is proven elsewhere, never what somebody still needs, and whole after every crash.

import Catalog
import Encounters
import Forwarding
import Records
import Synchronization
import Testing
import Volumes

extension Station {
    /// The destination proves that it holds these.
    func commit(_ study: String, instances: [String], to destination: String = "centre") throws {
        try answer(try ask(study, instances: instances.count, of: destination), instances, by: destination)
    }

    /// Proof is asked for; the transaction.
    func ask(_ study: String, instances: Int, of destination: String = "centre") throws -> String {
        let shipment = try #require(try shipment(study, to: destination))
        let transaction = "2.25.\(shipment.id).\(encounters.records.now())"
        try encounters.change(by: "t") {
            try $0.records.askReceipt(.commitment, transactionUID: transaction, instances: instances, of: shipment.id)
        }
        return transaction
    }

    func answer(_ transaction: String, _ held: [String], by peer: String = "centre") throws {
        try outbox.committed(CommitmentAnswer(transactionUID: transaction, held: held, failed: [:]), by: [peer])
    }

    /// A purge that takes objects out of the catalogue, as a deletion does.
    /// - Parameter failing: whose objects cannot be erased: studies.
    func purge(failing: Set<String> = [], devices: [String] = []) -> Purge {
        let catalog = catalog
        return Purge(catalog: catalog, encounters: encounters, devices: devices) { copies in
            struct Away: Error {}
            if copies.contains(where: { failing.contains($0.studyInstanceUID) }) { throw Away() }
            let erasures = try catalog.beginErasure(ofCopies: copies)
            try catalog.finishErasure(erasures.map(\.id))
            return erasures.reduce(0) { $0 + $1.place.length }
        }
    }
}

@Suite("Purge")
struct PurgeTests {
    private let wish = PurgeWish(olderThan: 30)

    private func proven(_ studies: [String] = ["1.1"], count: Int = 2) async throws -> (Station, FarEnd) {
        let (station, far) = (try Station(), FarEnd())
        try station.destination { $0.commits = true }
        try station.route()
        for study in studies {
            try station.receive(study, count)
            _ = try await station.drain(far)
            try station.commit(study, instances: (1...count).map { "\(study).1.\($0)" })
            station.pass(10)
        }
        return (station, far)
    }

    @Test("What is proven goes, the longest proven first, as much as is needed; where it is stays known")
    func goes() async throws {
        let (station, _) = try await proven(["1.1", "1.2", "1.3"])
        let purge = station.purge()
        #expect(try purge.plan(wish).candidates.map(\.studyInstanceUID) == ["1.1", "1.2", "1.3"])
        let plan = try purge.plan(PurgeWish(olderThan: 30, toFree: 10_001))
        #expect(plan.candidates.map(\.studyInstanceUID) == ["1.1", "1.2"] && plan.bytes == 20_000)
        #expect(try purge.plan(PurgeWish(olderThan: 30, study: "1.3")).candidates.count == 1)
        let gone = try purge.carryOut(plan.candidates[0], wish, by: "technician")
        #expect(gone.instances == 2 && gone.bytes == 10_000 && gone.destination == "centre")
        try station.follow()
        #expect(try !station.catalog.holds(study: "1.1"))
        #expect(try purge.plan(wish).candidates.map(\.studyInstanceUID) == ["1.2", "1.3"])
        let ledger = try station.outbox.ledger(study: "1.1")
        #expect(ledger.givenUp?.destination == "centre" && ledger.givenUp?.isErased == true)
        #expect(ledger.lines.last?.hasPrefix("at centre, proven 2026-11-22 09:00; given up here") == true)
        #expect(try station.shipment("1.1")?.state == .committed)
        #expect(throws: ForwardingFailure.self) { _ = try purge.carryOut(plan.candidates[0], wish, by: "technician") }
    }

    @Test("The study keeps its patient and order, and nobody is told that it is gone; back again it may go again")
    func stays() async throws {
        let (station, far) = (try Station(), FarEnd())
        let order = try station.order("1.1")
        try station.destination { $0.commits = true }
        try station.route()
        try station.receive("1.1", 2)
        _ = try await station.drain(far)
        try station.commit("1.1", instances: ["1.1.1.1", "1.1.1.2"])
        let purge = station.purge()
        // Its images have begun the order, and nobody has said that it is done.
        #expect(try purge.plan(wish).kept == ["its order is still open": 1])
        try station.encounters.change(by: "t") { desk in
            _ = try desk.orders.step(.complete, desk.records.procedure(id: order.id), reason: "done")
        }
        _ = try purge.carryOut(try #require(try purge.plan(wish).candidates.first), wish, by: "t")
        try station.follow()
        #expect(try station.encounters.look { try $0.link(ofStudy: "1.1") }?.target.procedure == order.id)
        // Fetched back: the same objects are no news for the destination, and may go once more.
        try station.receive("1.1", 2)
        #expect(try station.shipment("1.1")?.state == .committed)
        #expect(try station.outbox.ledger(study: "1.1").givenUp == nil)
        #expect(try purge.plan(wish).candidates.count == 1)
    }

    @Test("What is young, held, in doubt, waiting elsewhere or not proven whole stays, and the plan says why")
    func obstacles() async throws {
        let (station, far) = try await proven(["1.1", "1.2", "1.3", "1.4", "1.5", "1.6"])
        #expect(try station.purge().plan(PurgeWish(olderThan: 36_500)).kept == ["its retention is not over": 6])
        try station.outbox.hold(try #require(try station.shipment("1.1")).id, true, by: "t")
        // The same object came with other bytes.
        try station.receive("1.2", 1, content: 7, volume: 2)
        let conflicts = try station.catalog.conflicts()
        #expect(conflicts.count == 1)
        try station.destination("other")
        _ = try station.outbox.send(study: "1.3", to: "other", by: "t")
        try station.encounters.change(by: "t") { try $0.records.markExternal(study: "1.4", source: "other") }
        try station.receive("1.5", 1, from: 3)
        _ = try await station.drain(far)
        #expect(try station.shipment("1.5")?.state == .sent)
        let plan = try station.purge().plan(wish)
        #expect(plan.candidates.map(\.studyInstanceUID) == ["1.6"])
        #expect(
            plan.kept == [
                "a person holds it in the outbox": 1, "an object of it is here with several contents": 1,
                "it still waits for other": 1, "it came from another archive": 1,
            ])
        // Between plan and deed.
        try station.outbox.hold(try #require(try station.shipment("1.6")).id, true, by: "t")
        #expect(throws: ForwardingFailure.conflict(reason: "a person holds it in the outbox")) {
            _ = try station.purge().carryOut(plan.candidates[0], wish, by: "t")
        }
        #expect(try station.catalog.holds(study: "1.6"))
    }

    @Test("What left in another form is nowhere else as it was, whatever storage commitment says of it")
    func inexact() async throws {
        let (station, far) = (try Station(), FarEnd())
        far.change(["1.1.1.2"])
        try station.destination { $0.commits = true }
        try station.route()
        try station.receive("1.1", 2)
        _ = try await station.drain(far)
        try station.commit("1.1", instances: ["1.1.1.1", "1.1.1.2"])
        let shipment = try #require(try station.shipment("1.1"))
        #expect(shipment.state == .committed)
        #expect(
            try station.purge().plan(wish).kept == [
                "what was sent was changed on the way: the original is nowhere else": 1
            ])
        // The file of records refuses it too.
        #expect(throws: EncounterFailure.self) {
            try station.encounters.change(by: "t") {
                try $0.records.purge(study: "1.1", by: shipment.id, instances: 2, retainedUntil: 0, account: "t")
            }
        }
        // All of it again, as it is stored.
        far.change([])
        try station.outbox.resend(shipment.id, by: "t")
        _ = try await station.drain(far)
        try station.commit("1.1", instances: ["1.1.1.1", "1.1.1.2"])
        #expect(try station.purge().plan(wish).candidates.count == 1)
    }

    @Test("What left de-identified is nowhere else as it was")
    func rewritten() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination { $0.commits = true }
        try station.route { $0.transform.characterSet = "ISO_IR 100" }
        try station.receive("1.1", 1)
        _ = try await station.drain(far)
        try station.commit("1.1", instances: ["1.1.1.1"])
        #expect(
            try station.purge().plan(wish).kept == [
                "what was sent was changed on the way: the original is nowhere else": 1
            ])
    }

    @Test("Cut short after it was decided, it is finished later; what came meanwhile stays")
    func restart() async throws {
        let (station, _) = try await proven()
        let candidate = try #require(try station.purge().plan(wish).candidates.first)
        #expect(throws: ForwardingFailure.self) {
            _ = try station.purge(failing: ["1.1"]).carryOut(candidate, wish, by: "t")
        }
        #expect(try station.catalog.holds(study: "1.1"))
        #expect(try station.outbox.ledger(study: "1.1").givenUp?.isErased == false)
        try station.receive("1.1", 1, from: 3)
        #expect(try station.purge().finish().gone.map(\.instances) == [2])
        #expect(try station.catalog.instances(Scope(studyUIDs: ["1.1"])).map(\.sopInstanceUID) == ["1.1.1.3"])
        #expect(try station.encounters.look { try $0.unfinishedPurges() }.isEmpty)
    }
}

extension Station {
    /// An order of the patient whose images come, by the Study Instance UID.
    func order(_ uid: String) throws -> ProcedureRecord {
        try encounters.change(by: "t") { desk in
            let code = try PatientIdentifier(type: PatientIdentifier.medicalRecord, issuer: "24001", value: "P1")
            let patient = try desk.patients.register(
                PatientFacts(identifiers: [code], asOf: 1) { $0.name = "NGUYỄN VĂN ĐỨC" }, older: .ignored)
            var facts = OrderFacts(placer: IssuedNumber(issuer: "HIS", value: "A1"), asOf: 1) {
                $0.modality = "CT"
                $0.scheduledAt = "20261122090000"
            }
            facts.studyInstanceUID = uid
            return try desk.orders.apply(.new, facts, patient: patient, encounter: nil).procedure
        }
    }
}
