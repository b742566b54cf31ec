// Rules, timetables, rates: values in, values out.

import Encounters
import Forwarding
import Records
import Testing

@Suite("Rules")
struct RuleTests {
    private func traits(_ values: [StudyTraits.Key: [String]]) -> StudyTraits {
        var traits = StudyTraits(studyInstanceUID: "1")
        traits.values = values
        return traits
    }

    @Test(
        "Conditions",
        arguments: [
            ([], nil), (["modality=CT"], nil), (["modality=MR"], "modality=MR"), (["modality=MR,ct"], nil),
            (["modality!=CT"], "modality!=CT"), (["modality!=US"], nil), (["description=*so nao*"], nil),
            (["Modality=CT", "facility=24001"], "facility=24001"), (["bodypart=HEAD"], nil), (["referral=*"], nil),
            (["encounter=E"], "encounter=E"),
        ] as [([String], String?)])
    func conditions(texts: [String], failing: String?) throws {
        let study = traits([
            .modality: ["CT", "SR"], .description: ["CT SỌ NÃO KHÔNG TIÊM"], .bodyPart: ["HEAD"],
            .referral: ["Trần Thị B"], .encounter: [""],
        ])
        #expect(try RouteConditions(texts).failing(study) == failing)
    }

    @Test(
        "What is no condition is refused with the keys that there are",
        arguments: ["CT", "colour=red", "modality=", "=CT"])
    func malformed(text: String) throws {
        #expect(throws: ForwardingFailure.self) { _ = try RouteConditions([text]) }
    }

    @Test("A rule speaks from the next study on, and what it says can be asked without doing it")
    func explain() throws {
        let station = try Station()
        try station.destination()
        try station.route("ct", when: ["modality=CT"])
        try station.route("mr", when: ["modality=MR"]) { $0.priority = "stat" }
        try station.receive("1.1")
        let verdicts = try station.book.explain(study: "1.1")
        #expect(verdicts.map(\.obstacle) == [nil, "the study does not fit modality=MR"])
        #expect(throws: ForwardingFailure.unknown(what: "study")) { _ = try station.book.explain(study: "9") }
        try station.book.remove(route: "ct", by: "t")
        try station.receive("1.2")
        #expect(try station.shipment("1.2") == nil)
        #expect(throws: ForwardingFailure.self) { try station.book.remove(destination: "centre", by: "t") }
    }
}

@Suite("Timetable")
struct TimetableTests {
    @Test("Days, spans over midnight, rates")
    func week() throws {
        let week = try Timetable(["mon-fri 06:00-20:00 2M", "sat,sun 22:00-04:00 stat", "daily 04:00-04:30 closed"])
        #expect(week.allowance(day: 0, minute: 6 * 60) == .rate(250_000))
        #expect(week.allowance(day: 0, minute: 20 * 60) == .all)
        #expect(week.allowance(day: 5, minute: 23 * 60) == .stat)
        #expect(week.allowance(day: 0, minute: 3 * 60) == .stat)
        #expect(week.allowance(day: 1, minute: 3 * 60) == .all)
        #expect(week.allowance(day: 3, minute: 4 * 60) == .closed)
        #expect(try Timetable(["fri-mon 00:00-24:00 512k"]).allowance(day: 6, minute: 0) == .rate(64_000))
        #expect(try Timetable([]).allowance(day: 2, minute: 700) == .all)
    }

    @Test(
        "Nonsense is refused",
        arguments: [
            "mon 06:00-20:00", "noday 06:00-20:00 2M", "mon 25:00-26:00 2M", "mon 06:00-06:00 2M", "mon 6-20 2M",
            "mon 06:00-20:00 fast", "mon 06:00-20:00 -2M", "mon 06:00-20:00 0k", "mon 06:60-20:00 1M",
        ])
    func nonsense(line: String) {
        #expect(throws: ForwardingFailure.self) { _ = try Timetable([line]) }
    }

    @Test("The day of the week is the hospital's")
    func weekday() throws {
        #expect(LocalTime.weekday(try #require(LocalTime.instant("20261122000000"))) == 6)
        #expect(LocalTime.weekday(try #require(LocalTime.instant("20261123235959"))) == 0)
    }
}

