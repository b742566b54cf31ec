// Work that may take its time: one after the other, on a thread that yields the processor to all others.

import Dispatch
import Foundation
import Glibc
import Synchronization

/// A serial queue with a thread of its own, at low priority for the operating system (on Linux a thread's niceness is its
/// own). The thread starts with the first work and ends with the queue.
final class QuietQueue: Sendable {
    private typealias Work = @Sendable () -> Void

    private struct State {
        var waiting: [Work] = []
        var isStarted = false
    }

    /// Shared with the thread, so that the thread does not keep the queue.
    private final class Belt: Sendable {
        let state = Mutex(State())
        let filled = DispatchSemaphore(value: 0)

        /// Waits for work; nil when the queue is gone and nothing is left.
        func next() -> Work? {
            filled.wait()
            return state.withLock { $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() }
        }
    }

    private static let niceness: Int32 = 15
    private let belt = Belt()
    private let name: String

    init(name: String) { self.name = name }

    // One signal without work behind it ends the thread.
    deinit { belt.filled.signal() }

    /// Queues work; it is done even when the queue is let go of before.
    func async(_ work: @escaping @Sendable () -> Void) {
        let starts = belt.state.withLock { state in
            state.waiting.append(work)
            defer { state.isStarted = true }
            return !state.isStarted
        }
        belt.filled.signal()
        if starts { start() }
    }

    /// Waits until all that is queued now is done.
    func drain() {
        let isIdle = belt.state.withLock { !$0.isStarted }
        guard !isIdle else { return }
        let done = DispatchSemaphore(value: 0)
        async { done.signal() }
        done.wait()
    }

    private func start() {
        let belt = belt
        let thread = Thread {
            _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Self.niceness)
            while let work = belt.next() { work() }
        }
        thread.name = name
        thread.start()
    }
}
