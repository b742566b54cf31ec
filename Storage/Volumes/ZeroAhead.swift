// Zero-filling ahead of the tail while traffic is light: a sync of blocks that were written before costs a fraction
// of a sync of fresh ones, because the file system need not log a change of the file's map.

import Dispatch
import Synchronization

/// Fills one volume with zeros ahead of its tail, on a queue of its own. The appender claims its range first: a
/// range is written by the appender or by the filler, never by both.
final class ZeroAhead: Sendable {
    /// A batch of more bytes than this means that throughput counts now, not latency.
    static let lightBatch: Int64 = 4 << 20
    private static let chunk: Int64 = 256 << 10
    private static let zeros = [UInt8](repeating: 0, count: Int(chunk))

    private struct Progress {
        /// End of what the appender has claimed.
        var claimed: Int64
        /// End of what is filled.
        var filled: Int64
        var limit: Int64
        var isRunning = false
        var isStopped = false
    }

    private let file: VolumeFile
    private let ahead: Int64
    private let queue: DispatchQueue
    private let progress: Mutex<Progress>

    /// `file` must be an open file description of the filler's own: a write-back error is told once to each, and the
    /// appender must not miss it.
    init(file: VolumeFile, tail: Int64, size: Int64, ahead: Int64, queue: DispatchQueue) {
        self.file = file
        self.ahead = ahead
        self.queue = queue
        progress = Mutex(Progress(claimed: tail, filled: tail, limit: size))
    }

    /// Called by the appender before it writes up to `end`. Waits at most for one chunk being filled.
    func claim(upTo end: Int64) {
        progress.withLock { $0.claimed = max($0.claimed, end) }
    }

    /// Called by the appender after a batch: starts filling when it is worth it.
    func appended(bytes: Int64, size: Int64) {
        guard ahead > 0 else { return }
        let starts = progress.withLock { progress in
            progress.limit = size
            let isDue = bytes <= Self.lightBatch && progress.filled - progress.claimed < ahead / 2
            guard isDue, !progress.isRunning, !progress.isStopped, progress.claimed < size else { return false }
            progress.isRunning = true
            return true
        }
        if starts { queue.async { self.run() } }
    }

    /// Called by the appender after it has emptied everything from `tail` on.
    func restart(at tail: Int64) {
        progress.withLock {
            $0.claimed = tail
            $0.filled = tail
        }
    }

    /// After this nothing is filled any more.
    func stop() {
        progress.withLock { $0.isStopped = true }
    }

    private func run() {
        var chunks = 0
        while fillChunk() {
            chunks += 1
            // Small syncs: a large one would stand in the way of the appender's.
            if chunks % 8 == 0 { try? file.synchronize() }
        }
        try? file.synchronize()
        progress.withLock { $0.isRunning = false }
    }

    /// Fills one chunk under the lock; false when there is nothing to do.
    private func fillChunk() -> Bool {
        progress.withLock { progress in
            let start = max(progress.filled, progress.claimed)
            let end = min(progress.claimed + ahead, progress.limit)
            guard !progress.isStopped, start < end else { return false }
            let count = Int(min(Self.chunk, end - start))
            do throws(VolumeFailure) {
                try file.write(Self.zeros.span.extracting(0..<count), at: start)
            } catch {
                progress.isStopped = true
                return false
            }
            progress.filled = start + Int64(count)
            return true
        }
    }
}
