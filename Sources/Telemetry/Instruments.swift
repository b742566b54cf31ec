// The instruments behind swift-metrics: numbers in memory, touched from any thread without a lock.

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
    private let current = Atomic<Double>(0)

    var value: Double { current.load(ordering: .relaxed) }

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { current.store(value, ordering: .relaxed) }
    func increment(by amount: Double) { current.add(amount) }
    func decrement(by amount: Double) { current.add(-amount) }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
}

/// A distribution in fixed buckets; timers observe seconds, recorders their own unit.
final class HistogramInstrument: TimerHandler, RecorderHandler, Sendable {
    /// Upper bounds, ascending.
    let bounds: [Double]
    /// One for each bound and one for what is above the last.
    private let buckets: [CounterInstrument]
    private let total = Atomic<Double>(0)

    /// 0.1 ms to 10 s, six steps to a decade: a percentile is read off to within some tens of percent.
    static let secondsBounds = [
        0.0001, 0.00015, 0.0002, 0.0003, 0.0005, 0.0007,
        0.001, 0.0015, 0.002, 0.003, 0.005, 0.007,
        0.01, 0.015, 0.02, 0.03, 0.05, 0.07,
        0.1, 0.15, 0.2, 0.3, 0.5, 0.7,
        1, 1.5, 2, 3, 5, 7,
        10,
    ]
    static let sizeBounds: [Double] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]

    init(bounds: [Double]) {
        self.bounds = bounds
        buckets = (0...bounds.count).map { _ in CounterInstrument() }
    }

    /// Observations per bucket, not yet added up; the last is above all bounds.
    var counts: [Int64] { buckets.map(\.value) }
    var sum: Double { total.load(ordering: .relaxed) }

    func recordNanoseconds(_ duration: Int64) { observe(Double(duration) / 1e9) }
    func record(_ value: Int64) { observe(Double(value)) }
    func record(_ value: Double) { observe(value) }

    private func observe(_ value: Double) {
        buckets[bucket(of: value)].increment(by: 1)
        total.add(value)
    }

    /// The first bucket whose bound is not below the value.
    private func bucket(of value: Double) -> Int {
        var (low, high) = (0, bounds.count)
        while low < high {
            let middle = (low + high) / 2
            if bounds[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension Atomic where Value == Double {
    fileprivate func add(_ amount: Double) {
        var seen = load(ordering: .relaxed)
        while true {
            let (isDone, found) = weakCompareExchange(expected: seen, desired: seen + amount, ordering: .relaxed)
            if isDone { return }
            seen = found
        }
    }
}
