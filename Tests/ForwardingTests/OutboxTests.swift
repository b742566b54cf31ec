// The outbox: what goes in, in which order it leaves, and what becomes of it when the line or the other side says no.

import Catalog
import Encounters
import Forwarding
import Records
import Testing

@Suite("Outbox")
struct OutboxTests {
    @Test("A study goes where a rule says, and only what is missing there is sent again")
    func whole() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination()
        try station.route(when: ["modality=CT,MR"])
        try station.receive("1.1", 3)
        try station.receive("1.2", 1, ["Modality": "US"])
        #expect(try station.shipment("1.2") == nil)
        #expect(try await station.drain(far).count == 3)
        #expect(try station.shipment("1.1")?.state == .sent)
        // Looked at again: nothing is missing.
        try station.encounters.change(by: "test") { try $0.records.lookAgain(study: "1.1") }
        try station.follow()
        #expect(try station.shipment("1.1")?.state == .sent)
        try station.receive("1.1", 1, from: 4)
        #expect(try station.shipment("1.1")?.state == .waiting)
        #expect(try await station.drain(far) == ["1.1.1.4"])
        let shipment = try #require(try station.shipment("1.1"))
        #expect(shipment.sentInstances == 4 && shipment.sentOctets == 20_000 && shipment.lineOctets == 20_000)
    }

    @Test("What is urgent overtakes within one object; small before large in a class")
    func order() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination()
        try station.route("bulk", when: ["description=*"]) { $0.priority = "bulk" }
        try station.receive("1.1", 20, ["StudyDescription": "CHEST"])
        try station.receive("1.2", 2, ["StudyDescription": "HEAD"])
        far.before { parcel in
            guard parcel.instance.sopInstanceUID == "1.1.1.5" else { return }
            far.before(nil)
            try? station.receive("1.3", 2, ["StudyDescription": "STROKE"])
            _ = try? station.outbox.send(study: "1.3", to: "centre", priority: .stat, by: "doctor")
        }
        let order = try await station.drain(far)
        #expect(order.count == 24 && Set(order).count == 24)
        #expect(order.prefix(2).allSatisfy { $0.hasPrefix("1.2.") })
        let place = try #require(order.firstIndex(of: "1.1.1.5"))
        #expect(order[place + 1].hasPrefix("1.3.") && order[place + 2].hasPrefix("1.3."))
    }

    @Test("Of a series the first and the middle image go before the rest")
    func glance() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination()
        try station.route()
        try station.receive("1.1", 9)
        #expect(try await station.drain(far).prefix(3) == ["1.1.1.1", "1.1.1.5", "1.1.1.2"])
    }

    @Test("A line that is away closes for longer every time, without a limit of age, and opens by itself")
    func away() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination()
        try station.route()
        try station.receive("1.1", 2)
        far.setAway(true)
        for _ in 0..<40 {
            try await station.drain(far)
            station.pass(900)
        }
        let line = try #require(try station.encounters.look { try $0.destination("centre") })
        #expect(line.failures == 40 && line.reason == "away")
        let why = try station.outbox.explain(study: "1.1")
        #expect(why.count == 1 && why[0].contains("nothing gets through since 2026-11-22 09:00 (away)"))
        far.setAway(false)
        station.pass(900)
        #expect(try await station.drain(far).count == 2)
        #expect(try station.encounters.look { try $0.destination("centre") }?.failures == 0)
    }

    @Test("Who refuses one object gets the others; that one is tried again later")
    func refused() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination()
        try station.route()
        try station.receive("1.1", 4)
        far.answer("1.1.1.2", .refused("A900H"))
        #expect(try await station.drain(far).count == 3)
        let shipment = try #require(try station.shipment("1.1"))
        #expect(shipment.state == .waiting && shipment.answer == "1 not taken: A900H")
        #expect(try await station.drain(far) == [])
        station.pass(10)
        #expect(try await station.drain(far) == [])
        #expect(try station.encounters.look { try $0.unshipped(shipment.id) }.map(\.refusals) == [2])
        far.answer("1.1.1.2", nil)
        try station.outbox.retry(shipment.id, by: "technician")
        #expect(try await station.drain(far) == ["1.1.1.2"])
        #expect(try station.shipment("1.1")?.state == .sent)
    }

    @Test("Held, dropped and paused by a person, and let go again")
    func byHand() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination()
        try station.route()
        try station.receive("1.1", 2)
        try station.receive("1.2", 1)
        let first = try #require(try station.shipment("1.1"))
        try station.outbox.hold(first.id, true, by: "technician")
        #expect(try await station.drain(far) == ["1.2.1.1"])
        #expect(try station.outbox.explain(study: "1.1") == ["centre: waiting, 0 of 2 sent: held by a person"])
        try station.outbox.hold(first.id, false, by: "technician")
        try station.outbox.pause(destination: "centre", true, by: "technician")
        #expect(try await station.drain(far) == [])
        try station.outbox.pause(destination: "centre", false, by: "technician")
        try station.outbox.drop(first.id, reason: "test images", by: "technician")
        try station.receive("1.1", 1, from: 3)
        #expect(try await station.drain(far) == [])
        #expect(try station.shipment("1.1")?.state == .dropped)
        _ = try station.outbox.send(study: "1.1", to: "centre", by: "doctor")
        #expect(try await station.drain(far).count == 3)
    }

    @Test("The first place in line, and another priority")
    func reorder() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination()
        try station.route()
        for study in ["1.1", "1.2", "1.3"] { try station.receive(study) }
        try station.outbox.reorder(try #require(try station.shipment("1.3")).id, isFirst: true, by: "t")
        station.pass(2)
        try station.outbox.reorder(try #require(try station.shipment("1.2")).id, isFirst: true, by: "t")
        #expect(try await station.drain(far) == ["1.2.1.1", "1.3.1.1", "1.1.1.1"])
    }

    @Test("Without a legal basis nothing leaves where one is needed; nor outside the contract, even what waited")
    func permission() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination {
            $0.needsLegalBasis = true
            $0.contractUntil = "20261130"
        }
        try station.route()
        try station.receive("1.1")
        let refused = try #require(try station.shipment("1.1"))
        #expect(refused.state == .refused)
        #expect(try station.outbox.explain(study: "1.1")[0].contains("no legal basis is given"))
        #expect(throws: ForwardingFailure.self) {
            _ = try station.outbox.send(study: "1.1", to: "centre", by: "doctor")
        }
        let sent = try station.outbox.send(study: "1.1", to: "centre", legalBasis: "referral", by: "doctor")
        #expect(sent.state == .waiting && sent.legalBasis == "referral")
        station.pass(9 * 86_400)
        #expect(try await station.drain(far) == [])
        #expect(try station.outbox.explain(study: "1.1")[0].contains("ended on 20261130"))
        try station.destination {
            $0.needsLegalBasis = true
            $0.contractUntil = "20271130"
        }
        try station.outbox.retry(sent.id, by: "technician")
        #expect(try await station.drain(far).count == 1)
    }

    @Test("What the other side holds byte for byte goes over no line")
    func held() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination { ($0.way, $0.url) = (.phim, "https://centre") }
        try station.route()
        try station.receive("1.1", 3)
        far.hold(["1.1.1.1", "1.1.1.3"])
        #expect(try await station.drain(far) == ["1.1.1.2"])
        let shipment = try #require(try station.shipment("1.1"))
        #expect(shipment.state == .sent && shipment.sentInstances == 3 && shipment.lineOctets == 5_000)
    }

    @Test("A study that is deleted before it left is withdrawn; other bytes under a known UID are sent")
    func changed() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination()
        try station.route()
        try station.receive("1.1", 2)
        _ = try await station.drain(far)
        try station.encounters.change(by: "t") { desk in
            let shipment = try #require(try desk.records.shipment(destination: "centre", study: "1.1"))
            try desk.records.forgetShipped(["1.1.1.2"], of: shipment.id)
            try desk.records.noteShipped(
                "1.1.1.2", digest: [9], revision: 0, octets: 1, lineOctets: 0, isExact: true, of: shipment.id)
            try desk.records.markForwarding(study: "1.1")
        }
        try station.follow()
        #expect(try await station.drain(far) == ["1.1.1.2"])
        try station.receive("1.2")
        _ = try station.catalog.beginErasure(Scope(studyUIDs: ["1.2"]))
        try station.follow()
        #expect(try station.shipment("1.2")?.state == .withdrawn)
    }

    @Test("What came from elsewhere is not sent on by rule")
    func external() throws {
        let station = try Station()
        try station.destination()
        try station.route()
        try station.encounters.change(by: "t") { try $0.records.markExternal(study: "1.1", source: "centre") }
        try station.receive("1.1")
        #expect(try station.shipment("1.1") == nil)
        #expect(try station.outbox.explain(study: "1.1").last == "it came from centre: rules do not send it on")
    }
}

