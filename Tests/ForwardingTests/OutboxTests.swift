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
                "1.1.1.2", digest: [9], octets: 1, lineOctets: 0, of: shipment.id)
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
