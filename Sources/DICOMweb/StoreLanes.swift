// What all uploads share: threads that may block, and a bound on how many come in at once.

import Synchronization
import Web

/// The lanes of the store transaction. A request that waits for its sender holds a place here, and no thread.
final class StoreLanes: Sendable {
    /// Objects taken to their end; each thread waits for the disk, many of them for the same one write.
    let accepting = BlockingWork(threads: 64)
    /// Objects made here: metadata take many times their own size while they are read.
    let assembling = BlockingWork(threads: 2)
    /// Pieces of objects too long to be gathered whole.
    let appending = BlockingWork(threads: 8)
    private let open = Mutex(0)
    /// Requests that upload at once: of each as much memory may be held as the pipeline takes of an object when memory is
    /// tight.
    private let most: Int

    init(most: Int = 64) { self.most = most }

    /// Runs an upload if there is a place for one more.
    func admit<Value: Sendable>(_ upload: () async throws -> Value) async throws -> Value {
        let isAdmitted = open.withLock { open in
            guard open < most else { return false }
            open += 1
            return true
        }
        guard isAdmitted else { throw Problem.busy }
        defer { open.withLock { $0 -= 1 } }
        return try await upload()
    }
}
