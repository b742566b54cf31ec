// How one operation is measured: in allocations, in writes, and in processor time against a yardstick.

import Benchmark
import CAllocations
import Glibc

extension BenchmarkMetric {
    /// Blocks of memory asked for, on all threads.
    static let allocations = custom("allocations", polarity: .prefersSmaller, useScalingFactor: false)
    /// Bytes of memory asked for, on all threads.
    static let allocatedBytes = custom("allocatedBytes", polarity: .prefersSmaller, useScalingFactor: false)
    /// Processor time, user and system, on all threads, in thousandths of one run of `Yardstick` at that moment. The least
    /// of the runs so far: others on the machine only ever add to it.
    static let cost = custom("cost", polarity: .prefersSmaller, useScalingFactor: false)
}

/// How far from its threshold a metric may be; README.md says why.
private func tolerances(writes: Bool) -> [BenchmarkMetric: BenchmarkThresholds] {
    [
        .wallClock: BenchmarkThresholds(),
        .allocations: BenchmarkThresholds(relative: [.p90: 5]),
        .allocatedBytes: BenchmarkThresholds(relative: [.p90: 10]),
        .writeSyscalls: BenchmarkThresholds(relative: [.p90: 10]),
        .writeBytesLogical: BenchmarkThresholds(relative: [.p90: 10]),
        .cost: BenchmarkThresholds(relative: [.p90: writes ? 300 : 100]),
    ]
}

/// Holds what a benchmark works on between its set-up and its end, and the least that a run has cost so far.
private final class Holder<Bench> {
    var bench: Bench?
    var leastCost = Int.max
}

/// Registers one benchmark.
/// - Parameters:
///   - name: fit for a file name, since its thresholds are kept in one.
///   - iterations: how often the operation runs. Never as often as time allows: what a store does in one run depends on
///     how many went before.
///   - writes: whether the writes to files are measured.
///   - setUp: what the operation works on, made once and dropped at the end.
///   - prepare: what one run of the operation takes; not measured. Called with the number of the run.
///   - operation: what is measured.
func micro<Bench, Input>(
    _ name: String, iterations: Int = 200, writes: Bool = false, setUp: @escaping () throws -> Bench,
    prepare: @escaping (Bench, Int) throws -> Input, operation: @escaping (Bench, Input) throws -> Void
) {
    let holder = Holder<Bench>()
    var metrics: [BenchmarkMetric] = [.wallClock, .cost, .allocations, .allocatedBytes]
    if writes { metrics += [.writeSyscalls, .writeBytesLogical] }
    let configuration = Benchmark.Configuration(
        metrics: metrics, warmupIterations: 3, maxDuration: .seconds(120), maxIterations: iterations,
        thresholds: tolerances(writes: writes).filter { metrics.contains($0.key) })
    Benchmark(
        name, configuration: configuration,
        closure: { (benchmark: Benchmark) in
            do {
                guard let bench = holder.bench else { return benchmark.error("\(name) was not set up") }
                let input = try prepare(bench, benchmark.currentIteration)
                let unit = Yardstick.processorTime()
                benchmark.startMeasurement()
                let before = Usage.now()
                try operation(bench, input)
                let after = Usage.now()
                benchmark.stopMeasurement()
                let cost = (after.processorTime - before.processorTime) * 1000 / unit
                holder.leastCost = min(holder.leastCost, cost)
                benchmark.measurement(.cost, holder.leastCost)
                benchmark.measurement(.allocations, after.allocations - before.allocations)
                benchmark.measurement(.allocatedBytes, after.allocatedBytes - before.allocatedBytes)
            } catch {
                benchmark.error("\(name): \(error)")
            }
        },
        setup: { holder.bench = try setUp() },
        teardown: { holder.bench = nil })
}

/// Registers a benchmark whose operation needs nothing new for each run.
func micro<Bench>(
    _ name: String, iterations: Int = 200, setUp: @escaping () throws -> Bench,
    operation: @escaping (Bench) throws -> Void
) {
    micro(
        name, iterations: iterations, setUp: setUp, prepare: { _, _ in },
        operation: { bench, _ in
            try operation(bench)
        })
}

/// What the process has used so far, on all threads.
private struct Usage {
    /// Nanoseconds of processor time, user and system.
    let processorTime: Int
    let allocations: Int
    let allocatedBytes: Int

    static func now() -> Usage {
        var time = timespec()
        unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Usage(
            processorTime: time.tv_sec * 1_000_000_000 + time.tv_nsec, allocations: Int(allocation_count()),
            allocatedBytes: Int(allocated_bytes()))
    }
}

/// A piece of work that takes about as many cycles on one processor as on another: a chain of multiplications, each waiting
/// for the one before (FNV-1a over 32 KiB). What is measured in it tells how the code changed, not which machine it is.
private enum Yardstick {
    private static let bytes = (0..<32 << 10).map { UInt8(truncatingIfNeeded: $0 &* 131) }

    /// Nanoseconds that it takes now; the best of three, so that an interruption does not count.
    static func processorTime() -> Int {
        var best = Int.max
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for _ in 0..<3 {
            let before = Usage.now()
            // Begins with what the clock has just said, so that none of it can be done before.
            hash = run(hash ^ UInt64(truncatingIfNeeded: before.processorTime))
            best = min(best, Usage.now().processorTime - before.processorTime)
        }
        blackHole(hash)
        return max(1, best)
    }

    @inline(never) private static func run(_ seed: UInt64) -> UInt64 {
        bytes.reduce(seed) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
}