@Suite("Seven days without a line")
struct StormTests {
    @Test("Three times the usual volume waits, nothing is lost, what is urgent goes first")
    func week() async throws {
        let (station, far) = (try Station(), FarEnd())
        far.setAway(true)
        try station.destination()
        try station.route()
        var expected: Set<String> = []
        for day in 0..<7 {
            for number in 0..<60 {
                let study = "1.\(day + 1).\(number + 1)"
                try station.receive(study, 2)
                expected.formUnion(["\(study).1.1", "\(study).1.2"])
                station.pass(86_400 / 60)
                if number % 10 == 0 { #expect(try await station.drain(far) == []) }
            }
        }
        _ = try station.outbox.send(study: "1.7.60", to: "centre", priority: .stat, by: "doctor")
        let backlog = try station.encounters.look { try $0.outboxBacklog() }
        #expect(backlog.map(\.studies).reduce(0, +) == 420 && backlog.map(\.instances).reduce(0, +) == 840)
        far.setAway(false)
        station.pass(900)
        let arrived = try await station.drain(far)
        #expect(arrived.prefix(2) == ["1.7.60.1.1", "1.7.60.1.2"])
        #expect(arrived.count == 840 && Set(arrived) == expected)
    }
}

@Suite("What is said anew of a shipment")
struct ShipmentChangeTests {
    private var anonymous: ShipmentTransform {
        var transform = ShipmentTransform()
        transform.deidentification = "basic"
        return transform
    }

