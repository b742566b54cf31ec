// One open volume file: whole reads and writes over a descriptor that closes, and unlocks, with the last reference.

import Glibc

/// An open file of the archive.
final class VolumeFile: Sendable {
    let number: Int
    let path: String
    let descriptor: Int32
    let fileSystem: any FileSystem
    /// Whether writes pass by the page cache: in whole blocks, from memory aligned to them.
    let isDirect: Bool

    init(number: Int, path: String, access: FileAccess, fileSystem: any FileSystem) throws(VolumeFailure) {
        self.number = number
        self.path = path
        self.fileSystem = fileSystem
        isDirect = access == .direct
        descriptor = try fileSystem.open(path, access)
    }

    deinit {
        // Closing would leave the lock to a child process that is just being started and still has the descriptor.
        fileSystem.unlock(descriptor)
        fileSystem.close(descriptor)
    }

    /// Writes all bytes, however many calls that takes.
    func write(_ bytes: Span<UInt8>, at offset: Int64) throws(VolumeFailure) {
        var done = 0
        while done < bytes.count {
            let rest = bytes.extracting(done..<bytes.count)
            let written = try fileSystem.write(descriptor, rest, at: offset + Int64(done))
            let count = isDirect && written < rest.count ? written / TarBlock.size * TarBlock.size : written
            guard count > 0 else { throw .io(errno: EIO, operation: "pwrite") }
            done += count
        }
    }

    /// Reads `count` bytes, fewer only where the file ends before.
    func read(at offset: Int64, count: Int) throws(VolumeFailure) -> [UInt8] {
        var bytes = try fileSystem.read(descriptor, count: count, at: offset)
        while bytes.count < count {
            let more = try fileSystem.read(descriptor, count: count - bytes.count, at: offset + Int64(bytes.count))
            if more.isEmpty { break }
            bytes += more
        }
        return bytes
    }

    /// Reads `count` bytes to the end of a buffer that has room for them; says how many, fewer only where the file ends.
    func read(at offset: Int64, count: Int, into buffer: inout OutputRawSpan) throws(VolumeFailure) -> Int {
        var done = 0
        while done < count {
            let more = try fileSystem.read(
                descriptor, count: count - done, at: offset + Int64(done), into: &buffer)
            if more == 0 { break }
            done += more
        }
        return done
    }

    /// `fdatasync`.
    func synchronize() throws(VolumeFailure) { try fileSystem.synchronize(descriptor) }

    func status() throws(VolumeFailure) -> FileStatus { try fileSystem.status(descriptor) }

    /// Takes the lock without waiting; false when another has it, or when the file lost its name meanwhile.
    func tryLock() throws(VolumeFailure) -> Bool {
        guard try fileSystem.lock(descriptor, waiting: false) else { return false }
        return try status().links > 0
    }

    /// Makes the end of the file from `offset` read as zeros while its size stays. Blocks may be lost by that.
    func zero(from offset: Int64, size: Int64) throws(VolumeFailure) {
        guard offset < size else { return }
        do throws(VolumeFailure) {
            if try fileSystem.punchHole(descriptor, from: offset, count: size - offset) { return }
        } catch {
            // A full disk may refuse even a hole: cutting the file off always works.
        }
        try fileSystem.truncate(descriptor, to: offset)
        try fileSystem.truncate(descriptor, to: size)
    }
}
