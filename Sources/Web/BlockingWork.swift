// Work that blocks, on threads of its own: the catalogue, the volumes and the codecs never meet the cooperative pool.

import NIOPosix

/// A bounded set of threads for what the web edges ask of the rooms below.
package final class BlockingWork: Sendable {
    private let threads: NIOThreadPool

    /// - Parameter threads: how many calls block at once; the others wait in order.
    package init(threads count: Int = 16) {
        threads = NIOThreadPool(numberOfThreads: count)
        threads.start()
    }

    /// Runs a body on one of the threads and gives its result.
    package func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await threads.runIfActive(body)
    }

    /// Ends the threads once their work is done.
    package func shutDown() async throws { try await threads.shutdownGracefully() }
}
