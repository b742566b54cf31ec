import Catalog
import Portal
import Testing

@Suite("The mailbox of one listener")
struct EventMailboxTests {
    static func change(_ sequence: Int64, kind: Change.Kind = .stored, series: String = "1.2", count: Int = 1) -> Change
    {
        Change(
            sequence: sequence, kind: kind, studyInstanceUID: "1", seriesInstanceUID: series, instances: count,
            at: sequence)
    }

    private func live(_ sequences: ClosedRange<Int64>) -> [LiveChange] {
        sequences.flatMap { LiveChange.joined([Self.change($0)]) }
    }

    @Test("changes of one kind in one series are one, in the order of the last of each") func joined() {
        let joined = LiveChange.joined([
            Self.change(1, count: 3), Self.change(2, series: "1.3"), Self.change(3, count: 4),
            Self.change(4, kind: .erased),
        ])
        #expect(joined.map(\.sequence) == [2, 3, 4])
        #expect(joined.map(\.instances) == [1, 7, 1])
        #expect(joined.map(\.kind) == [.stored, .stored, .erased])
    }

    @Test("everything at once, and nothing twice") func takesAll() async {
        let mailbox = EventMailbox(capacity: 8)
        mailbox.put(live(1...2))
        mailbox.put(live(3...3))
        mailbox.beat()
        let first = await mailbox.next()
        #expect(first.changes.map(\.sequence) == [1, 2, 3] && first.isBeat && first.reset == nil)
        mailbox.put(live(4...4))
        let second = await mailbox.next()
        #expect(second.changes.map(\.sequence) == [4] && !second.isBeat)
    }

    @Test("who waits is woken") func wakes() async {
        let mailbox = EventMailbox(capacity: 8)
        async let delivery = mailbox.next()
        mailbox.put(live(1...1))
        #expect(await delivery.changes.map(\.sequence) == [1])
    }

    @Test("one more than there is room for: nothing but the word to read again, with the last number") func overflows()
        async
    {
        let mailbox = EventMailbox(capacity: 4)
        mailbox.put(live(1...4))
        mailbox.put(live(5...5))
        mailbox.put(live(6...6))
        let delivery = await mailbox.next()
        #expect(delivery.reset == 6 && delivery.changes.isEmpty)
        mailbox.put(live(7...7))
        #expect(await mailbox.next().changes.map(\.sequence) == [7])
    }

    @Test("beats that nobody takes are counted") func beats() async {
        let mailbox = EventMailbox(capacity: 4)
        #expect(mailbox.beat() == 1)
        #expect(mailbox.beat() == 2)
        _ = await mailbox.next()
        #expect(mailbox.beat() == 1)
    }

    @Test("the first reason to end stays, also for who asks again") func ends() async {
        let mailbox = EventMailbox(capacity: 4)
        mailbox.end(.shutdown)
        mailbox.end(.left)
        #expect(await mailbox.next().end == .shutdown)
        #expect(await mailbox.next().end == .shutdown)
    }

    @Test("a cancelled listener does not wait for ever") func cancelled() async {
        let mailbox = EventMailbox(capacity: 4)
        let task = Task { await mailbox.next() }
        task.cancel()
        #expect(await task.value.end == .left)
    }
}
