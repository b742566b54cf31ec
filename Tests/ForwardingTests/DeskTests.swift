// What people are told of the outbox: how much waits, how fast it goes, when it will have gone, the way of a study.

import Encounters
import Forwarding
import Records
import Testing

@Suite("What is told of the outbox")
struct DeskTests {
    /// Sunday, 22 November 2026, 09:00.
    private let sunday = LocalTime.instant("20261122090000") ?? 0

    private func pace(octets: Int64, seconds: Int64) async throws -> LinePaceRecord {
        let (station, far) = (try Station(), FarEnd())
        try station.destination()
        try station.route()
        try station.receive("1.1", 1, octets: octets)
        _ = try await station.drain(far)
        station.pass(seconds)
        return try #require(try station.encounters.look { try $0.linePace("centre") })
    }

    @Test("The rate is that of the spans in which something went, and is forgotten after its minutes")
    func rate() async throws {
        let pace = try await pace(octets: 100_000, seconds: 60)
        #expect(pace.seconds == 10 && pace.rate == 10_000 && pace.lineShare == 1)
        let (station, far) = (try Station(), FarEnd())
        try station.destination()
        try station.route()
        try station.receive("1.1", 2)
        _ = try await station.drain(far)
        station.pass(601)
        #expect(try station.encounters.look { try $0.linePace("centre") } == nil)
    }

    @Test("An end is reckoned from the rate and the week; closed hours and hours for urgent ones count for nothing")
    func finish() async throws {
        let pace = try await pace(octets: 100_000, seconds: 60)
        func finish(_ octets: Int64, _ lines: [String], _ pace: LinePaceRecord?) throws -> String? {
            OutboxForecast.finish(octets: octets, from: sunday, pace: pace, timetable: try Timetable(lines))
                .map { String(LocalTime.text($0).suffix(6)) }
        }
        // 10,000 octets a second: an hour is 36 MB.
        #expect(try finish(36_000_000, [], pace) == "100000")
        #expect(try finish(0, [], nil) == "090000")
        #expect(try finish(1, [], nil) == nil)
        #expect(try finish(36_000_000, ["daily 09:00-11:00 closed", "daily 11:00-12:00 stat"], pace) == "130000")
        // 40k bits are 5,000 octets a second: slower than the line.
        #expect(try finish(36_000_000, ["daily 09:00-10:00 40k"], pace) == "103000")
        // Nothing went yet, but the timetable says what may.
        #expect(try finish(18_000_000, ["daily 00:00-24:00 40k"], nil) == "100000")
        #expect(try finish(1 << 50, [], pace) == nil)
        #expect(try finish(1, ["daily 00:00-24:00 closed"], pace) == nil)
    }

    @Test(
        "What the timetable allows is written as it is read",
        arguments: ["2M", "512k", "1.5M", "all", "stat", "closed"])
    func words(rate: String) throws {
        let week = try Timetable(["daily 00:00-24:00 \(rate)"])
        #expect(OutboxForecast.allowance(week, at: sunday).word == rate)
    }

    @Test("The backlog names every destination, also one that was removed while something waited")
    func backlog() async throws {
        let station = try Station()
        try station.destination()
        try station.destination("other") { $0.timetable = ["daily 00:00-24:00 closed"] }
        try station.route()
        try station.receive("1.1", 3)
        try station.receive("1.2", 1)
        let shipment = try #require(try station.shipment("1.2"))
        try station.outbox.reorder(shipment.id, priority: .stat, by: "t")
        station.pass(3_600)
        let backlog = try station.outbox.backlog()
        #expect(backlog.map(\.destination) == ["centre", "other"])
        let centre = backlog[0]
        #expect((centre.studies, centre.instances, centre.bytes) == (2, 4, 20_000))
        #expect(centre.classes.map(\.priority) == ["stat", "normal"] && centre.classes.map(\.instances) == [1, 3])
        #expect(centre.oldestSeconds == 3_601 && centre.oldest == "20261122090001" && centre.finishAt == nil)
        #expect(backlog[1].line?.state == .closed && backlog[1].studies == 0)
        try station.book.remove(route: "all", by: "t")
        try station.book.remove(destination: "centre", by: "t")
        let left = try station.outbox.backlog()
        #expect(left.map(\.destination) == ["other", "centre"] && left[1].line == nil && left[1].studies == 2)
    }