@Suite("Pace")
struct PaceTests {
    @Test("Over any time no more goes than the rate and the bucket allow; without a rate nobody waits")
    func bucket() {
        var bucket = TokenBucket(at: 0)
        #expect(bucket.take(1_000_000, at: 0) == 0)
        bucket.set(rate: 250_000, at: 0)
        var (now, sent): (UInt64, Int) = (0, 0)
        while now < 60_000_000_000 {
            let wait = bucket.take(16_384, at: now)
            sent += 16_384
            now += UInt64(max(wait, 1_000))
        }
        let allowed = 250_000 * 60
        #expect(sent <= allowed + 62_500 + 16_384 && sent > allowed * 98 / 100)
        bucket.set(rate: nil, at: now)
        #expect(bucket.take(1 << 30, at: now) == 0)
    }

    @Test("Lanes grow while they gain, shrink when they do not, and never leave their bounds")
    func gauge() {
        var gauge = LaneGauge(most: 8)
        for _ in 0..<50 { gauge.measured(octetsPerSecond: Double(min(gauge.width, 4)) * 100) }
        #expect((3...5).contains(gauge.width))
        gauge.lost()
        #expect(gauge.width <= 2)
        var narrow = LaneGauge(most: 1)
        for rate in 0..<20 { narrow.measured(octetsPerSecond: Double(rate)) }
        #expect(narrow.width == 1)
    }
}

@Suite("Proof")
struct ProofTests {
    private func sent(_ count: Int = 2) async throws -> (Station, FarEnd, ShipmentRecord) {
        let (station, far) = (try Station(), FarEnd())
        try station.destination { $0.commits = true }
        try station.route()
        try station.receive("1.1", count)
        _ = try await station.drain(far)
        return (station, far, try #require(try station.shipment("1.1")))
    }

    private func ask(_ station: Station, _ shipment: ShipmentRecord, _ uid: String) throws {
        try station.encounters.change(by: "t") {
            try $0.records.askReceipt(.commitment, transactionUID: uid, instances: 2, of: shipment.id)
        }
    }

    @Test("A commitment by the one who was asked closes the ledger; by another, or twice, it is nothing")
    func commitment() async throws {
        let (station, _, shipment) = try await sent()
        try ask(station, shipment, "2.25.1")
        let answer = CommitmentAnswer(transactionUID: "2.25.1", held: ["1.1.1.1", "1.1.1.2"], failed: [:])
        #expect(throws: ForwardingFailure.unknown(what: "transaction")) {
            try station.outbox.committed(answer, by: ["stranger"])
        }
        try station.outbox.committed(answer, by: ["CENTRE"])
        let committed = try #require(try station.shipment("1.1"))
        #expect(committed.state == .committed && committed.proof == "storage commitment 2.25.1")
        #expect(throws: ForwardingFailure.self) { try station.outbox.committed(answer, by: ["centre"]) }
        // New images are not proven by it.
        try station.receive("1.1", 1, from: 3)
        #expect(try station.shipment("1.1")?.state == .waiting)
    }

    @Test("What the destination does not hold is sent again")
    func lost() async throws {
        let (station, far, shipment) = try await sent()
        try ask(station, shipment, "2.25.1")
        try station.outbox.committed(
            CommitmentAnswer(transactionUID: "2.25.1", held: ["1.1.1.1"], failed: ["1.1.1.2": 0x0112]), by: ["centre"])
        #expect(try station.shipment("1.1")?.state == .waiting)
        // Not at once: some need their time to find what they were sent.
        #expect(try await station.drain(far) == [])
        station.pass(10)
        #expect(try await station.drain(far) == ["1.1.1.2"])
    }

