// Zip files that are written while they are sent (PS3.18 Section 8.6.1.3.1).

import CArchive
import Hummingbird
import NIOCore
import Retrieval
import Synchronization
import Web

struct ZipAnswer: Sendable {
    /// One file.
    struct Entry: Sendable {
        let name: String
        /// Microseconds since 1970.
        let receivedAt: Int64
        let part: MultipartPart
    }

    let entries: [Entry]

    func response(fields: HTTPFields, name: String, call: RetrieveCall) -> Response {
        var fields = fields
        fields[.contentDisposition] = "attachment; filename=\"\(name).zip\""
        let (entries, work, imaging) = (entries, call.services.work, call.services.imaging)
        return Response(
            status: .ok, headers: fields,
            body: ResponseBody { writer in
                let stream = Mutex(try ZipStream())
                for entry in entries {
                    let (source, range, _) = try await entry.part.ready(imaging)
                    try stream.withLock { try $0.begin(entry.name, length: source.length, at: entry.receivedAt) }
                    var start = range.lowerBound
                    while start < range.upperBound {
                        let end = min(start + ByteSource.piece, range.upperBound)
                        let piece = start..<end
                        let buffer = try await work.run {
                            var buffer = ByteBufferAllocator().buffer(capacity: piece.count)
                            try source.append(piece, &buffer)
                            return buffer
                        }
                        let written = try stream.withLock { stream in
                            try stream.write(buffer)
                            return stream.take()
                        }
                        if written.readableBytes > 0 { try await writer.write(written) }
                        start = end
                    }
                }
                let rest = try stream.withLock { stream in
                    try stream.finish()
                    return stream.take()
                }
                try await writer.write(rest)
                try await writer.finish(nil)
            })
    }
}

/// libarchive could not go on.
struct ZipFailure: Error {}

/// A zip file as far as it has been written and not taken yet. Nothing is compressed: pixels gain little, and a line
/// that is slow has its answer in a transfer syntax that is small.
@safe struct ZipStream: ~Copyable {
    private let archive: OpaquePointer
    /// Where libarchive puts what it writes; it holds the address for as long as it is open.
    private let output: Output

    private final class Output {
        var buffer = ByteBuffer()
    }

    init() throws(ZipFailure) {
        guard let opened = unsafe archive_write_new() else { throw ZipFailure() }
        let output = Output()
        unsafe archive_write_set_format_zip(opened)
        unsafe archive_write_zip_set_compression_store(opened)
        unsafe archive_write_set_bytes_per_block(opened, 0)
        let code = unsafe archive_write_open(
            opened, Unmanaged.passUnretained(output).toOpaque(), nil,
            { _, target, bytes, count in
                guard let target = unsafe target, let bytes = unsafe bytes else { return -1 }
                let output = unsafe Unmanaged<Output>.fromOpaque(target).takeUnretainedValue()
                unsafe output.buffer.writeBytes(UnsafeRawBufferPointer(start: bytes, count: count))
                return count
            }, nil)
        guard code == ARCHIVE_OK else {
            unsafe archive_write_free(opened)
            throw ZipFailure()
        }
        unsafe archive = opened
        self.output = output
    }

    deinit { unsafe archive_write_free(archive) }

    mutating func begin(_ name: String, length: Int64, at microseconds: Int64) throws(ZipFailure) {
        guard let entry = unsafe archive_entry_new() else { throw ZipFailure() }
        defer { unsafe archive_entry_free(entry) }
        unsafe archive_entry_set_pathname(entry, name)
        // A regular file (S_IFREG).
        unsafe archive_entry_set_filetype(entry, 0o100000)
        unsafe archive_entry_set_perm(entry, 0o644)
        unsafe archive_entry_set_size(entry, length)
        unsafe archive_entry_set_mtime(entry, time_t(microseconds / 1_000_000), 0)
        guard unsafe archive_write_header(archive, entry) == ARCHIVE_OK else { throw ZipFailure() }
    }

    mutating func write(_ bytes: ByteBuffer) throws(ZipFailure) {
        var done = 0
        while done < bytes.readableBytes {
            let written = unsafe bytes.withUnsafeReadableBytes { memory in
                unsafe archive_write_data(archive, memory.baseAddress?.advanced(by: done), memory.count - done)
            }
            guard written > 0 else { throw ZipFailure() }
            done += written
        }
    }

    /// Writes the central directory.
    mutating func finish() throws(ZipFailure) {
        guard unsafe archive_write_close(archive) == ARCHIVE_OK else { throw ZipFailure() }
    }

    /// What has been written since the last call.
    mutating func take() -> ByteBuffer {
        let buffer = output.buffer
        output.buffer = ByteBuffer()
        return buffer
    }
}
