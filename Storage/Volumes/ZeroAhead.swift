// Zero-filling ahead of the tail: a sync of blocks that were written before costs a fraction of a sync of fresh ones,
// because the file system need not log a change of the file's map. Done while nothing is appended: the disk has other work
// then, and an append beside it takes three times as long.

import Dispatch
import Synchronization

/// Counts the appends to all volumes of a writer: the disk rests when none comes.
final class AppendActivity: Sendable {
    private let appends = Atomic(0)

    var count: Int { appends.load(ordering: .relaxed) }

    func note() { appends.wrappingAdd(1, ordering: .relaxed) }
}

/// Fills one volume with zeros ahead of its tail, on a queue of its own. The appender claims its range first: a
/// range is written by the appender or by the filler, never by both.
final class ZeroAhead: Sendable {
    private static let chunk = 1 << 20
    /// Appends must have ceased for as long before filling goes on.
    private static let rest = DispatchTimeInterval.milliseconds(100)
    private static let zeros = EntryBuffer([UInt8](repeating: 0, count: chunk))

    private struct Progress {
        /// End of what the appender has claimed.
        var claimed: Int64
        /// End of what is filled.
        var filled: Int64
        var limit: Int64
        /// How much had been appended when the filler last looked.
        var seen = 0
        /// What is being written now, and who waits for the end of that.
        var inFlight: Range<Int64>?
        var waiters: [DispatchSemaphore] = []
        var isRunning = false
        var isStopped = false
    }

    private let file: VolumeFile
    private let ahead: Int64
    private let activity: AppendActivity
    private let queue: DispatchQueue
    private let progress: Mutex<Progress>

    /// `file` must be an open file description of the filler's own: a write-back error is told once to each, and the
    /// appender must not miss it.
    init(
        file: VolumeFile, tail: Int64, size: Int64, ahead: Int64, activity: AppendActivity, queue: DispatchQueue
    ) {
        self.file = file
        // Through the page cache the appender's next sync would have all these zeros to write.
        self.ahead = file.isDirect ? ahead : 0
        self.activity = activity
        self.queue = queue
        progress = Mutex(Progress(claimed: tail, filled: tail, limit: size))
    }

    /// Called by the appender before it writes up to `end`. Waits for a chunk being filled only where that is in the way.
    func claim(upTo end: Int64) {
        activity.note()
        wait { progress in
            progress.claimed = max(progress.claimed, end)
            return progress.inFlight.map { $0.lowerBound < end } ?? false
        }
    }

    /// Waits for the end of the chunk in flight where `isInTheWay` says so.
    private func wait(_ isInTheWay: (inout Progress) -> Bool) {
        let waiter = progress.withLock { progress -> DispatchSemaphore? in
            guard isInTheWay(&progress) else { return nil }
            let waiter = DispatchSemaphore(value: 0)
            progress.waiters.append(waiter)
            return waiter
        }
        waiter?.wait()
    }

    /// Called by the appender when it has room up to `size`, and after each batch: what is missing is filled at the next
    /// rest.
    func advance(size: Int64) {
        guard ahead > 0 else { return }
        let starts = progress.withLock { progress in
            progress.limit = size
            let isDue = progress.filled < min(progress.claimed + ahead / 2, size)
            guard isDue, !progress.isRunning, !progress.isStopped else { return false }
            progress.isRunning = true
            return true
        }
        if starts { lookAgain() }
    }

    private func lookAgain() { queue.asyncAfter(deadline: .now() + Self.rest) { self.run() } }

    /// Called by the appender after it has emptied everything from `tail` on.
    func restart(at tail: Int64) {
        progress.withLock {
            $0.claimed = tail
            $0.filled = tail
        }
    }

    /// After this nothing is filled any more.
    func stop() {
        wait { progress in
            progress.isStopped = true
            return progress.inFlight != nil
        }
    }

    private func run() {
        while progress.withLock({ $0.seen == activity.count }) {
            if fillChunk() { continue }
            // What is filled is of use only when the map of the file is on the disk.
            try? file.synchronize()
            return progress.withLock { $0.isRunning = false }
        }
        progress.withLock { $0.seen = activity.count }
        lookAgain()
    }

    /// Fills one chunk; false when there is nothing to do.
    private func fillChunk() -> Bool {
        let range = progress.withLock { progress -> Range<Int64>? in
            let start = max(progress.filled, progress.claimed)
            let end = min(progress.claimed + ahead, progress.limit, start + Int64(Self.chunk))
            guard !progress.isStopped, start < end else { return nil }
            progress.inFlight = start..<end
            return start..<end
        }
        guard let range else { return false }
        let isWritten =
            (try? Self.zeros.withBytes(0..<Int(range.upperBound - range.lowerBound)) {
                span throws(VolumeFailure) in try file.write(span, at: range.lowerBound)
            }) != nil
        let waiters = progress.withLock { progress in
            defer { progress.waiters = [] }
            progress.inFlight = nil
            if isWritten { progress.filled = range.upperBound } else { progress.isStopped = true }
            return progress.waiters
        }
        for waiter in waiters { waiter.signal() }
        return isWritten
    }
}