    @Test("The ledger tells queued, sent and proven in order; listeners hear of the last two")
    func ledger() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination { $0.commits = true }
        try station.route()
        let before = try station.outbox.feed.news(after: nil)
        try station.receive("1.1", 2)
        _ = try await station.drain(far)
        try station.commit("1.1", instances: ["1.1.1.1", "1.1.1.2"])
        let ledger = try station.outbox.ledger(study: "1.1")
        #expect(ledger.entries.map { $0.events.map(\.what) } == [["queued", "sent", "committed"]])
        #expect(ledger.entries[0].receipts.map(\.failed) == [0])
        #expect(ledger.lines.count == 1 && ledger.lines[0].hasPrefix("centre: committed, 2 of 2 sent, proven"))
        let news = try station.outbox.feed.news(after: before.last)
        #expect(
            news.events.map(\.state) == [.sent, .committed] && news.events.allSatisfy { $0.studyInstanceUID == "1.1" })
        #expect(try station.outbox.feed.news(after: news.last).events.isEmpty)
        #expect(throws: ForwardingFailure.unknown(what: "study")) { _ = try station.outbox.ledger(study: "9.9") }
    }

    @Test("A rule is tried on what came of late, and does nothing")
    func trial() throws {
        let station = try Station()
        try station.receive("1.1", 3, ["StudyDate": "20261120"])
        try station.receive("1.2", 1, ["StudyDate": "20261121", "Modality": "US"])
        try station.receive("1.3", 1, ["StudyDate": "20200101"])
        let trial = try station.book.trial(of: ["modality=CT"], days: 30)
        #expect((trial.looked, trial.studies, trial.instances, trial.bytes) == (2, 1, 3, 15_000))
        #expect(trial.byModality == ["CT": 1] && trial.keptOut == ["modality=CT": 1] && !trial.isCut)
        let cut = try station.book.trial(of: [], days: 30, limit: 1)
        #expect(cut.isCut && cut.looked == 1)
        #expect(throws: ForwardingFailure.self) { _ = try station.book.trial(of: ["colour=red"], days: 30) }
        #expect(try station.outbox.backlog().isEmpty)
    }
}

@Suite("Destinations and rules of the configuration file")
struct DeclaredTests {
    private func destination(_ name: String) -> DeclaredDestination {
        var settings = DestinationSettings()
        settings.way = .phim
        settings.url = "https://\(name).example.org"
        return DeclaredDestination(name: name, settings: settings)
    }

    private func route(_ name: String, to destination: String) -> DeclaredRoute {
        DeclaredRoute(name: name, destination: destination, settings: RouteSettings(), isOn: true)
    }

    @Test("What the file says is made so; what it says no more goes; what a person made stays")
    func declare() throws {
        let station = try Station()
        try station.destination("own")
        try station.route("mine", to: "own")
        try station.book.declare([destination("a"), destination("b")], [route("r1", to: "a"), route("r2", to: "own")])
        #expect(try station.book.destinations().map(\.name) == ["a", "b", "own"])
        #expect(try station.book.routes().filter(\.isFromFile).map(\.name).sorted() == ["r1", "r2"])
        #expect(throws: ForwardingFailure.self) { try station.book.demandOwn(destination: "A") }
        try station.book.demandOwn(destination: "own")
        // What was learnt of a destination stays.
        try station.encounters.change(by: "t") { desk in
            var known = destination("a").settings
            known.receiptKey = "key"
            try desk.records.putDestination("a", known)
        }
        try station.book.declare([destination("a")], [route("r1", to: "a")])
        #expect(try station.book.destinations().map(\.name) == ["a", "own"])
        #expect(try station.book.destination("a").settings.receiptKey == "key")
        #expect(try station.book.routes().map(\.name).sorted() == ["mine", "r1"])
        // A person's rule leads to what the file does not name any more.
        try station.route("keeps", to: "a")
        try station.book.declare([], [])
        #expect(try station.book.destinations().map(\.isFromFile) == [false, false])
    }

    @Test("The key of receipts is forgotten where another archive is meant, or on purpose; not by another change")
    func receiptKey() throws {
        let station = try Station()
        func key() throws -> String { try station.book.destination("a").settings.receiptKey }
        func learn() throws { try station.book.change(destination: "A", by: "t") { $0.receiptKey = "key" } }
        try station.book.declare([destination("a")], [])
        try learn()
        try station.book.declare([destination("a")], [])
        try station.book.change(destination: "a", by: "t") { $0.lanes = 3 }
        #expect(try key() == "key")
        try station.book.forgetReceiptKey(destination: "A", by: "t")
        #expect(try key() == "" && station.book.destinations().map(\.isFromFile) == [true])
        try learn()
        var moved = destination("b").settings
        moved.lanes = 3
        try station.book.declare([DeclaredDestination(name: "a", settings: moved)], [])
        #expect(try key() == "")
        #expect(throws: ForwardingFailure.unknown(what: "destination")) {
            try station.book.forgetReceiptKey(destination: "nobody", by: "t")
        }
        #expect(throws: ForwardingFailure.invalid(field: "lanes", reason: "1 to 16")) {
            try station.book.change(destination: "a", by: "t") { $0.lanes = 99 }
        }
    }

    @Test("All or nothing: a rule that leads nowhere leaves everything as it was")
    func nowhere() throws {
        let station = try Station()
        #expect(throws: ForwardingFailure.self) {
            try station.book.declare([destination("a")], [route("r1", to: "nobody")])
        }
        #expect(try station.book.destinations().isEmpty)
    }

    @Test("A rule may name a peer: a destination of its name is made, once")
    func peer() throws {
        let station = try Station()
        #expect(try station.book.makeDestination(named: "PACS", of: ["ct1", "pacs"], by: "t"))
        #expect(try station.book.destination("pacs").settings.peer == "pacs")
        #expect(try !station.book.makeDestination(named: "pacs", of: ["pacs"], by: "t"))
        #expect(try !station.book.makeDestination(named: "nobody", of: ["pacs"], by: "t"))
    }
}
