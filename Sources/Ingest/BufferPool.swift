// Buffers of finished objects, kept for the next ones so that each CT slice does not cost page faults anew.

import Synchronization

final class BufferPool: Sendable {
    private let buffers = Mutex<[[UInt8]]>([])
    /// Larger buffers, and more of them, go back to the system.
    private let keptCapacity = 4 << 20
    private let keptCount = 32

    func take() -> [UInt8] {
        buffers.withLock { $0.popLast() } ?? []
    }

    /// Empties the buffer and keeps its memory, if it is of a size worth keeping.
    func give(_ buffer: inout [UInt8], _ budget: MemoryBudget) {
        budget.remove(buffer.count)
        var returned: [UInt8] = []
        swap(&returned, &buffer)
        guard returned.capacity <= keptCapacity else { return }
        returned.removeAll(keepingCapacity: true)
        buffers.withLock { [returned] kept in
            if kept.count < keptCount { kept.append(returned) }
        }
    }
}
