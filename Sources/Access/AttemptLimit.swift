// Failed sign-ins by address: a machine that guesses is told to wait, whatever names it tries.

import Synchronization

/// Counts failures in windows of fixed length. Kept in memory: a restart forgets them, the lock of an account stays.
final class AttemptLimit: Sendable {
    private struct Window {
        var began: Int64
        var failures: Int
    }

    private static let mostAddresses = 10_000
    private let most: Int
    /// Microseconds.
    private let length: Int64
    private let windows = Mutex<[String: Window]>([:])

    init(most: Int, seconds: Int) {
        self.most = most
        length = Int64(seconds) * 1_000_000
    }

    /// Seconds that this address has to wait; nil when it may try.
    func wait(for address: String, at now: Int64) -> Int? {
        windows.withLock { windows in
            guard let window = windows[Self.network(address)], now < window.began + length, window.failures >= most
            else { return nil }
            return Int((window.began + length - now) / 1_000_000) + 1
        }
    }

    func noteFailure(of address: String, at now: Int64) {
        windows.withLock { windows in
            if windows.count >= Self.mostAddresses {
                windows = windows.filter { now < $0.value.began + length }
                // Still full: an attack from everywhere. Those with the fewest failures give way.
                if windows.count >= Self.mostAddresses { windows = windows.filter { $0.value.failures >= most } }
            }
            var window = windows[Self.network(address)] ?? Window(began: now, failures: 0)
            if now >= window.began + length { window = Window(began: now, failures: 0) }
            window.failures += 1
            windows[Self.network(address)] = window
        }
    }

    /// One line has a whole /64 of IPv6 (RFC 6177), but one address of IPv4.
    private static func network(_ address: String) -> String {
        guard address.contains(":"), !address.contains(".") else { return address }
        let head = address.split(separator: "::", maxSplits: 1, omittingEmptySubsequences: false).first ?? ""
        return head.split(separator: ":").prefix(4).joined(separator: ":") + "::/64"
    }
}
