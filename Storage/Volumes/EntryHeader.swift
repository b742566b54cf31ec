// The blocks before a body: a pax extended header that carries Phim's facts, then the ustar header that names the file.

/// Writes and reads the header blocks of an entry. The facts stand in one pax `comment` record, as lines of
/// `PHIM.key=value`: vendor keywords would make GNU tar print a warning for each, comments pass silently, and
/// trailing spaces in it let the record fill its blocks exactly.
enum EntryHeader {
    /// The name prefix of a deleted entry.
    static let erasedPrefix = ".erased/"
    /// Header bytes of a streamed entry: its facts are known last, so their room is set aside first.
    static let streamedLength = 4_096
    /// More than this is not read as a pax header.
    static let largestRecords = 65_536
    /// Records with a meaning of their own; no further fact may have such a name.
    private static let reserved: Set = ["sha256", "receivedAt", "source", "dataSetOffset", "batch", "nonce"]

    /// Header blocks for `facts`; at least 1,536 bytes, or exactly `exactLength` when given.
    static func encode(
        _ facts: EntryFacts, length: Int64, batchOffset: Int64, nonce: String?, exactLength: Int? = nil
    ) throws(VolumeFailure) -> [UInt8] {
        for uid in [facts.studyInstanceUID, facts.seriesInstanceUID, facts.sopInstanceUID] where !isUID(uid) {
            throw .invalidEntry(reason: "not a UID")
        }
        guard facts.digest.count == 32 else { throw .invalidEntry(reason: "digest is not SHA-256") }
        let records = try records(of: facts, length: length, batchOffset: batchOffset, nonce: nonce, exact: exactLength)
        let seconds = facts.receipt.receivedAt / 1_000_000
        let extended = TarBlock(
            name: "PaxHeaders/\(facts.sopInstanceUID)", prefix: "", length: Int64(records.count), modified: seconds,
            type: TarBlock.extendedHeader)
        let file = TarBlock(
            name: "\(facts.sopInstanceUID).dcm", prefix: "\(facts.studyInstanceUID)/\(facts.seriesInstanceUID)",
            length: length, modified: seconds, type: TarBlock.regularFile)
        return extended.encoded() + records + file.encoded()
    }

    /// PS3.5 Section 9.1: digits and periods, 64 at most.
    private static func isUID(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { $0 == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            && text.utf8.contains { $0 != UInt8(ascii: ".") }
    }

    private static func records(
        of facts: EntryFacts, length: Int64, batchOffset: Int64, nonce: String?, exact: Int?
    ) throws(VolumeFailure) -> [UInt8] {
        var lines = "PHIM.sha256=\(hex(facts.digest))\n"
        lines += "PHIM.receivedAt=\(facts.receipt.receivedAt)\n"
        lines += "PHIM.source=\(oneLine(facts.receipt.source))\n"
        lines += "PHIM.dataSetOffset=\(facts.receipt.dataSetOffset)\n"
        // Fixed width: a batch takes as many blocks wherever it comes to lie.
        let zeros = String(repeating: "0", count: max(0, 15 - "\(batchOffset)".utf8.count))
        lines += "PHIM.batch=\(zeros)\(batchOffset)\n"
        if let nonce { lines += "PHIM.nonce=\(nonce)\n" }
        for (key, value) in facts.receipt.others.sorted(by: { $0.key < $1.key }) {
            guard !key.isEmpty, !reserved.contains(key),
                key.utf8.allSatisfy({ $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "=") })
            else { throw .invalidEntry(reason: "record key") }
            lines += "PHIM.\(key)=\(oneLine(value))\n"
        }
        let size = length > TarBlock.largestOctalSize ? record("size", String(length)) : ""
        let needed = Int64(size.utf8.count + lines.utf8.count + "99999 comment=\n".utf8.count)
        let total = exact.map { $0 - 2 * TarBlock.size } ?? Int(TarBlock.padded(needed))
        guard Int(needed) <= total, total <= largestRecords else { throw .invalidEntry(reason: "records too long") }
        let commentLength = total - size.utf8.count
        let padding = commentLength - "\(commentLength) comment=\n".utf8.count - lines.utf8.count
        return Array("\(size)\(commentLength) comment=\(lines)\(String(repeating: " ", count: padding))\n".utf8)
    }

    /// One pax record: its length counts its own digits.
    private static func record(_ key: String, _ value: String) -> String {
        let rest = " \(key)=\(value)\n"
        var length = rest.utf8.count + 1
        while "\(length)".utf8.count + rest.utf8.count != length { length += 1 }
        return "\(length)\(rest)"
    }

    private static func oneLine(_ text: String) -> String {
        String(text.unicodeScalars.map { $0.value < 32 ? " " : Character($0) })
    }

    /// Lower-case hexadecimal.
    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in bytes { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }
}