    @Test("Who never answers is asked less and less often, and leaves few traces")
    func silence() async throws {
        let (station, _, _) = try await sent()
        let centre = try #require(try station.encounters.look { try $0.destination("centre") })
        var waits: [Int64] = []
        for _ in 0..<8 {
            let shipment = try #require(try station.outbox.unproven("centre", limit: 4).first)
            let request = try #require(try station.outbox.ask(.commitment, shipment, of: centre))
            try station.outbox.note(.pending, of: request, chance: 0)
            let now = station.encounters.records.now()
            waits.append(try #require(try station.shipment("1.1")).dueAt - now)
            #expect(try station.outbox.unproven("centre", limit: 4).isEmpty)
            station.pass(waits[waits.count - 1] / 1_000_000 + 1)
        }
        let hours = waits.map { ($0 + 1_800_000_000) / 3_600_000_000 }
        #expect(hours == [1, 2, 4, 8, 16, 24, 24, 24])
        let shipment = try #require(try station.shipment("1.1"))
        let receipts = try station.encounters.look { try $0.receipts(ofShipment: shipment.id) }
        #expect(receipts.count == 4)
        // The last question may still be answered, however late.
        try station.outbox.committed(
            CommitmentAnswer(
                transactionUID: try #require(receipts.first).transactionUID, held: ["1.1.1.1", "1.1.1.2"],
                failed: [:]), by: ["centre"])
        #expect(try station.shipment("1.1")?.state == .committed)
    }

    @Test("Many that are not answered keep no new proof waiting, and the oldest of them has its turn")
    func turns() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination { $0.commits = true }
        try station.route()
        for number in 1...10 {
            try station.receive("1.\(number)")
            _ = try await station.drain(far)
            station.pass(60)
        }
        let due = try station.outbox.unproven("centre", limit: 4).map(\.studyInstanceUID)
        #expect(due == ["1.10", "1.9", "1.8", "1.1"])
        // A centre that is at it is asked again soon, after others.
        let shipment = try #require(try station.shipment("1.10"))
        let centre = try #require(try station.encounters.look { try $0.destination("centre") })
        let request = try #require(try station.outbox.ask(.signature, shipment, of: centre))
        try station.outbox.note(.unfinished, of: request, chance: 0)
        #expect(try station.outbox.unproven("centre", limit: 4).first?.studyInstanceUID == "1.9")
        station.pass(3)
        let again = try #require(try station.outbox.unproven("centre", limit: 4).first)
        #expect(again.studyInstanceUID == "1.10" && again.refusals == 0)
    }

    @Test("The records refuse a purge without proof of everything, and before its time")
    func purge() async throws {
        let (station, _, shipment) = try await sent()
        func purge(_ instances: Int = 2, until: Int64 = 0, study: String = "1.1") throws {
            try station.encounters.change(by: "t") {
                try $0.records.purge(
                    study: study, by: shipment.id, instances: instances, retainedUntil: until, account: "t")
            }
        }
        #expect(throws: EncounterFailure.self) { try purge() }
        try ask(station, shipment, "2.25.1")
        try station.outbox.committed(
            CommitmentAnswer(transactionUID: "2.25.1", held: ["1.1.1.1", "1.1.1.2"], failed: [:]), by: ["centre"])
        #expect(throws: EncounterFailure.self) { try purge(3) }
        #expect(throws: EncounterFailure.self) { try purge(0) }
        #expect(throws: EncounterFailure.self) { try purge(until: .max) }
        #expect(throws: EncounterFailure.self) { try purge(study: "1.2") }
        let everything: NoticeDestination = {
            var destination = NoticeDestination(name: "all")
            destination.isLinkedOnly = false
            return destination
        }()
        var facts = StudyFacts(studyInstanceUID: "1.1")
        facts.modalities = ["CT"]
        let state = StudyState(facts: facts, series: 1, instances: 2)
        try station.encounters.change(by: "t") {
            try NoticeDesk($0.records).tell(everything, study: "1.1", state)
        }
        try purge()
        #expect(try station.encounters.look { try $0.isPurged(study: "1.1") })
        // It is elsewhere: whoever was told of it is not told that it was deleted.
        try station.encounters.change(by: "t") { try NoticeDesk($0.records).tell(everything, study: "1.1", nil) }
        let told = try station.encounters.look { try $0.notices(state: nil, study: "1.1", limit: 10) }
        #expect(try told.map { try $0.studyNotice().status } == [.available])
    }
}
