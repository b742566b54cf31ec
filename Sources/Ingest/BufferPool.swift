// The memory of arriving objects: counted over all senders, and kept for the next ones, since fresh pages are slow.

import Synchronization
import Volumes

final class BufferPool: Sendable {
    private struct Kept {
        var buffers: [EntryBuffer] = []
        var bytes = 0
    }

    private let kept = Mutex(Kept())
    private let used = Atomic<Int>(0)
    private let limit: Int
    /// Larger buffers, and more than this in all, go back to the system.
    private static let largestKept = 32 << 20
    private static let mostKept = 128 << 20

    /// - Parameter limit: bytes of objects above which memory counts as tight.
    init(limit: Int) { self.limit = limit }

    /// Bytes of the objects in memory.
    var bytes: Int { used.load(ordering: .relaxed) }
    var isTight: Bool { bytes > limit }

    func add(_ count: Int) { used.wrappingAdd(count, ordering: .relaxed) }
    func remove(_ count: Int) { used.wrappingSubtract(count, ordering: .relaxed) }

    func take() -> EntryBuffer {
        kept.withLock { kept in
            guard let buffer = kept.buffers.popLast() else { return EntryBuffer() }
            kept.bytes -= buffer.capacity
            return buffer
        }
    }

    /// Has so many buffers ready, for the first objects of so many senders.
    func warm(_ count: Int) {
        for _ in 0..<count {
            let buffer = EntryBuffer()
            buffer.warm()
            give(buffer)
        }
    }

    /// Takes back a buffer whose object has come to its end.
    func give(_ buffer: EntryBuffer) {
        remove(buffer.count)
        buffer.removeAll()
        guard buffer.capacity > 0, buffer.capacity <= Self.largestKept else { return }
        kept.withLock { kept in
            guard kept.bytes + buffer.capacity <= Self.mostKept else { return }
            kept.buffers.append(buffer)
            kept.bytes += buffer.capacity
        }
    }
}
