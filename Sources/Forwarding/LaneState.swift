// How wide a destination's line is now, seen by all of its lanes.

import Dispatch
import Synchronization

/// Shared by the lanes of a destination.
final class LaneState: Sendable {
    private struct State {
        var gauge: LaneGauge
        var saidAt: UInt64 = 0
    }

    private static let silence: UInt64 = 60_000_000_000

    private let state: Mutex<State>

    init(_ gauge: LaneGauge) { state = Mutex(State(gauge: gauge)) }

    var width: Int { state.withLock { $0.gauge.width } }

    func measured(octetsPerSecond rate: Double) { state.withLock { $0.gauge.measured(octetsPerSecond: rate) } }

    func lost() { state.withLock { $0.gauge.lost() } }

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
