// Threads for calls that block: never on the cooperative pool.
import Foundation
import Glibc

/// A thread of its own with a bounded stack, for work that blocks in DCMTK or in a system call.
package enum BlockingThread {
    /// Runs `body` on a new thread named `name`.
    package static func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let thread = Thread(block: body)
        thread.name = name
        thread.stackSize = 1 << 20
        thread.start()
    }

    /// Lets everybody else have the processor before the calling thread, until it ends: a thread without privileges can
    /// lower its priority (setpriority(2); on Linux of the thread alone), but not raise it again.
    package static func giveWay() {
        _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, niceness)
    }

    /// About a tenth of the processor time of an ordinary thread, where both want all of it.
    private static let niceness: Int32 = 10
}
