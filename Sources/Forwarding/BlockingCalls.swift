// Calls that block, on threads of their own.

import NIOPosix

/// A few threads for the records and the catalogue: they never meet the cooperative pool.
package struct BlockingCalls: Sendable {
    private let threads: NIOThreadPool

    package init(threads count: Int) {
        threads = NIOThreadPool(numberOfThreads: count)
        threads.start()
    }

    package func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await threads.runIfActive(body)
    }
}
