// The threads of a replay: one walks the volumes, several read headers, the caller's own enrolls in the order of the walk.

import Catalog
import Dispatch
import Foundation
import Synchronization
import Volumes

/// Some entries of one volume that are enrolled together.
final class ReplayBatch: Sendable {
    /// What came of reading their headers.
    struct Reading: Sendable {
        var enrollments: [Enrollment] = []
        /// Whole entries whose header cannot be read any more.
        var unreadable = 0
    }

    private enum Phase: Sendable {
        case met([MetEntry])
        case read(Reading)
    }

    let volume: Int
    private let phase: Mutex<Phase>
    private let isRead = DispatchSemaphore(value: 0)

    init(volume: Int, _ entries: [MetEntry]) {
        self.volume = volume
        phase = Mutex(.met(entries))
    }

    /// Reads the headers, once; the bytes that came along with the entries are let go.
    func read(_ body: ([MetEntry]) -> Reading) {
        let entries = phase.withLock { phase -> [MetEntry] in
            if case .met(let entries) = phase { entries } else { [] }
        }
        let reading = body(entries)
        phase.withLock { $0 = .read(reading) }
        isRead.signal()
    }

    /// Waits for the reading.
    func reading() -> Reading {
        isRead.wait()
        return phase.withLock { phase -> Reading in
            if case .read(let reading) = phase { reading } else { Reading() }
        }
    }
}

/// One replay's belt. Everything on it is bounded, and every thread of it has ended when `run` returns.
final class ReplayLine: Sendable {
    /// What the walk comes to, in its order.
    enum Step: Sendable {
        case batch(ReplayBatch)
        /// The volume was walked through to `reached`.
        case ended(volume: Int, reached: Int64, flaws: [VolumeFailure])
        /// The volume could not be walked further.
        case broken(volume: Int, VolumeFailure)
        /// The walk itself is over before its time.
        case failed(VolumeFailure)
    }

    private static let depth = 6

    private let steps = BoundedQueue<Step>(capacity: depth)
    // What the enroller holds and what is being handed over have places here too, so that the walk waits in one line only.
    private let unread = BoundedQueue<ReplayBatch>(capacity: depth + 2)
    private let isCancelled = Atomic<Bool>(false)
    private let threads = DispatchGroup()

    /// Whether the walk goes on; false once the enroller has failed.
    var isOpen: Bool { !isCancelled.load(ordering: .relaxed) }

    /// Hands a step to the enroller, waiting while it is behind.
    func put(_ step: Step) {
        guard steps.put(step, timeout: .never) else { return }
        if case .batch(let batch) = step { _ = unread.put(batch, timeout: .never) }
    }

    /// Runs `walk` and `read` on threads of their own and `enroll` on this one.
    static func run(
        walk: @escaping @Sendable (ReplayLine) -> Void,
        read: @escaping @Sendable ([MetEntry]) -> ReplayBatch.Reading,
        enroll: (Step) throws -> Void
    ) throws {
        let line = ReplayLine()
        line.start("phim-walk") { line in
            walk(line)
            line.steps.close()
            line.unread.close()
        }
        for _ in 0..<max(1, min(4, ProcessInfo.processInfo.activeProcessorCount)) {
            line.start("phim-read") { $0.readLoop(read) }
        }
        defer { line.threads.wait() }
        do {
            while let next = line.steps.take(while: { count, _ in count == 0 }) { try next.forEach(enroll) }
        } catch {
            line.isCancelled.store(true, ordering: .relaxed)
            // Whoever waits for a place finds one, and then sees that it is over.
            while line.steps.take(while: { _, _ in true }) != nil {}
            throw error
        }
    }

    private func readLoop(_ read: ([MetEntry]) -> ReplayBatch.Reading) {
        while let next = unread.take(while: { count, _ in count == 0 }) {
            for batch in next { batch.read { isOpen ? read($0) : ReplayBatch.Reading() } }
        }
    }

    private func start(_ name: String, _ body: @escaping @Sendable (ReplayLine) -> Void) {
        threads.enter()
        let thread = Thread { [self] in
            body(self)
            threads.leave()
        }
        thread.name = name
        thread.start()
    }
}
