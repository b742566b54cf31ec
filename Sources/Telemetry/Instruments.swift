// The instruments behind swift-metrics: numbers in memory, safe to touch from any thread.

import CoreMetrics
import Synchronization

/// A number that only grows.
final class CounterInstrument: CounterHandler, Sendable {
    private let total = Atomic<Int64>(0)

    var value: Int64 { total.load(ordering: .relaxed) }

    func increment(by amount: Int64) { total.wrappingAdd(amount, ordering: .relaxed) }

    func reset() { total.store(0, ordering: .relaxed) }
}

/// A number that goes up and down.
final class GaugeInstrument: MeterHandler, RecorderHandler, Sendable {
    private let current = Mutex<Double>(0)

    var value: Double { current.withLock { $0 } }

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { current.withLock { $0 = value } }
    func increment(by amount: Double) { current.withLock { $0 += amount } }
    func decrement(by amount: Double) { current.withLock { $0 -= amount } }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
}

/// A distribution in fixed buckets; timers observe seconds, recorders their own unit.
final class HistogramInstrument: TimerHandler, RecorderHandler, Sendable {
    struct Observations {
        var perBucket: [UInt64]
        var sum = 0.0
        var count: UInt64 = 0
    }

    /// Upper bounds, ascending; what is above the last counts only in the total.
    let bounds: [Double]
    private let state: Mutex<Observations>

    static let secondsBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
    static let sizeBounds: [Double] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]

    init(bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(Observations(perBucket: Array(repeating: 0, count: bounds.count)))
    }

    var observations: Observations { state.withLock { $0 } }

    func recordNanoseconds(_ duration: Int64) { observe(Double(duration) / 1e9) }
    func record(_ value: Int64) { observe(Double(value)) }
    func record(_ value: Double) { observe(value) }

    private func observe(_ value: Double) {
        let bucket = bounds.firstIndex { value <= $0 }
        state.withLock {
            if let bucket { $0.perBucket[bucket] += 1 }
            $0.sum += value
            $0.count += 1
        }
    }
}
