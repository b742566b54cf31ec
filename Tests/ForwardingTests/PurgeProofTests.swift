// Giving up by proofs that are new, of the right archive, and of nobody who relies on us.

import Catalog
import Encounters
import Forwarding
import Records
import Testing

@Suite("Purge: whose proof, and how old")
struct PurgeProofTests {
    private let wish = PurgeWish(olderThan: 0)
    private let objects = ["1.1.1.1", "1.1.1.2"]

    private func proven() async throws -> (Station, FarEnd, ShipmentRecord) {
        let (station, far) = (try Station(), FarEnd())
        try station.destination { $0.commits = true }
        try station.route()
        try station.receive("1.1", 2)
        _ = try await station.drain(far)
        try station.commit("1.1", instances: objects)
        station.pass(10)
        return (station, far, try #require(try station.shipment("1.1")))
    }

    private func insert(_ station: Station, _ shipment: ShipmentRecord, isDespitePromise: Bool = false) throws {
        try station.encounters.change(by: "t") {
            try $0.records.purge(
                study: "1.1", by: shipment.id, instances: 2, retainedUntil: 0, account: "t",
                isDespitePromise: isDespitePromise)
        }
    }

    @Test("A proof of yesterday is asked for anew: until the answer comes nothing goes")
    func stale() async throws {
        let (station, _, shipment) = try await proven()
        station.pass(86_400)
        var plan = try station.purge().plan(wish)
        #expect(plan.candidates.isEmpty && plan.stale.map(\.studyInstanceUID) == ["1.1"])
        #expect(throws: ForwardingFailure.conflict(reason: "it is to be proven anew first")) {
            _ = try station.purge().carryOut(plan.stale[0], wish, by: "t")
        }
        #expect(throws: EncounterFailure.self) { try insert(station, shipment) }
        let told = try station.outbox.feed.news(after: nil).last
        try station.purge().askAnew(plan.stale, by: "t")
        #expect(try station.shipment("1.1")?.state == .sent)
        #expect(try station.outbox.feed.news(after: told).events.isEmpty)
        #expect(try station.purge().plan(wish).stale.isEmpty)
        // Only half of it is there now.
        try station.commit("1.1", instances: ["1.1.1.1"])
        plan = try station.purge().plan(wish)
        #expect(plan.candidates.isEmpty)
        try station.commit("1.1", instances: objects)
        #expect(try station.purge().plan(wish).candidates.count == 1)
    }

    @Test("What is asked for anew does not keep what may go")
    func amount() async throws {
        let (station, far, _) = try await proven()
        station.pass(86_400)
        try station.receive("1.2", 2)
        _ = try await station.drain(far)
        try station.commit("1.2", instances: ["1.2.1.1", "1.2.1.2"])
        station.pass(10)
        let some = try station.purge().plan(PurgeWish(olderThan: 0, toFree: 5_000))
        #expect(some.candidates.map(\.studyInstanceUID) == ["1.2"] && some.stale.isEmpty)
        let more = try station.purge().plan(PurgeWish(olderThan: 0, toFree: 10_001))
        #expect(more.candidates.count == 1 && more.stale.map(\.studyInstanceUID) == ["1.1"])
    }

    @Test("Of several that have proven to hold it one is enough, whatever keeps it by the others")
    func several() async throws {
        let (station, far) = (try Station(), FarEnd())
        far.change(Set(objects))
        try station.destination { $0.commits = true }
        try station.destination("other") { $0.commits = true }
        try station.receive("1.1", 2)
        for name in ["centre", "other"] {
            _ = try station.outbox.send(study: "1.1", to: name, by: "t")
            _ = try await station.drain(far, to: name)
            try station.commit("1.1", instances: objects, to: name)
            station.pass(10)
            far.change([])
        }
        let plan = try station.purge().plan(wish)
        #expect(plan.candidates.map(\.destination) == ["other"] && plan.kept.isEmpty)
        station.pass(86_400)
        #expect(try station.purge().plan(wish).stale.map(\.destination) == ["other"])
    }

