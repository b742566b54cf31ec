// A volume that this process holds the lock of: room for a batch, the batch written in tar's order, and its undoing.

import Dispatch

/// Sizes that a store works with.
package struct VolumeOptions: Sendable {
    /// A volume is handed over once the next batch would make it larger.
    package var volumeSize: Int64
    /// How far ahead of the tail zeros are written while nothing else is; 0 switches it off.
    package var zeroAhead: Int64
    /// Below this much free space appends fail with `.noSpace`.
    package var reserve: Int64

    package init(volumeSize: Int64 = 1 << 30, zeroAhead: Int64 = 1 << 30, reserve: Int64 = 64 << 20) {
        self.volumeSize = volumeSize
        self.zeroAhead = zeroAhead
        self.reserve = reserve
    }
}

/// A locked, unsealed volume and the end of its last entry.
struct OwnVolume: Sendable {
    /// Holds the lock.
    let file: VolumeFile
    /// The same file opened for appending, past the page cache where that is possible.
    private let appended: VolumeFile
    let zeroAhead: ZeroAhead?
    /// Carried by each entry, see `VolumeNumbers`.
    let nonce: String
    /// End of the last entry.
    private(set) var tail: Int64
    /// The file's size; all from `tail` to here reads as zeros.
    private(set) var size: Int64
    /// End of the blocks that the disk has promised.
    private var allocated: Int64

    init(
        file: VolumeFile, nonce: String, tail: Int64, size: Int64, in directory: VolumeDirectory,
        options: VolumeOptions, activity: AppendActivity, queue: DispatchQueue
    ) throws(VolumeFailure) {
        self.file = file
        appended = try directory.openForAppending(file.number, tail: tail)
        self.nonce = nonce
        self.tail = tail
        self.size = size
        allocated = tail
        zeroAhead = (try? directory.openForAppending(file.number, tail: tail)).map {
            ZeroAhead(
                file: $0, tail: tail, size: size, ahead: options.zeroAhead, activity: activity, queue: queue)
        }
    }

    var number: Int { file.number }

    /// Whether `bytes` more stay below the size of a volume; an empty volume takes a batch of any size.
    func fits(_ bytes: Int64, options: VolumeOptions) -> Bool {
        tail == 0 || TarBlock.archiveSize(tail: tail + bytes) <= options.volumeSize
    }

    /// Makes sure of blocks for `bytes` at the tail and of the end mark after them. Takes the whole volume at once
    /// where the disk has plenty, and leaves it half of what is free otherwise.
    mutating func makeRoom(for bytes: Int64, free: Int64, options: VolumeOptions) throws(VolumeFailure) {
        let needed = TarBlock.archiveSize(tail: tail + bytes)
        guard needed > min(size, allocated) else { return }
        guard free - options.reserve >= needed - max(tail, allocated) else { throw .noSpace }
        let generous = min(options.volumeSize, tail + (free - options.reserve) / 2)
        let wanted = max(needed, generous / TarBlock.recordSize * TarBlock.recordSize)
        do throws(VolumeFailure) {
            try allocate(to: wanted)
        } catch {
            guard error == .noSpace, wanted > needed else { throw error }
            try allocate(to: needed)
        }
    }

    private mutating func allocate(to end: Int64) throws(VolumeFailure) {
        let isAllocated = try file.fileSystem.allocate(file.descriptor, from: tail, count: end - tail)
        if !isAllocated, end > size { try file.fileSystem.truncate(file.descriptor, to: end) }
        size = max(size, end)
        allocated = end
        zeroAhead?.advance(size: size)
    }

    /// Writes a batch at the tail and syncs it. Nobody but this process counts on it before that: another program that
    /// reads the volume at this very moment may meet part of it, as after a crash.
    mutating func append(
        _ batch: BatchPlan, staging: inout Staging, written: () -> Void
    ) throws(VolumeFailure) {
        zeroAhead?.claim(upTo: tail + batch.length)
        try staging.write(batch, to: appended, at: tail)
        written()
        try appended.synchronize()
        tail += batch.length
        zeroAhead?.advance(size: size)
    }

    /// Makes everything from `offset` to `end` zeros again, durably, and puts the tail there.
    mutating func rollBack(to offset: Int64, end: Int64) throws(VolumeFailure) {
        tail = offset
        allocated = offset
        size = max(size, end)
        try file.zero(from: offset, size: size)
        // The descriptor that was told of the error already: to any other it would be told once more.
        try appended.synchronize()
        zeroAhead?.restart(at: offset)
    }

    /// Gives back what was reserved beyond the tail; an empty volume loses its name.
    func release(in directory: VolumeDirectory) {
        zeroAhead?.stop()
        if tail == 0 {
            try? directory.fileSystem.unlink(file.path)
        } else {
            try? directory.fileSystem.truncate(file.descriptor, to: TarBlock.archiveSize(tail: tail))
        }
    }
}
