// The real file system: thin calls of POSIX and Linux, EINTR repeated. The only file of this room that holds pointers.

import CLinux
import Foundation
import Glibc

/// The operating system's files.
package struct POSIXFileSystem: FileSystem {
    package init() {}

    /// Runs `call` until it is not interrupted; a negative result becomes a failure.
    private func checked<Result: SignedInteger>(
        _ operation: String, _ call: () -> Result
    ) throws(VolumeFailure) -> Result {
        while true {
            let result = call()
            if result >= 0 { return result }
            let number = errno
            if number != EINTR { throw .system(number, operation) }
        }
    }

    package func open(_ path: String, _ access: FileAccess) throws(VolumeFailure) -> Int32 {
        let flags =
            switch access {
            case .read: O_RDONLY
            case .readWrite: O_RDWR
            case .direct: O_RDWR | Int32(LINUX_DIRECT)
            case .createNew: O_RDWR | O_CREAT | O_EXCL
            case .replace: O_RDWR | O_CREAT | O_TRUNC
            }
        return try checked("open") { unsafe Glibc.open(path, flags | O_CLOEXEC, 0o644) }
    }

    package func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

    package func write(_ descriptor: Int32, _ bytes: Span<UInt8>, at offset: Int64) throws(VolumeFailure) -> Int {
        try unsafe bytes.withUnsafeBytes { (buffer) throws(VolumeFailure) in
            try checked("pwrite") { unsafe pwrite(descriptor, buffer.baseAddress, buffer.count, off_t(offset)) }
        }
    }

    package func read(_ descriptor: Int32, count: Int, at offset: Int64) throws(VolumeFailure) -> [UInt8] {
        var failure: VolumeFailure?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            do throws(VolumeFailure) {
                let base = buffer.baseAddress
                initialized = try checked("pread") { unsafe pread(descriptor, base, count, off_t(offset)) }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    package func read(
        _ descriptor: Int32, count: Int, at offset: Int64, into buffer: inout OutputRawSpan
    ) throws(VolumeFailure) -> Int {
        try unsafe buffer.withUnsafeMutableBytes { (memory, initialized) throws(VolumeFailure) in
            let room = unsafe memory.baseAddress?.advanced(by: initialized)
            let most = min(count, memory.count - initialized)
            let read = try checked("pread") { unsafe pread(descriptor, room, most, off_t(offset)) }
            initialized += read
            return read
        }
    }

    package func synchronize(_ descriptor: Int32) throws(VolumeFailure) {
        _ = try checked("fdatasync") { fdatasync(descriptor) }
    }

    package func synchronizeDirectory(_ path: String) throws(VolumeFailure) {
        let descriptor = try checked("open") { unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        defer { close(descriptor) }
        _ = try checked("fsync") { fsync(descriptor) }
    }

    package func startWriteback(_ descriptor: Int32, from offset: Int64, count: Int64) {
        _ = sync_file_range(descriptor, offset, count, UInt32(LINUX_START_WRITEBACK))
    }

    /// False for the errors that say "not on this file system".
    private func supported(_ operation: String, _ call: () -> Int32) throws(VolumeFailure) -> Bool {
        do throws(VolumeFailure) {
            _ = try checked(operation, call)
            return true
        } catch {
            if error.isErrno(EOPNOTSUPP) || error.isErrno(ENOSYS) { return false }
            throw error
        }
    }

    package func allocate(_ descriptor: Int32, from offset: Int64, count: Int64) throws(VolumeFailure) -> Bool {
        try supported("fallocate") { fallocate(descriptor, 0, offset, count) }
    }

    package func punchHole(_ descriptor: Int32, from offset: Int64, count: Int64) throws(VolumeFailure) -> Bool {
        try supported("punch") { fallocate(descriptor, Int32(LINUX_PUNCH_HOLE), offset, count) }
    }

    package func truncate(_ descriptor: Int32, to size: Int64) throws(VolumeFailure) {
        _ = try checked("ftruncate") { ftruncate(descriptor, off_t(size)) }
    }

    package func lock(_ descriptor: Int32, waiting: Bool) throws(VolumeFailure) -> Bool {
        do throws(VolumeFailure) {
            _ = try checked("flock") { flock(descriptor, waiting ? LOCK_EX : LOCK_EX | LOCK_NB) }
            return true
        } catch {
            if error.isErrno(EWOULDBLOCK) { return false }
            throw error
        }
    }

    package func unlock(_ descriptor: Int32) { _ = flock(descriptor, LOCK_UN) }

    package func status(_ descriptor: Int32) throws(VolumeFailure) -> FileStatus {
        var facts = stat()
        _ = try checked("fstat") { unsafe fstat(descriptor, &facts) }
        return FileStatus(
            size: Int64(facts.st_size), allocated: Int64(facts.st_blocks) * 512,
            isReadOnly: facts.st_mode & 0o222 == 0, links: Int(facts.st_nlink))
    }

    package func nextData(_ descriptor: Int32, from offset: Int64) throws(VolumeFailure) -> Int64? {
        do throws(VolumeFailure) {
            return Int64(try checked("lseek") { lseek(descriptor, off_t(offset), Int32(LINUX_SEEK_DATA)) })
        } catch {
            if error.isErrno(ENXIO) { return nil }
            if error.isErrno(EINVAL) || error.isErrno(EOPNOTSUPP) { return offset }
            throw error
        }
    }

    package func setReadOnly(_ descriptor: Int32, _ isReadOnly: Bool) throws(VolumeFailure) {
        _ = try checked("fchmod") { fchmod(descriptor, isReadOnly ? 0o444 : 0o644) }
    }

    package func freeSpace(_ path: String) throws(VolumeFailure) -> Int64 {
        var facts = statvfs()
        _ = try checked("statvfs") { unsafe statvfs(path, &facts) }
        return Int64(clamping: facts.f_bavail).multipliedReportingOverflow(by: Int64(facts.f_frsize)).partialValue
    }

    package func names(in directory: String) throws(VolumeFailure) -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: directory)
        } catch {
            throw .io(errno: EIO, operation: "readdir")
        }
    }

    package func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    package func makeDirectory(_ path: String) throws(VolumeFailure) {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw .system(errno == 0 ? EIO : errno, "mkdir")
        }
    }

    package func link(_ path: String, to name: String) throws(VolumeFailure) {
        _ = try checked("link") { unsafe Glibc.link(path, name) }
    }

    package func rename(_ path: String, to name: String) throws(VolumeFailure) {
        _ = try checked("rename") { unsafe Glibc.rename(path, name) }
    }

    package func unlink(_ path: String) throws(VolumeFailure) {
        do throws(VolumeFailure) {
            _ = try checked("unlink") { unsafe Glibc.unlink(path) }
        } catch {
            if !error.isErrno(ENOENT) { throw error }
        }
    }
}
