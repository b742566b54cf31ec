// One 512-byte header block of POSIX tar (IEEE Std 1003.1, pax, ustar Interchange Format), written and read.

/// The fields of a ustar header that Phim uses.
struct TarBlock: Equatable {
    static let size = 512
    /// What tar programs read and write at a time; archives end on a multiple of it.
    static let recordSize: Int64 = 10_240
    /// The largest size that the octal field holds; beyond it a pax `size` record rules.
    static let largestOctalSize: Int64 = 0o77777777777
    static let regularFile = UInt8(ascii: "0")
    static let extendedHeader = UInt8(ascii: "x")

    var name: String
    var prefix: String
    var length: Int64
    var modified: Int64
    var type: UInt8

    init(name: String, prefix: String, length: Int64, modified: Int64, type: UInt8) {
        self.name = name
        self.prefix = prefix
        self.length = length
        self.modified = modified
        self.type = type
    }

    /// `bytes` rounded up to whole blocks.
    static func padded(_ bytes: Int64) -> Int64 { (bytes + 511) / 512 * 512 }

    /// The size of an archive whose entries end at `tail`: two zero blocks, then up to a whole record.
    static func archiveSize(tail: Int64) -> Int64 { (tail + 1_024 + recordSize - 1) / recordSize * recordSize }

    /// The block, with its checksum.
    func encoded() -> [UInt8] {
        var block = [UInt8](repeating: 0, count: Self.size)
        func put(_ text: String, at offset: Int) {
            var position = offset
            for byte in text.utf8 {
                block[position] = byte
                position += 1
            }
        }
        put(name, at: 0)
        put("0000644", at: 100)
        put("0000000", at: 108)
        put("0000000", at: 116)
        put(Self.octal(length <= Self.largestOctalSize ? length : 0, digits: 11), at: 124)
        put(Self.octal(min(max(modified, 0), Self.largestOctalSize), digits: 11), at: 136)
        block[156] = type
        put("ustar", at: 257)
        put("00", at: 263)
        put("0000000", at: 329)
        put("0000000", at: 337)
        put(prefix, at: 345)
        put(Self.octal(Self.checksum(of: block[...]), digits: 6), at: 148)
        block[155] = UInt8(ascii: " ")
        return block
    }

    /// Reads a block; nil unless it is a ustar header with a true checksum.
    init?(_ block: ArraySlice<UInt8>) {
        guard block.count == Self.size else { return nil }
        let base = block.startIndex
        func field(_ offset: Int, _ count: Int) -> ArraySlice<UInt8> { block[base + offset..<base + offset + count] }
        guard field(257, 6).elementsEqual("ustar\0".utf8),
            Self.number(field(148, 8)) == Self.checksum(of: block),
            let length = Self.number(field(124, 12)), let modified = Self.number(field(136, 12))
        else { return nil }
        self.init(
            name: Self.text(field(0, 100)), prefix: Self.text(field(345, 155)), length: length, modified: modified,
            type: block[base + 156])
    }

    /// The sum of all bytes, with those of the checksum field taken as spaces.
    private static func checksum(of block: ArraySlice<UInt8>) -> Int64 {
        let field = block.startIndex + 148..<block.startIndex + 156
        var sum = 0
        for byte in block { sum &+= Int(byte) }
        for byte in block[field] { sum &-= Int(byte) }
        return Int64(sum + 8 * 32)
    }

    private static func octal(_ value: Int64, digits: Int) -> String {
        let text = String(value, radix: 8)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    private static func number(_ field: ArraySlice<UInt8>) -> Int64? {
        var value: Int64 = 0
        var digits = 0
        for byte in field {
            if byte == 0 || byte == UInt8(ascii: " ") {
                if digits > 0 { break }
                continue
            }
            guard (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(byte), digits < 12 else { return nil }
            value = value << 3 | Int64(byte - UInt8(ascii: "0"))
            digits += 1
        }
        return digits > 0 ? value : nil
    }

    private static func text(_ field: ArraySlice<UInt8>) -> String {
        String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
    }
}
