// Who goes first when senders wait for the writer.

import Dispatch
import Foundation
import Ingest
import Synchronization
import Testing

@Suite struct WaitingLineTests {
    private func line(capacity: Int = 100) -> (WaitingLine<String>, TestClock) {
        let clock = TestClock()
        return (WaitingLine(capacity: capacity, patience: .seconds(1), now: { clock.now }), clock)
    }

    private func put(_ line: WaitingLine<String>, _ names: [String], _ priority: IngestPriority, _ source: String) {
        for name in names { #expect(line.put(name, priority, source: source, timeout: .seconds(1))) }
    }

    @Test func urgentGoesBeforeRoutineBeforeBulk() {
        let (line, _) = line()
        put(line, ["b1"], .bulk, "MIGRATION")
        put(line, ["r1"], .routine, "CT1")
        put(line, ["s1"], .stat, "DX1")
        #expect(line.take { _, _ in true } == ["s1", "r1", "b1"])
    }

    @Test func sourcesOfAClassTakeTurns() {
        let (line, _) = line()
        put(line, ["c1", "c2", "c3", "c4"], .routine, "CT1")
        put(line, ["d1", "d2"], .routine, "DX1")
        put(line, ["u1"], .routine, "US1")
        #expect(line.take { taken, _ in taken < 3 } == ["c1", "d1", "u1"])
        // The turns go on where they stopped.
        put(line, ["u2"], .routine, "US1")
        #expect(line.take { _, _ in true } == ["c2", "d2", "u2", "c3", "c4"])
    }

    @Test func aBatchEndsWhereTheNextDoesNotFit() {
        let (line, _) = line()
        put(line, ["small", "large", "small again"], .routine, "CT1")
        #expect(line.take { _, next in next != "large" } == ["small"])
        #expect(line.take { _, next in next != "large" } == ["large", "small again"], "the first always fits")
    }

    @Test func nothingWaitsForEver() {
        let (line, clock) = line()
        put(line, ["b1", "b2"], .bulk, "MIGRATION")
        clock.advance(milliseconds: 1_500)
        put(line, ["s1", "s2", "s3"], .stat, "DX1")
        #expect(line.take { taken, _ in taken < 2 } == ["b1", "s1"], "one overdue object, then by urgency")
        #expect(line.take { taken, _ in taken < 2 } == ["b2", "s2"])
        #expect(line.take { _, _ in true } == ["s3"])
    }

    @Test func whoHasWaitedLongestIsOverdueFirst() {
        let (line, clock) = line()
        put(line, ["r1"], .routine, "CT1")
        put(line, ["r2"], .routine, "CT2")
        #expect(line.take { taken, _ in taken < 1 } == ["r1"])
        put(line, ["r3"], .routine, "CT1")
        clock.advance(milliseconds: 2_000)
        put(line, ["s1"], .stat, "DX1")
        #expect(line.take { taken, _ in taken < 1 } == ["r2"])
    }

    @Test func aFullClassRefusesAndTheOthersDoNot() {
        let (line, _) = line(capacity: 2)
        put(line, ["b1", "b2"], .bulk, "MIGRATION")
        #expect(!line.put("b3", .bulk, source: "MIGRATION", timeout: .milliseconds(1)))
        put(line, ["s1"], .stat, "DX1")
        #expect(line.count(.bulk) == 2)
        #expect(line.take { taken, _ in taken < 2 } == ["s1", "b1"])
        put(line, ["b3"], .bulk, "MIGRATION")
    }

    @Test func aClosedLineIsEmptiedAndTakesNothing() {
        let (line, _) = line()
        put(line, ["r1", "r2"], .routine, "CT1")
        line.close()
        #expect(!line.put("r3", .routine, source: "CT1", timeout: .milliseconds(1)))
        #expect(line.take { taken, _ in taken < 1 } == ["r1"])
        #expect(line.take { _, _ in true } == ["r2"])
        #expect(line.take { _, _ in true } == nil)
    }

    @Test func manySendersLoseNothing() {
        let line = WaitingLine<Int>(capacity: 8)
        let taken = Taken()
        let ended = DispatchGroup()
        for sender in 0..<8 {
            thread(ended) {
                for number in 0..<500 {
                    let priority = IngestPriority.allCases[number % 3]
                    #expect(line.put(sender * 1_000 + number, priority, source: "S\(sender)", timeout: .seconds(60)))
                }
            }
        }
        thread(ended) {
            var count = 0
            while count < 4_000, let batch = line.take(while: { count, _ in count < 5 }) {
                count += batch.count
                taken.numbers.withLock { $0 += batch }
            }
        }
        ended.wait()
        let all = taken.numbers.withLock { $0 }
        #expect(all.count == 4_000)
        #expect(Set(all).count == 4_000)
    }

    private func thread(_ group: DispatchGroup, _ body: @escaping @Sendable () -> Void) {
        group.enter()
        Thread {
            body()
            group.leave()
        }.start()
    }
}

private final class Taken: Sendable {
    let numbers = Mutex<[Int]>([])
}

/// A clock that stands still until it is told.
private final class TestClock: Sendable {
    private let time = Mutex<UInt64>(1_000_000_000)

    var now: DispatchTime { DispatchTime(uptimeNanoseconds: time.withLock { $0 }) }

    func advance(milliseconds: UInt64) { time.withLock { $0 += milliseconds * 1_000_000 } }
}
