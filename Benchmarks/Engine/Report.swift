// What a subcommand prints: one JSON object on one line, for the script that runs it.

import Foundation
import Glibc

/// How long single operations took.
struct Latencies: Encodable {
    let count: Int
    /// Milliseconds.
    let p50: Double
    let p90: Double
    let p99: Double
    let max: Double

    /// Nearest ranks; nil when there is nothing to rank.
    init?(milliseconds: [Double]) {
        guard !milliseconds.isEmpty else { return nil }
        let sorted = milliseconds.sorted()
        func rank(_ share: Double) -> Double {
            sorted[Swift.max(0, Int((share * Double(sorted.count)).rounded(.up)) - 1)]
        }
        count = sorted.count
        (p50, p90, p99, max) = (rank(0.5), rank(0.9), rank(0.99), rank(1))
    }
}

enum Report {
    /// Prints a result at once, also into a pipe.
    static func line(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let bytes = try encoder.encode(value) + Data([0x0A])
        try FileHandle.standardOutput.write(contentsOf: bytes)
    }

    /// Processor seconds of the calling thread.
    static var threadSeconds: Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Processor seconds of this process, user and system.
    static var processorSeconds: Double {
        var usage = rusage()
        unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }
}
