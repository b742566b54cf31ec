// The reading half of the header blocks: from the bytes at an offset of a volume to the entry that stands there.

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
        guard let records = EntryRecords(rest.prefix(Int(extended.length))) else { return .bad(reason: "records") }
        guard let length = records.hasSize ? records.size : file.length, length >= 0, length < 1 << 60 else {
            return .bad(reason: "size")
        }
        return entry(
            from: file, records,
            Place(volume: volume, entryOffset: offset, bodyOffset: offset + 1_024 + recordsEnd, length: length))
    }

    private static func entry(from file: TarBlock, _ records: EntryRecords, _ place: Place) -> HeaderReading {
        let isErased = file.prefix.hasPrefix(erasedPrefix)
        let folders = file.prefix.utf8.dropFirst(isErased ? erasedPrefix.utf8.count : 0).split(
            separator: UInt8(ascii: "/"))
        guard folders.count == 2, file.name.hasSuffix(".dcm") else { return .bad(reason: "name") }
        guard let digest = records.digest, digest.count == 32, let receivedAt = records.receivedAt,
            let source = records.source, let dataSetOffset = records.dataSetOffset,
            let batchOffset = records.batchOffset
        else { return .bad(reason: "facts") }
        let facts = EntryFacts(
            studyInstanceUID: String(Substring(folders[0])), seriesInstanceUID: String(Substring(folders[1])),
            sopInstanceUID: String(file.name.dropLast(4)), digest: digest,
            receipt: EntryReceipt(
                receivedAt: receivedAt, source: source, dataSetOffset: Int(dataSetOffset), others: records.others))
        return .entry(
            VolumeEntry(facts: facts, place: place, isErased: isErased, batchOffset: batchOffset, nonce: records.nonce))
    }

    /// Reads lower-case hexadecimal.
    static func bytes(hex text: String) -> [UInt8]? { bytes(hex: text.utf8) }

    /// Reads lower-case hexadecimal.
    static func bytes(hex text: some Collection<UInt8>) -> [UInt8]? {
        guard text.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 2)
        var high: UInt8?
        for character in text {
            let digit: UInt8
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = character - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = character - UInt8(ascii: "a") + 10
            default: return nil
            }
            if let first = high { bytes.append(first << 4 | digit) }
            high = high == nil ? digit : nil
        }
        return bytes
    }
}

/// The pax records of an entry, taken apart (IEEE Std 1003.1, pax Extended Header).
private struct EntryRecords {
    /// Whether there is a `size` record, which then rules; `size` is nil when it is no number.
    private(set) var hasSize = false
    private(set) var size: Int64?
    private(set) var digest: [UInt8]?
    private(set) var receivedAt: Int64?
    private(set) var source: String?
    private(set) var dataSetOffset: Int64?
    private(set) var batchOffset: Int64?
    private(set) var nonce: String?
    private(set) var others: [String: String] = [:]

    /// Nil unless the bytes are whole records from the first to the last.
    init?(_ data: ArraySlice<UInt8>) {
        var start = data.startIndex
        while start < data.endIndex {
            guard let space = data[start...].prefix(7).firstIndex(of: UInt8(ascii: " ")),
                let length = Self.number(data[start..<space]), length > space - start + 2,
                length <= data.endIndex - start
            else { return nil }
            let end = start + Int(length)
            let record = data[space + 1..<end - 1]
            guard let equals = record.firstIndex(of: UInt8(ascii: "=")) else { return nil }
            let key = record[..<equals]
            if key.elementsEqual("size".utf8) {
                hasSize = true
                size = Self.number(record[(equals + 1)...])
            } else if key.elementsEqual("comment".utf8) {
                takeLines(record[(equals + 1)...])
            }
            start = end
        }
    }

    private mutating func takeLines(_ text: ArraySlice<UInt8>) {
        var start = text.startIndex
        while start < text.endIndex {
            let end = text[start...].firstIndex(of: UInt8(ascii: "\n")) ?? text.endIndex
            take(text[start..<end])
            start = end + 1
        }
    }

    /// Takes `PHIM.key=value`; other lines, as the spaces at the end, are none of ours.
    private mutating func take(_ line: ArraySlice<UInt8>) {
        guard line.starts(with: "PHIM.".utf8), let equals = line.firstIndex(of: UInt8(ascii: "=")) else { return }
        let key = line[(line.startIndex + 5)..<equals]
        let value = line[(equals + 1)...]
        func isKey(_ name: String) -> Bool { key.count == name.utf8.count && key.elementsEqual(name.utf8) }
        if isKey("sha256") {
            digest = EntryHeader.bytes(hex: value)
        } else if isKey("receivedAt") {
            receivedAt = Self.number(value)
        } else if isKey("source") {
            source = String(decoding: value, as: UTF8.self)
        } else if isKey("dataSetOffset") {
            dataSetOffset = Self.number(value)
        } else if isKey("batch") {
            batchOffset = Self.number(value)
        } else if isKey("nonce") {
            nonce = String(decoding: value, as: UTF8.self)
        } else {
            others[String(decoding: key, as: UTF8.self)] = String(decoding: value, as: UTF8.self)
        }
    }

    /// A decimal number; nil when it is none or does not fit.
    private static func number(_ text: ArraySlice<UInt8>) -> Int64? {
        let isNegative = text.first == UInt8(ascii: "-")
        let digits = isNegative || text.first == UInt8(ascii: "+") ? text.dropFirst() : text
        guard !digits.isEmpty else { return nil }
        var value: Int64 = 0
        for byte in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            let (ten, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let digit = Int64(byte - UInt8(ascii: "0"))
            let (sum, overflows) = ten.addingReportingOverflow(isNegative ? -digit : digit)
            if isTooLarge || overflows { return nil }
            value = sum
        }
        return value
    }
}
