// How fast a line may be used: a bucket of octets that fills with the rate of the hour.

import Dispatch
import Synchronization

/// Shared by all lanes of a destination.
package final class LinePace: Sendable {
    private let bucket: Mutex<TokenBucket>
    private let now: @Sendable () -> UInt64
    private let spent = Atomic<Int64>(0)

    /// - Parameter now: nanoseconds of a clock that only goes forward.
    package init(now: @escaping @Sendable () -> UInt64 = { DispatchTime.now().uptimeNanoseconds }) {
        self.now = now
        bucket = Mutex(TokenBucket(at: now()))
    }

    /// The rate from now on, in octets a second; nil: as fast as the line goes.
    package func set(rate: Int?) { bucket.withLock { $0.set(rate: rate, at: now()) } }

    /// Whether there is a rate: what is sent is then sent in small pieces.
    package var isLimited: Bool { bucket.withLock { $0.isLimited } }

    /// Takes octets that are about to be sent.
    /// - Returns: how long to wait before sending them.
    package func take(_ octets: Int) -> Duration {
        spent.wrappingAdd(Int64(octets), ordering: .relaxed)
        return .nanoseconds(bucket.withLock { $0.take(octets, at: now()) })
    }

    /// Octets that were taken since the beginning.
    package var octets: Int64 { spent.load(ordering: .relaxed) }
}

/// The arithmetic of a pace: what is taken beyond the bucket is owed, and whoever takes waits until the debt is paid.
package struct TokenBucket: Sendable {
    /// How much of a second's rate may go at once.
    private static let depth = 0.25

    private var rate: Int?
    private var level = 0.0
    private var at: UInt64

    package init(at: UInt64) { self.at = at }

    package var isLimited: Bool { rate != nil }

    package mutating func set(rate: Int?, at now: UInt64) {
        fill(now)
        if self.rate == nil { level = 0 }
        self.rate = rate.map { max($0, 1) }
    }

    /// - Returns: nanoseconds to wait.
    package mutating func take(_ octets: Int, at now: UInt64) -> Int64 {
        fill(now)
        guard let rate else { return 0 }
        level -= Double(octets)
        return level >= 0 ? 0 : Int64(-level / Double(rate) * 1e9)
    }

    private mutating func fill(_ now: UInt64) {
        defer { at = max(at, now) }
        guard let rate, now > at else { return }
        level = min(level + Double(now - at) / 1e9 * Double(rate), Double(rate) * Self.depth)
    }
}
