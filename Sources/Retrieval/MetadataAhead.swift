// Builds the metadata of long series once they have come to rest, so that the first who asks does not wait for it.

package import Catalog
import Dispatch
import Foundation
import Glibc

/// Follows the change feed on a thread that yields to all others. What it has no time for is built when it is asked for.
package final class MetadataAhead: Sendable {
    /// Shorter series are built fast enough when they are asked for.
    package static let shortest = 32
    private static let beat = DispatchTimeInterval.milliseconds(1_000)
    private static let niceness: Int32 = 15

    private let catalog: CatalogStore
    private let source: MetadataSource
    private let isBusy: @Sendable () -> Bool
    private let stopping = DispatchSemaphore(value: 0)

    /// - Parameter isBusy: whether the archive has better things to do.
    package init(catalog: CatalogStore, source: MetadataSource, isBusy: @escaping @Sendable () -> Bool) {
        self.catalog = catalog
        self.source = source
        self.isBusy = isBusy
    }

    /// Begins with what comes from now on.
    package func start() {
        let thread = Thread { [self] in
            _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Self.niceness)
            follow()
        }
        thread.name = "metadata"
        thread.start()
    }

    /// Ends the thread, after the series that it is at.
    package func stop() { stopping.signal() }

    private func follow() {
        guard var position = try? catalog.changeBounds().last else { return }
        var resting = RestingSeries()
        while stopping.wait(timeout: .now() + Self.beat) == .timedOut {
            // A catalogue that does not answer now may do so later.
            while let page = try? catalog.changes(after: position), let last = page.last {
                position = last.sequence
                for change in page { resting.note(change, at: .now) }
            }
            while !isBusy(), let one = resting.next(at: .now) {
                if stopping.wait(timeout: .now()) == .success { return }
                try? source.prepare(study: one.study, series: one.series, shortest: Self.shortest)
            }
        }
    }
}

/// Series that have changed and not been looked at since; a bounded number of them.
package struct RestingSeries {
    package struct Key: Hashable, Sendable {
        package let study: String
        package let series: String
    }

    /// How long nothing must have happened to a series.
    package static let rest = Duration.seconds(3)
    package static let most = 4_096

    private var due: [Key: ContinuousClock.Instant] = [:]

    package init() {}

    /// Takes note of a change. Series beyond the bound are passed over.
    package mutating func note(_ change: Change, at now: ContinuousClock.Instant) {
        let key = Key(study: change.studyInstanceUID, series: change.seriesInstanceUID)
        guard due[key] != nil || due.count < Self.most else { return }
        due[key] = now + Self.rest
    }

    /// The series that has been at rest for the longest; nil when none has for long enough.
    package mutating func next(at now: ContinuousClock.Instant) -> Key? {
        guard let first = due.min(by: { $0.value < $1.value }), first.value <= now else { return nil }
        due[first.key] = nil
        return first.key
    }
}
