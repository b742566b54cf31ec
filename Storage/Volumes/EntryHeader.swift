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

/// What stands at an offset of a volume.
enum HeaderReading {
    /// A zero block, or the end of the file.
    case end
    case entry(VolumeEntry)
    case bad(reason: String)
}

extension EntryHeader {
    /// Reads the header blocks at `offset`; `read` gives up to `count` bytes there, fewer at the end of the file.
    static func read(
        volume: Int, at offset: Int64,
        _ read: (_ offset: Int64, _ count: Int) throws(VolumeFailure) -> ArraySlice<UInt8>
    ) throws(VolumeFailure) -> HeaderReading {
        let first = try read(offset, TarBlock.size)
        if first.count < TarBlock.size || first.allSatisfy({ $0 == 0 }) { return .end }
        guard let extended = TarBlock(first), extended.type == TarBlock.extendedHeader else {
            return .bad(reason: "no extended header")
        }
        guard (1...Int64(largestRecords)).contains(extended.length) else { return .bad(reason: "extended header size") }
        let recordsEnd = TarBlock.padded(extended.length)
        let rest = try read(offset + 512, Int(recordsEnd) + 512)
        guard rest.count == Int(recordsEnd) + 512 else { return .bad(reason: "cut off") }
        guard let file = TarBlock(rest.suffix(512)), file.type == TarBlock.regularFile else {
            return .bad(reason: "no file header")
        }
        guard let records = parseRecords(rest.prefix(Int(extended.length))) else { return .bad(reason: "records") }
        guard let length = records.size.map({ Int64($0) }) ?? file.length, length >= 0, length < 1 << 60 else {
            return .bad(reason: "size")
        }
        return entry(
            from: file, lines: records.lines,
            place: Place(
                volume: volume, entryOffset: offset, bodyOffset: offset + 1_024 + recordsEnd, length: length))
    }

    private static func entry(from file: TarBlock, lines: [String: String], place: Place) -> HeaderReading {
        let isErased = file.prefix.hasPrefix(erasedPrefix)
        let folders = file.prefix.dropFirst(isErased ? erasedPrefix.count : 0).split(separator: "/")
        guard folders.count == 2, file.name.hasSuffix(".dcm") else { return .bad(reason: "name") }
        var others = lines
        guard let digest = others.removeValue(forKey: "sha256").flatMap(bytes(hex:)), digest.count == 32,
            let receivedAt = others.removeValue(forKey: "receivedAt").flatMap({ Int64($0) }),
            let source = others.removeValue(forKey: "source"),
            let dataSetOffset = others.removeValue(forKey: "dataSetOffset").flatMap({ Int($0) }),
            let batchOffset = others.removeValue(forKey: "batch").flatMap({ Int64($0) })
        else { return .bad(reason: "facts") }
        let nonce = others.removeValue(forKey: "nonce")
        let receipt = EntryReceipt(receivedAt: receivedAt, source: source, dataSetOffset: dataSetOffset, others: others)
        let facts = EntryFacts(
            studyInstanceUID: String(folders[0]), seriesInstanceUID: String(folders[1]),
            sopInstanceUID: String(file.name.dropLast(4)), digest: digest, receipt: receipt)
        return .entry(
            VolumeEntry(facts: facts, place: place, isErased: isErased, batchOffset: batchOffset, nonce: nonce))
    }

    private static func parseRecords(_ data: ArraySlice<UInt8>) -> (size: String?, lines: [String: String])? {
        var size: String?
        var lines: [String: String] = [:]
        var rest = data
        while !rest.isEmpty {
            guard let space = rest.firstIndex(of: UInt8(ascii: " ")), space - rest.startIndex <= 6,
                let length = Int(String(decoding: rest[..<space], as: UTF8.self)),
                length > space - rest.startIndex + 2, length <= rest.count
            else { return nil }
            let end = rest.startIndex + length
            let record = rest[(space + 1)..<(end - 1)]
            guard let equals = record.firstIndex(of: UInt8(ascii: "=")) else { return nil }
            let value = record[(equals + 1)...]
            switch String(decoding: record[..<equals], as: UTF8.self) {
            case "size": size = String(decoding: value, as: UTF8.self)
            case "comment":
                for line in value.split(separator: UInt8(ascii: "\n")) {
                    let text = String(decoding: line, as: UTF8.self)
                    guard text.hasPrefix("PHIM."), let sign = text.firstIndex(of: "=") else { continue }
                    lines[String(text[..<sign].dropFirst(5))] = String(text[text.index(after: sign)...])
                }
            default: break
            }
            rest = rest[end...]
        }
        return (size, lines)
    }

    /// Reads lower-case hexadecimal.
    static func bytes(hex text: String) -> [UInt8]? {
        let digits = text.utf8.map { UInt8(ascii: "0") <= $0 && $0 <= UInt8(ascii: "9") ? Int($0) - 48 : Int($0) - 87 }
        guard digits.count % 2 == 0, digits.allSatisfy((0..<16).contains) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
