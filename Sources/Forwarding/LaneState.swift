// How wide a destination's line is now, seen by all of its lanes.

import Dispatch
import Synchronization

/// Shared by the lanes of a destination.
final class LaneState: Sendable {
    private struct State {
        var gauge: LaneGauge
        var saidAt: UInt64 = 0
        var lostAt: UInt64 = 0
        /// When a lane last had an object taken, by lane.
        var takenAt: [Int: UInt64] = [:]
        /// Whether a lane had nothing to do since the last measurement.
        var wasIdle = false
    }

    private static let silence: UInt64 = 60_000_000_000

    private let state: Mutex<State>

    init(_ gauge: LaneGauge) { state = Mutex(State(gauge: gauge)) }

    var width: Int { state.withLock { $0.gauge.width } }

    /// A span is over; it says nothing when there was not always something to send.
    func measured(octetsPerSecond rate: Double) {
        state.withLock { state in
            if !state.wasIdle { state.gauge.measured(octetsPerSecond: rate) }
            state.wasIdle = false
        }
    }

    func idle() { state.withLock { $0.wasIdle = true } }

    /// The line was lost: by several lanes at once, that is once.
    func lost() {
        let now = DispatchTime.now().uptimeNanoseconds
        state.withLock { state in
            if state.lostAt == 0 || now > state.lostAt + 1_000_000_000 { state.gauge.lost() }
            state.lostAt = now
        }
    }

    func taken(by lane: Int) {
        let now = DispatchTime.now().uptimeNanoseconds
        state.withLock { $0.takenAt[lane] = now }
    }

    /// Whether another lane had something taken since: then a failure is this lane's, not the line's.
    func othersTook(since: UInt64, but lane: Int) -> Bool {
        state.withLock { state in state.takenAt.contains { $0.key != lane && $0.value >= since } }
    }

    /// Whether a failure is worth a line in the log: one a minute.
    func say() -> Bool {
        let now = DispatchTime.now().uptimeNanoseconds
        return state.withLock { state in
            guard state.saidAt == 0 || now > state.saidAt + Self.silence else { return false }
            state.saidAt = now
            return true
        }
    }
}
