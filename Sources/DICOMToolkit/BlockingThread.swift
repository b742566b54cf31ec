// Threads for calls that block: never on the cooperative pool.
import Foundation

/// A thread of its own with a bounded stack, for work that blocks in DCMTK or in a system call.
package enum BlockingThread {
    /// Runs `body` on a new thread named `name`.
    package static func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let thread = Thread(block: body)
        thread.name = name
        thread.stackSize = 1 << 20
        thread.start()
    }
}