    @Test("Who has told others that a study is kept here does not give it up: of two that send to each other none does")
    func promised() async throws {
        let (station, _, shipment) = try await proven()
        #expect(
            try station.encounters.change(by: "t") { try $0.records.promise(studies: ["1.1"], to: "CT1", .commitment) })
        #expect(try station.purge().plan(wish).kept == ["others were told that it is kept here": 1])
        #expect(throws: EncounterFailure.self) { try insert(station, shipment) }
        // Of what is not here nothing is told.
        let empty = try CatalogStore(path: station.folder + "/empty.sqlite")
        #expect(try Purge(catalog: empty, encounters: station.encounters) { _ in 0 }.plan(wish).kept.isEmpty)
        // A device that keeps nothing for others.
        #expect(try station.purge(devices: ["CT1"]).plan(wish).candidates.count == 1)
        #expect(
            try station.encounters.change(by: "t") { try $0.records.promise(studies: ["1.1"], to: "CT1", .signature) })
        #expect(try station.purge(devices: ["CT1"]).plan(wish).candidates.isEmpty)
        // A person may say so all the same.
        let despite = PurgeWish(olderThan: 0, isDespitePromises: true)
        let candidate = try #require(try station.purge().plan(despite).candidates.first)
        #expect(try station.purge().carryOut(candidate, despite, by: "t").instances == 2)
    }

    @Test("Nothing is promised of what is being given up, whichever of both comes first")
    func race() async throws {
        let (station, _, shipment) = try await proven()
        try insert(station, shipment)
        #expect(
            try !station.encounters.change(by: "t") {
                try $0.records.promise(studies: ["1.1"], to: "other", .signature)
            })
        #expect(try station.encounters.look { try $0.promises(ofStudy: "1.1") }.isEmpty)
    }

    @Test("Where a destination is another archive its proofs count no more", arguments: ["peer", "again", "machine"])
    func moved(how: String) async throws {
        let (station, far, _) = try await proven()
        let late = try station.ask("1.1", instances: 2)
        switch how {
        case "peer": try station.destination { ($0.commits, $0.peer) = (true, "other") }
        case "again":
            try station.book.remove(route: "all", by: "t")
            try station.book.remove(destination: "centre", by: "t")
            try station.destination { $0.commits = true }
        default:
            try station.encounters.records.addPeer(Peer(name: "Centre", aeTitle: "X", host: "10.0.0.2", port: 104))
        }
        #expect(try station.shipment("1.1")?.state == .sent)
        #expect(try station.purge().plan(wish).candidates.isEmpty)
        // What was asked of the archive before says nothing of this one.
        let peer = how == "peer" ? "other" : "centre"
        try station.answer(late, objects, by: peer)
        #expect(try station.shipment("1.1")?.state == .sent)
        #expect(try station.purge().plan(wish).candidates.isEmpty)
        // This one holds half of it: the rest is sent again.
        let transaction = try station.ask("1.1", instances: 2)
        try station.outbox.committed(
            CommitmentAnswer(transactionUID: transaction, held: ["1.1.1.1"], failed: ["1.1.1.2": 0x0112]), by: [peer])
        station.pass(60)
        #expect(try await station.drain(far) == ["1.1.1.2"])
        let shipment = try #require(try station.shipment("1.1"))
        let last = try station.ask("1.1", instances: 2)
        try station.answer(last, objects, by: peer)
        #expect(try station.shipment("1.1")?.state == .committed && shipment.state == .sent)
        #expect(try station.purge().plan(wish).candidates.count == 1)
    }

    @Test("A peer of the configuration file that is elsewhere at the next start is another archive", arguments: 0..<3)
    func movedInFile(what: Int) async throws {
        let (station, _, _) = try await proven()
        func begin(_ title: String = "CENTRE", _ host: String = "10.0.0.1", _ port: Int = 104) throws {
            try station.encounters.change(by: "t") {
                try $0.records.meet([
                    PeerAddress(name: "Centre", aeTitle: title, host: host, port: port),
                    PeerAddress(name: "other", aeTitle: "X", host: "10.0.0.\($0.records.now % 200)", port: 104),
                ])
            }
        }
        for _ in 0..<2 {
            try begin()
            #expect(try station.purge().plan(wish).candidates.count == 1)
        }
        func beginElsewhere() throws {
            switch what {
            case 0: try begin("CENTRE2")
            case 1: try begin("CENTRE", "10.0.0.2")
            default: try begin("CENTRE", "10.0.0.1", 11_112)
            }
        }
        try beginElsewhere()
        #expect(try station.shipment("1.1")?.state == .sent)
        #expect(try station.purge().plan(wish).candidates.isEmpty)
        try station.commit("1.1", instances: objects)
        try beginElsewhere()
        #expect(try station.purge().plan(wish).candidates.count == 1)
    }

    @Test("Another rate, or the key at first contact, is the same archive; another key is not")
    func same() async throws {
        let (station, _, _) = try await proven()
        for (key, state) in [("K1", ShipmentRecord.State.committed), ("K1", .committed), ("K2", .sent)] {
            try station.destination { ($0.commits, $0.lanes, $0.receiptKey) = (true, 4, key) }
            #expect(try station.shipment("1.1")?.state == state)
        }
        try station.commit("1.1", instances: objects)
        // Forgotten on purpose.
        try station.destination { $0.commits = true }
        #expect(try station.shipment("1.1")?.state == .sent)
    }

    @Test("What was given up stays as it was proven, also where the destination is changed")
    func givenUp() async throws {
        let (station, _, _) = try await proven()
        let candidate = try #require(try station.purge().plan(wish).candidates.first)
        _ = try station.purge().carryOut(candidate, wish, by: "t")
        try station.destination { ($0.commits, $0.peer) = (true, "other") }
        let shipment = try #require(try station.shipment("1.1"))
        #expect(shipment.state == .committed && shipment.committedAt != nil)
        #expect(throws: ForwardingFailure.conflict(reason: "Its images are not here: there is nothing to send again")) {
            try station.outbox.resend(shipment.id, by: "t")
        }
        #expect(try station.encounters.look { try $0.shipped(shipment.id) }.count == 2)
    }

    @Test("An image that comes after its study was given up is one more of it, and goes by a proof of its own")
    func late() async throws {
        let (station, far, _) = try await proven()
        let candidate = try #require(try station.purge().plan(wish).candidates.first)
        _ = try station.purge().carryOut(candidate, wish, by: "t")
        try station.receive("1.1", 1, from: 3)
        var shipment = try #require(try station.shipment("1.1"))
        #expect((shipment.state, shipment.sentInstances, shipment.instances) == (.waiting, 2, 3))
        #expect(try await station.drain(far) == ["1.1.1.3"])
        shipment = try #require(try station.shipment("1.1"))
        #expect((shipment.state, shipment.sentInstances, shipment.instances) == (.sent, 3, 3))
        station.pass(2 * 86_400)
        try station.commit("1.1", instances: ["1.1.1.3"])
        #expect(try station.shipment("1.1")?.state == .committed)
        let again = try #require(try station.purge().plan(wish).candidates.first)
        #expect(try station.purge().carryOut(again, wish, by: "t").instances == 1)
    }

    @Test("A destination that moves while a late image is under way leaves known where the given up ones are")
    func lateAndMoved() async throws {
        let (station, far, _) = try await proven()
        let candidate = try #require(try station.purge().plan(wish).candidates.first)
        _ = try station.purge().carryOut(candidate, wish, by: "t")
        try station.receive("1.1", 1, from: 3)
        try station.destination { ($0.commits, $0.peer) = (true, "other") }
        let shipment = try #require(try station.shipment("1.1"))
        #expect((shipment.state, shipment.sentInstances, shipment.instances) == (.waiting, 2, 3))
        #expect(try station.encounters.look { try $0.shipped(shipment.id) }.count == 2)
        #expect(try await station.drain(far) == ["1.1.1.3"])
    }

    @Test("All of it again after a late image: everything that is here, and proven whole", arguments: [false, true])
    func lateAgain(isGivenUp: Bool) async throws {
        let (station, far, shipment) = try await proven()
        if isGivenUp {
            let candidate = try #require(try station.purge().plan(wish).candidates.first)
            _ = try station.purge().carryOut(candidate, wish, by: "t")
        }
        let here = (isGivenUp ? [] : objects) + ["1.1.1.3"]
        try station.receive("1.1", 1, from: 3)
        // Before the late one left, and once it is proven.
        for _ in 0..<2 {
            try station.outbox.resend(shipment.id, by: "t")
            #expect(try await station.drain(far).sorted() == here)
            var now = try #require(try station.shipment("1.1"))
            #expect((now.state, now.sentInstances, now.instances) == (.sent, 3, 3))
            station.pass(10)
            try station.commit("1.1", instances: here)
            now = try #require(try station.shipment("1.1"))
            #expect(now.state == .committed)
            #expect(throws: ForwardingFailure.self) { try station.outbox.retry(shipment.id, by: "t") }
        }
        station.pass(1)
        let candidate = try #require(try station.purge().plan(wish).candidates.first)
        #expect(try station.purge().carryOut(candidate, wish, by: "t").instances == here.count)
    }

    @Test("Decided, then cut short: what came meanwhile under the same UID is not what was proven, and stays")
    func otherContent() async throws {
        let (station, _, shipment) = try await proven()
        try insert(station, shipment)
        try station.receive("1.1", 1, content: 7, volume: 2)
        let (gone, failures) = try station.purge().finish()
        #expect(gone.map(\.instances) == [2] && failures.isEmpty)
        let left = try station.catalog.instances(Scope(studyUIDs: ["1.1"]))
        #expect(left.map(\.sopInstanceUID) == ["1.1.1.1"] && left[0].digest[1] == 7)
        // It is a study like any other again.
        #expect(try !station.encounters.look { try $0.isPurged(study: "1.1") })
    }

    @Test("One that cannot be finished keeps no other")
    func failing() async throws {
        let (station, far, _) = try await proven()
        try station.receive("1.2", 2)
        _ = try await station.drain(far)
        try station.commit("1.2", instances: ["1.2.1.1", "1.2.1.2"])
        station.pass(10)
        for candidate in try station.purge().plan(wish).candidates {
            #expect(throws: ForwardingFailure.self) {
                _ = try station.purge(failing: ["1.1", "1.2"]).carryOut(candidate, wish, by: "t")
            }
        }
        let (gone, failures) = try station.purge(failing: ["1.1"]).finish()
        #expect(gone.map(\.studyInstanceUID) == ["1.2"] && Array(failures.keys) == ["1.1"])
        #expect(try station.purge().finish().gone.map(\.studyInstanceUID) == ["1.1"])
    }
}
