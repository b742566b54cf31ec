// Files that nobody else sees: those without a name for what is made or gathered on request, and files of the user.

import CLinux
import Foundation
import Glibc
import Synchronization

/// Bytes on disk. What is made has no name: it goes when nobody holds it any more, and a process that dies leaves nothing.
/// Calls block.
package final class OwnFile: Sendable {
    private let descriptor: Int32
    private let end = Atomic<Int64>(0)

    /// An empty file for as long as the value lives.
    package init(in folder: String) throws(RetrievalFailure) {
        try? FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        var template = Array((folder + "/made-XXXXXX").utf8CString)
        descriptor = unsafe template.withUnsafeMutableBufferPointer { path in
            guard let base = path.baseAddress else { return -1 }
            // Closed in every program that is started, from the first moment on.
            let descriptor = unsafe mkostemp(base, O_CLOEXEC)
            if descriptor >= 0 { _ = unsafe unlink(base) }
            return descriptor
        }
        guard descriptor >= 0 else { throw Self.failure(errno, "no temporary file") }
    }

    /// A file that is there and stays.
    init(opening path: String) throws(RetrievalFailure) {
        descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(reason: "file cannot be opened") }
        end.store(Int64(max(0, lseek(descriptor, 0, SEEK_END))), ordering: .releasing)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    package var length: Int64 { end.load(ordering: .acquiring) }

    /// Adds bytes at the end. From one thread.
    func append(_ bytes: [UInt8]) throws(RetrievalFailure) {
        let at = length
        try write(bytes, at: at)
        end.store(at + Int64(bytes.count), ordering: .releasing)
    }

    /// Adds bytes of the caller's memory at the end. From one thread.
    package func append(_ bytes: UnsafeRawBufferPointer) throws(RetrievalFailure) {
        let at = length
        try unsafe write(bytes, at: at)
        end.store(at + Int64(bytes.count), ordering: .releasing)
    }

    /// Writes over what is there.
    func write(_ bytes: [UInt8], at offset: Int64) throws(RetrievalFailure) {
        let result = unsafe bytes.withUnsafeBytes { bytes -> Result<Void, RetrievalFailure> in
            Result { () throws(RetrievalFailure) in try unsafe write(bytes, at: offset) }
        }
        try result.get()
    }

    private func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(RetrievalFailure) {
        var done = 0
        while done < bytes.count, let base = bytes.baseAddress {
            let put = unsafe pwrite(descriptor, base + done, bytes.count - done, Int(offset) + done)
            if put < 0, errno == EINTR { continue }
            guard put > 0 else { throw Self.failure(put < 0 ? errno : EIO, "temporary file cannot be written") }
            done += put
        }
    }

    private static func failure(_ code: Int32, _ what: String) -> RetrievalFailure {
        code == ENOSPC || code == EDQUOT ? .outOfSpace : .unreadable(reason: "\(what): error \(code)")
    }

    /// Bytes from an offset, fewer at the end.
    package func read(from offset: Int64, count: Int) throws(RetrievalFailure) -> [UInt8] {
        let wanted = Int(max(0, min(Int64(count), length - offset)))
        var done = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: wanted) { buffer, initialized in
            while done < wanted, let base = buffer.baseAddress {
                let got = unsafe pread(descriptor, base + done, wanted - done, Int(offset) + done)
                if got < 0, errno == EINTR { continue }
                guard got > 0 else { break }
                done += got
            }
            initialized = done
        }
        guard done == wanted else { throw .unreadable(reason: "temporary file") }
        return bytes
    }
}
