// An object too large for memory: a volume of its own that comes into being when it is committed, or not at all.

import Glibc
import Synchronization

/// A Part 10 file that is written while it arrives. Dropping it without `commit` removes it.
package final class StreamedEntry: Sendable {
    private static let step: Int64 = 64 << 20
    private static let writeback: Int64 = 8 << 20

    private enum Phase: Equatable { case open, committed(Int), ended }

    private struct State {
        var phase = Phase.open
        var length: Int64 = 0
        var reserved: Int64 = 0
        var flushed: Int64 = 0
    }

    private let directory: VolumeDirectory
    private let options: VolumeOptions
    private let sealer: Sealer
    private let file: VolumeFile
    private let state: Mutex<State>

    /// `announced` is the length that the sender promised, if it did; it is checked against the free space at once.
    init(
        directory: VolumeDirectory, options: VolumeOptions, sealer: Sealer, announced: Int64?
    ) throws(VolumeFailure) {
        let free = try directory.fileSystem.freeSpace(directory.path)
        guard free - options.reserve > announced ?? 0 else { throw .noSpace }
        self.directory = directory
        self.options = options
        self.sealer = sealer
        // The lock says that the stream is alive; a fresh name that someone cleared before that is tried again.
        while true {
            let path =
                "\(directory.path)/stream-\(EntryHeader.hex((0..<8).map { _ in UInt8.random(in: 0...255) })).part"
            let fresh = try VolumeFile(
                number: 0, path: path, access: .createNew, fileSystem: directory.fileSystem)
            do throws(VolumeFailure) {
                if try fresh.tryLock() {
                    file = fresh
                    break
                }
            } catch {
                try? directory.fileSystem.unlink(path)
                throw error
            }
        }
        state = Mutex(State())
    }

    deinit { abort() }

    /// Bytes of the body so far.
    package var length: Int64 { state.withLock { $0.length } }

    /// Adds bytes to the body. After a failure only `abort` is left.
    package func append(_ bytes: [UInt8]) throws(VolumeFailure) { try append(bytes.span) }

    /// Adds bytes to the body. After a failure only `abort` is left.
    package func append(_ bytes: Span<UInt8>) throws(VolumeFailure) {
        try state.withLock { (state) throws(VolumeFailure) in
            guard state.phase == .open else { throw .closed }
            let offset = Int64(EntryHeader.streamedLength) + state.length
            try reserve(to: offset + Int64(bytes.count), &state)
            try file.write(bytes, at: offset)
            state.length += Int64(bytes.count)
            let written = offset + Int64(bytes.count)
            if written - state.flushed >= Self.writeback {
                directory.fileSystem.startWriteback(
                    file.descriptor, from: state.flushed, count: written - state.flushed)
                state.flushed = written
            }
        }
    }

    private func reserve(to end: Int64, _ state: inout State) throws(VolumeFailure) {
        guard end > state.reserved else { return }
        let count = max(Self.step, end - state.reserved)
        let free = try directory.fileSystem.freeSpace(directory.path)
        guard free - options.reserve > end - state.reserved else { throw .noSpace }
        if free - options.reserve > 2 * count {
            _ = try directory.fileSystem.allocate(file.descriptor, from: state.reserved, count: count)
            state.reserved += count
        }
    }

    /// Gives the object its name and its number. When this returns the object is durable.
    package func commit(_ facts: EntryFacts) throws(VolumeFailure) -> Place {
        try state.withLock { (state) throws(VolumeFailure) in
            guard state.phase == .open else { throw .closed }
            // No nonce: it belongs to a number, which comes last, and nothing follows that it could vouch for.
            let header = try EntryHeader.encode(
                facts, length: state.length, batchOffset: 0, nonce: nil, exactLength: EntryHeader.streamedLength)
            let bodyOffset = Int64(header.count)
            let end = bodyOffset + TarBlock.padded(state.length)
            try directory.fileSystem.truncate(file.descriptor, to: bodyOffset + state.length)
            try directory.fileSystem.truncate(file.descriptor, to: TarBlock.archiveSize(tail: end))
            try file.write(header.span, at: 0)
            try file.synchronize()
            try directory.fileSystem.setReadOnly(file.descriptor, true)
            let number = try takeNumber()
            state.phase = .committed(number)
            do throws(VolumeFailure) {
                try directory.fileSystem.unlink(file.path)
                try directory.fileSystem.synchronizeDirectory(directory.path)
            } catch {
                remove(&state)
                throw error
            }
            return Place(volume: number, entryOffset: 0, bodyOffset: bodyOffset, length: state.length)
        }
    }

    private func takeNumber() throws(VolumeFailure) -> Int {
        while true {
            let number = try directory.takeNumber().number
            do throws(VolumeFailure) {
                try directory.fileSystem.link(file.path, to: directory.tarPath(number))
                return number
            } catch {
                // Someone put a file there by hand.
                if !error.isErrno(EEXIST) { throw error }
            }
        }
    }

    /// Keeps a committed object for good, once it is enrolled: its manifest is written in background. Until then the
    /// volume stays locked, so that no other process enrolls what may yet be removed.
    package func keep() {
        let number = state.withLock { state -> Int? in
            guard case .committed(let number) = state.phase else { return nil }
            state.phase = .ended
            return number
        }
        if let number { sealer.list(file, number: number) }
    }

    /// Removes the object, also after `commit`, as long as `keep` was not called.
    package func abort() {
        state.withLock { remove(&$0) }
    }

    private func remove(_ state: inout State) {
        switch state.phase {
        case .open: try? directory.fileSystem.unlink(file.path)
        case .committed(let number):
            try? directory.fileSystem.unlink(directory.tarPath(number))
            try? directory.fileSystem.unlink(file.path)
            try? directory.fileSystem.synchronizeDirectory(directory.path)
            // Who waits for the lock need not wait for the last reference to this.
            directory.fileSystem.unlock(file.descriptor)
        case .ended: break
        }
        state.phase = .ended
    }
}
