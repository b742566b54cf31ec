import Access
import Portal
import Testing

@Suite("The follower of the change feed")
struct EventFeedTests {
    private func join(
        _ feed: EventFeed, _ studies: StudyScope, account: String = "a", after: Int64? = nil
    ) async throws -> EventFeed.Place {
        try await feed.join(studies: studies, account: account, after: after, cut: {})
    }

    @Test("each hears of its studies, from the moment it listens") func fanOut() async throws {
        let bench = try ViewerBench()
        let feed = bench.feed()
        try bench.store("1.1", series: "1.1.1", numbers: 1...2)
        let one = try await join(feed, .only(["1.1"]))
        let all = try await join(feed, .all)
        #expect(one.missed.isEmpty && !one.mustReset)
        try bench.store("1.1", series: "1.1.1", numbers: 3...5)
        try bench.store("1.2", series: "1.2.1", numbers: 1...1)
        await feed.look()
        #expect(await one.mailbox.next().changes.map(\.instances) == [3])
        #expect(await all.mailbox.next().changes.map(\.studyInstanceUID) == ["1.1", "1.2"])
    }

    @Test("who comes back is told what it missed; who was away too long reads again") func resume() async throws {
        let bench = try ViewerBench()
        var limits = EventFeed.Limits()
        limits.resumable = 2
        let feed = bench.feed(limits)
        let first = try await join(feed, .only(["1.1"]))
        await feed.leave(first.number)
        try bench.store("1.1", series: "1.1.1", numbers: 1...2)
        try bench.store("1.2", series: "1.2.1", numbers: 1...1)
        let second = try await join(feed, .only(["1.1"]), after: first.sequence)
        #expect(second.missed.map(\.instances) == [2] && !second.mustReset)
        #expect(try await feed.past(of: .only(["1.1"]), after: first.sequence).missed == second.missed)
        for number in 3...5 { try bench.store("1.1", series: "1.1.1", numbers: number...number) }
        await feed.look()
        #expect(try await join(feed, .only(["1.1"]), after: first.sequence).mustReset)
        // A number of another catalogue.
        #expect(try await join(feed, .only(["1.1"]), after: 1_000_000).mustReset)
    }

    @Test("listeners are bounded, in all and of one account; places come back") func bounded() async throws {
        let bench = try ViewerBench()
        var limits = EventFeed.Limits()
        limits.listeners = 3
        limits.perAccount = 2
        let feed = bench.feed(limits)
        let first = try await join(feed, .all)
        _ = try await join(feed, .all)
        await #expect(throws: EventFeed.Refusal.full) { try await join(feed, .all) }
        _ = try await join(feed, .all, account: "b")
        await #expect(throws: EventFeed.Refusal.full) { try await join(feed, .all, account: "c") }
        await feed.leave(first.number)
        _ = try await join(feed, .all, account: "c")
        #expect(await feed.count == 3)
    }

    @Test("a slow listener is told to read again, and others hear everything") func slow() async throws {
        let bench = try ViewerBench()
        var limits = EventFeed.Limits()
        limits.waiting = 2
        let feed = bench.feed(limits)
        let slow = try await join(feed, .all)
        let quick = try await join(feed, .all)
        var heard = 0
        for number in 1...5 {
            try bench.store("1.1", series: "1.1.1", numbers: number...number)
            await feed.look()
            heard += await quick.mailbox.next().changes.count
        }
        #expect(heard == 5)
        let late = await slow.mailbox.next()
        #expect(late.reset != nil && late.changes.isEmpty)
    }

    @Test("who takes nothing for some beats is cut off") func stuck() async throws {
        let bench = try ViewerBench()
        let feed = bench.feed()
        let place = try await join(feed, .all)
        for _ in 0..<4 { await feed.beat() }
        #expect(await feed.count == 1)
        await feed.beat()
        #expect(await feed.count == 0)
        #expect(await place.mailbox.next().end == .stuck)
    }

    @Test("listeners end with the service") func ends() async throws {
        let bench = try ViewerBench()
        let feed = bench.feed()
        let running = Task { try await feed.run() }
        let place = try await join(feed, .all)
        running.cancel()
        while await place.mailbox.next().end == nil {}
        #expect(await place.mailbox.next().end == .shutdown)
        try await running.value
        await #expect(throws: EventFeed.Refusal.unavailable) { try await join(feed, .all) }
    }

    @Test("the service hears by itself of what others commit") func follows() async throws {
        let bench = try ViewerBench()
        let feed = bench.feed()
        let running = Task { try await feed.run() }
        let place = try await join(feed, .only(["1.1"]))
        try bench.store("1.1", series: "1.1.1", numbers: 1...4)
        #expect(await place.mailbox.next().changes.map(\.instances) == [4])
        running.cancel()
        try await running.value
    }
}