    @Test("What a person asked for, de-identified, is never sent otherwise by a rule or a second wish")
    func deidentified() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination()
        try station.receive("1.1", 2)
        _ = try station.outbox.send(
            study: "1.1", to: "centre", legalBasis: "teaching", transform: anonymous, by: "doctor")
        try station.route { $0.legalBasis = "referral" }
        try station.receive("1.1", 1, from: 3)
        _ = try station.outbox.send(study: "1.1", to: "centre", priority: .stat, by: "doctor")
        let shipment = try #require(try station.shipment("1.1"))
        #expect(shipment.transform == anonymous && shipment.legalBasis == "teaching" && shipment.priority == .stat)
        try station.receive("1.2", 2)
        _ = try await station.drain(far)
        #expect(throws: ForwardingFailure.self) {
            _ = try station.outbox.send(study: "1.2", to: "centre", transform: anonymous, by: "doctor")
        }
        var unknown = anonymous
        unknown.deidentification = "somewhat"
        #expect(throws: ForwardingFailure.self) {
            _ = try station.outbox.send(study: "1.2", to: "centre", transform: unknown, by: "doctor")
        }
    }

    @Test("A rule that refuses does not stop what a person sends on a ground of its own")
    func ownGround() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination { $0.needsLegalBasis = true }
        try station.receive("1.1", 1)
        _ = try station.outbox.send(study: "1.1", to: "centre", legalBasis: "referral", by: "doctor")
        try station.route()
        try station.receive("1.1", 1, from: 2)
        #expect(try await station.drain(far).count == 2)
        // What the rule refused is looked at again once the rule has a ground.
        try station.receive("1.2")
        #expect(try station.shipment("1.2")?.state == .refused)
        try station.route { $0.legalBasis = "referral" }
        try station.follow()
        #expect(try station.shipment("1.2")?.state == .waiting)
    }

    @Test("A rule that is gone sends nothing more of what it began")
    func ruleGone() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination()
        try station.route()
        try station.receive("1.1", 1)
        #expect(try await station.drain(far).count == 1)
        try station.book.remove(route: "all", by: "t")
        try station.receive("1.1", 1, from: 2)
        #expect(try await station.drain(far) == [])
    }

    @Test("What is said of a study otherwise is sent again; a question for proof that came before proves nothing of it")
    func corrected() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination { $0.commits = true }
        try station.route()
        try station.receive("1.1", 2)
        _ = try await station.drain(far)
        let shipment = try #require(try station.shipment("1.1"))
        try station.encounters.change(by: "t") {
            try $0.records.askReceipt(.commitment, transactionUID: "2.25.1", instances: 2, of: shipment.id)
        }
        try station.correct("1.1")
        #expect(try station.shipment("1.1")?.state == .waiting)
        #expect(try await station.drain(far).count == 2)
        try station.outbox.committed(
            CommitmentAnswer(transactionUID: "2.25.1", held: ["1.1.1.1", "1.1.1.2"], failed: [:]), by: ["centre"])
        #expect(try station.shipment("1.1")?.state == .sent)
        #expect(try station.encounters.look { try $0.proven(shipment.id).committed } == 0)
    }

    @Test("One object that breaks the line again and again lets the others go before it")
    func poison() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination()
        try station.route()
        try station.receive("1.1", 3)
        far.answer("1.1.1.1", .failed("HTTP 500"))
        for _ in 0..<6 {
            _ = try? await station.drain(far)
            station.pass(60)
        }
        #expect(Set(far.taken) == ["1.1.1.2", "1.1.1.3"])
        #expect(try station.outbox.explain(study: "1.1")[0].contains("HTTP 500"))
    }

    @Test("A wait that a wrong clock wrote does not outlive it")
    func clock() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination()
        try station.route()
        try station.receive("1.1")
        let shipment = try #require(try station.shipment("1.1"))
        try station.encounters.change(by: "t") {
            try $0.records.postponeShipment(
                shipment.id, until: $0.records.now + 10 * 366 * 86_400_000_000, answer: "", isRefused: false)
        }
        #expect(try await station.drain(far) == [])
        try station.outbox.begin()
        #expect(try await station.drain(far).count == 1)
    }
}
