// The belt between two threads of the pipeline: bounded, so that a slow stage slows the one before it.

import Dispatch
import Synchronization

/// A first-in-first-out queue for plain threads. Putting blocks while it is full, taking blocks while it is empty.
final class BoundedQueue<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    private let filled = DispatchSemaphore(value: 0)
    private let vacancies: DispatchSemaphore
    let capacity: Int

    init(capacity: Int) {
        self.capacity = capacity
        vacancies = DispatchSemaphore(vacancies: capacity)
    }

    var count: Int { state.withLock { $0.elements.count } }

    /// Waits for a place; false when none came free within `timeout` or the queue is closed.
    func put(_ element: Element, timeout: DispatchTimeInterval) -> Bool {
        guard vacancies.wait(timeout: .now() + timeout) == .success else { return false }
        return put(reserved: element)
    }

    /// Waits for a place and keeps it for `put(reserved:)` or `giveBack`.
    func reserve() { vacancies.wait() }

    /// Puts an element into the place reserved; false, and the place is free again, when the queue is closed.
    func put(reserved element: Element) -> Bool {
        let isOpen = state.withLock { state in
            if !state.isClosed { state.elements.append(element) }
            return !state.isClosed
        }
        if isOpen { filled.signal() } else { vacancies.signal() }
        return isOpen
    }

    /// Gives up a place reserved.
    func giveBack() { vacancies.signal() }

    /// Takes what waits, oldest first, as long as `fits` says so (the first always fits); nil once closed and empty.
    func take(while fits: (_ taken: Int, _ next: Element) -> Bool) -> [Element]? {
        while true {
            // One signal may stand for several elements taken at once: a wake-up that finds nothing waits again.
            filled.wait()
            let (taken, isClosed) = state.withLock { state -> ([Element], Bool) in
                var end = 0
                while end < state.elements.count, end == 0 || fits(end, state.elements[end]) { end += 1 }
                let taken = Array(state.elements[..<end])
                state.elements.removeSubrange(..<end)
                if !state.elements.isEmpty || state.isClosed { filled.signal() }
                return (taken, state.isClosed)
            }
            for _ in taken { vacancies.signal() }
            if !taken.isEmpty { return taken }
            if isClosed { return nil }
        }
    }

    /// Lets the taker finish what waits, then end; nothing more is taken in.
    func close() {
        state.withLock { $0.isClosed = true }
        filled.signal()
    }
}

extension DispatchSemaphore {
    /// Counts up from nothing: one that begins with a value must not be let go of with less.
    convenience init(vacancies: Int) {
        self.init(value: 0)
        for _ in 0..<vacancies { signal() }
    }
}
