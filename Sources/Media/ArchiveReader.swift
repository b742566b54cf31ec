// Reads zip, tar and ISO 9660 files entry by entry, without writing anything to disk.

import CArchive
import Glibc

/// An archive file that is open. Not for two threads at once.
@safe struct ArchiveReader: ~Copyable {
    struct Entry: Sendable {
        enum Kind: Sendable { case file, other }

        let name: RawPath
        let kind: Kind
        let isEncrypted: Bool
    }

    private let archive: OpaquePointer

    init(_ path: RawPath) throws(MediaFailure) {
        guard let opened = unsafe archive_read_new() else { throw .damaged(reason: "no memory to open it") }
        // Only what media come in: every further format is a further parser that hostile bytes could reach.
        unsafe archive_read_support_format_zip(opened)
        unsafe archive_read_support_format_tar(opened)
        unsafe archive_read_support_format_iso9660(opened)
        unsafe archive_read_support_filter_gzip(opened)
        unsafe archive_read_support_filter_bzip2(opened)
        unsafe archive_read_support_filter_xz(opened)
        unsafe archive_read_support_filter_zstd(opened)
        let status = unsafe path.withCString { unsafe archive_read_open_filename(opened, $0, 256 << 10) }
        guard status == ARCHIVE_OK else {
            let reason = unsafe Self.reason(opened)
            unsafe archive_read_free(opened)
            throw .damaged(reason: reason)
        }
        unsafe archive = unsafe opened
    }

    deinit { unsafe archive_read_free(archive) }

    /// The next entry, nil at the end. What was not read of the one before is passed over.
    mutating func next() throws(MediaFailure) -> Entry? {
        var entry: OpaquePointer?
        var status = unsafe archive_read_next_header(archive, &entry)
        for _ in 0..<8 where status == ARCHIVE_RETRY { status = unsafe archive_read_next_header(archive, &entry) }
        if status == ARCHIVE_EOF { return nil }
        guard status == ARCHIVE_OK || status == ARCHIVE_WARN, let entry = unsafe entry else {
            throw unsafe .damaged(reason: Self.reason(archive))
        }
        let isFile = unsafe archive_entry_filetype(entry) == FileKind.regular && archive_entry_hardlink(entry) == nil
        return Entry(
            name: unsafe Self.name(entry), kind: isFile ? .file : .other,
            isEncrypted: unsafe archive_entry_is_encrypted(entry) != 0)
    }

    /// Fills the buffer as far as the entry goes; 0 at its end.
    mutating func read(into buffer: inout [UInt8]) throws(MediaFailure) -> Int {
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            unsafe archive_read_data(archive, bytes.baseAddress, bytes.count)
        }
        guard count >= 0 else { throw unsafe .damaged(reason: Self.reason(archive)) }
        return count
    }

    private static func name(_ entry: OpaquePointer) -> RawPath {
        guard let name = unsafe archive_entry_pathname(entry) ?? archive_entry_pathname_utf8(entry) else {
            return RawPath("?")
        }
        return RawPath(bytes: unsafe Array(UnsafeRawBufferPointer(start: name, count: strlen(name))))
    }

    /// libarchive's own words. They may quote an entry's name, so only what stands before a quotation is kept.
    private static func reason(_ archive: OpaquePointer) -> String {
        guard let text = unsafe archive_error_string(archive) else { return "damaged archive file" }
        let words = unsafe String(cString: text).prefix { $0 != "'" && $0 != "\"" && $0 != ":" }
        return "damaged archive file: \(words)"
    }
}

/// Names inside archive files are UTF-8 to us, whatever the environment of the process says.
enum NameEncoding {
    /// Sets the character encoding of the calling thread for the time of `body`.
    static func withUTF8(_ body: () -> Void) {
        guard let locale = unsafe newlocale(LC_CTYPE_MASK, "C.UTF-8", nil) else { return body() }
        let before = unsafe uselocale(locale)
        body()
        unsafe uselocale(before)
        unsafe freelocale(locale)
    }
}

/// libarchive's `AE_IFREG`, which is a macro with a cast and does not reach Swift.
enum FileKind {
    static let regular: UInt32 = 0o100000
}
