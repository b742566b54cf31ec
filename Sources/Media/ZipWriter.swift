// Writes a zip file entry by entry; beyond 4 GB libarchive turns to zip64 by itself.

import CArchive
import Catalog
import DICOMCore
import Glibc

@safe struct ZipWriter: ~Copyable {
    private let archive: OpaquePointer

    /// - Parameter descriptor: open for writing, and open for longer than this value lives.
    init(descriptor: Int32) throws(MediaFailure) {
        guard let opened = unsafe archive_write_new() else { throw .system(ENOMEM, "writing a zip file") }
        unsafe archive_write_set_format_zip(opened)
        // Images gain little from more effort.
        unsafe archive_write_set_options(opened, "zip:compression-level=2")
        unsafe archive_write_set_bytes_per_block(opened, 256 << 10)
        unsafe archive_write_set_bytes_in_last_block(opened, 1)
        guard unsafe archive_write_open_fd(opened, descriptor) == ARCHIVE_OK else {
            let failure = unsafe Self.failure(opened)
            unsafe archive_write_free(opened)
            throw failure
        }
        unsafe archive = unsafe opened
    }

    deinit { unsafe archive_write_free(archive) }

    mutating func begin(_ file: PlannedFile, length: Int64) throws(MediaFailure) {
        // Compressed pixels do not get smaller.
        let isCompressed = TransferSyntax(file.instance.transferSyntaxUID).isEncapsulated
        if isCompressed {
            unsafe archive_write_zip_set_compression_store(archive)
        } else {
            unsafe archive_write_zip_set_compression_deflate(archive)
        }
        guard let entry = unsafe archive_entry_new() else { throw .system(ENOMEM, "writing a zip file") }
        defer { unsafe archive_entry_free(entry) }
        unsafe archive_entry_set_pathname(entry, file.path)
        unsafe archive_entry_set_filetype(entry, FileKind.regular)
        unsafe archive_entry_set_perm(entry, 0o644)
        unsafe archive_entry_set_size(entry, length)
        unsafe archive_entry_set_mtime(entry, time_t(file.instance.receivedAt / 1_000_000), 0)
        guard unsafe archive_write_header(archive, entry) == ARCHIVE_OK else { throw unsafe Self.failure(archive) }
    }

    mutating func write(_ bytes: [UInt8]) throws(MediaFailure) {
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { bytes in
                unsafe archive_write_data(archive, bytes.baseAddress?.advanced(by: written), bytes.count - written)
            }
            guard count > 0 else { throw unsafe Self.failure(archive) }
            written += count
        }
    }

    /// Writes the central directory.
    mutating func finish() throws(MediaFailure) {
        guard unsafe archive_write_close(archive) == ARCHIVE_OK else { throw unsafe Self.failure(archive) }
    }

    private static func failure(_ archive: OpaquePointer) -> MediaFailure {
        .system(unsafe archive_errno(archive), "writing a zip file")
    }
}
