// Bulk data of a request, kept on disk until the object around it can be written: memory stays flat.

import CLinux
import Foundation
import Glibc
import Ingest
import NIOCore
import Synchronization

/// A file without a name, filled from the front. Its calls block; it goes with the value.
final class StoreSpool: Sendable {
    private let descriptor: Int32
    private let end = Mutex<Int64>(0)

    /// - Parameter folder: where the file lies; made when it is absent.
    init(folder: String) throws(IngestFailure) {
        try? FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        var template = Array((folder + "/bulk-XXXXXX").utf8CString)
        descriptor = unsafe template.withUnsafeMutableBufferPointer { path in
            guard let base = path.baseAddress else { return -1 }
            // Closed in every program that is started: a codec worker must not inherit what somebody uploads.
            let descriptor = unsafe mkostemp(base, O_CLOEXEC)
            if descriptor >= 0 { unsafe unlink(base) }
            return descriptor
        }
        guard descriptor >= 0 else { throw Self.failure(errno) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Bytes so far.
    var count: Int64 { end.withLock { $0 } }

    func append(_ pieces: [ByteBuffer]) throws(IngestFailure) {
        for piece in pieces {
            let start = count
            let code = unsafe piece.withUnsafeReadableBytes { bytes in unsafe write(bytes, at: start) }
            guard code == 0 else { throw Self.failure(code) }
            end.withLock { $0 += Int64(piece.readableBytes) }
        }
    }

    private func write(_ bytes: UnsafeRawBufferPointer, at start: Int64) -> Int32 {
        var done = 0
        while done < bytes.count, let base = bytes.baseAddress {
            let count = unsafe pwrite(descriptor, base + done, bytes.count - done, off_t(start) + off_t(done))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return count < 0 ? errno : EIO }
            done += count
        }
        return 0
    }

    /// Bytes of a range, as many of them as there are.
    func read(_ range: Range<Int64>) throws(IngestFailure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(range.upperBound - range.lowerBound))
        var done = 0
        while done < bytes.count {
            let (start, left) = (done, bytes.count - done)
            let count = unsafe bytes.withUnsafeMutableBytes { buffer in
                guard let base = buffer.baseAddress else { return 0 }
                return unsafe pread(descriptor, base + start, left, off_t(range.lowerBound) + off_t(start))
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.failure(errno) }
            if count == 0 { break }
            done += count
        }
        return Array(bytes.prefix(done))
    }

    private static func failure(_ code: Int32) -> IngestFailure {
        code == ENOSPC || code == EDQUOT ? .outOfSpace : .storage(reason: "bulk data: error \(code)")
    }
}

/// One bulk part of a request.
struct BulkPart: Sendable {
    /// Media type, in lower case.
    let type: String
    /// Transfer syntax that the part names.
    let transferSyntax: String?
    /// Content-Location: what the metadata call it.
    let location: String?
    let range: Range<Int64>

    var count: Int64 { range.upperBound - range.lowerBound }
}
