// Work that blocks, on threads of its own: the catalogue, the volumes and the codecs never meet the cooperative pool.

import NIOPosix
import Synchronization

/// A bounded set of threads for what the web edges ask of the rooms below.
package final class BlockingWork: Sendable {
    private let threads: NIOThreadPool
    private let count: Int
    private let longestQueue: Int?
    private let inside = Atomic<Int>(0)

    /// - Parameters:
    ///   - threads: how many calls block at once; the others wait in order.
    ///   - longestQueue: how many may wait; nil where what comes is bounded before, as by the number of connections.
    package init(threads count: Int = 16, longestQueue: Int? = nil) {
        threads = NIOThreadPool(numberOfThreads: count)
        self.count = count
        self.longestQueue = longestQueue
        threads.start()
    }

    /// Calls that wait for a thread.
    package var waiting: Int { max(0, inside.load(ordering: .relaxed) - count) }

    /// Runs a body on one of the threads and gives its result. Throws `Problem.busy` when the queue is full.
    ///
    /// - Parameter isBegun: part of an answer whose beginning is sent: it is not refused any more.
    package func run<Value: Sendable>(
        isBegun: Bool = false, _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        let number = inside.wrappingAdd(1, ordering: .relaxed).newValue
        defer { inside.wrappingSubtract(1, ordering: .relaxed) }
        if let longestQueue, !isBegun, number > count + longestQueue { throw Problem.busy }
        return try await threads.runIfActive(body)
    }

    /// Ends the threads once their work is done.
    package func shutDown() async throws { try await threads.shutdownGracefully() }
}
