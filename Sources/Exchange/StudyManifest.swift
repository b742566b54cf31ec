// What a study consists of, as one digest: two archives that hold the same objects say the same.

import Crypto

/// Digests of files by SOP Instance UID.
package struct StudyManifest: Sendable {
    package let objects: [String: [UInt8]]

    package init(_ objects: [String: [UInt8]]) { self.objects = objects }

    /// UIDs in the order in which they stand in the manifest: by their octets.
    package var uids: [String] { Self.ordered(objects.keys) }

    /// SHA-256 over a line for each object: `UID SP DIGEST LF`, the digest in hexadecimal.
    package var digest: [UInt8] {
        var hash = SHA256()
        for uid in uids { hash.update(data: Array("\(uid) \(Hexadecimal.text(objects[uid] ?? []))\n".utf8)) }
        return Array(hash.finalize())
    }

    static func ordered(_ uids: some Sequence<String>) -> [String] {
        uids.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}

/// Octets as text.
enum Hexadecimal {
    private static let digits = Array("0123456789abcdef".utf8)

    static func text(_ bytes: some Sequence<UInt8>) -> String {
        String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// Nil for what is not exactly so many octets.
    static func bytes(_ text: String, count: Int) -> [UInt8]? {
        let digits = text.utf8.map(value)
        guard digits.count == 2 * count, !digits.contains(16) else { return nil }
        return (0..<count).map { digits[2 * $0] << 4 | digits[2 * $0 + 1] }
    }

    private static func value(_ digit: UInt8) -> UInt8 {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: 16
        }
    }
}

/// A bit for each of some objects in order.
enum BitList {
    static func bytes(_ bits: [Bool]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: (bits.count + 7) / 8)
        for (index, bit) in bits.enumerated() where bit { bytes[index / 8] |= 0x80 >> (index % 8) }
        return bytes
    }

    /// Nil when there are not as many.
    static func bits(_ bytes: [UInt8], count: Int) -> [Bool]? {
        guard bytes.count == (count + 7) / 8 else { return nil }
        return (0..<count).map { bytes[$0 / 8] & 0x80 >> ($0 % 8) != 0 }
    }
}
