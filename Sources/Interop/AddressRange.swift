// Which machines may connect: addresses and networks.

import Glibc

/// An address, or a network as `10.1.0.0/16` or `fd00::/8`.
package struct AddressRange: Hashable, Sendable {
    private let bytes: [UInt8]
    private let bits: Int

    /// Nil when the text is neither.
    package init?(_ text: String) {
        let halves = text.split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count <= 2, let bytes = Self.bytes(String(halves[0])) else { return nil }
        self.bytes = bytes
        guard halves.count == 2 else {
            bits = bytes.count * 8
            return
        }
        let isNumber = halves[1].utf8.allSatisfy { (0x30...0x39).contains($0) }
        guard isNumber, let bits = Int(halves[1]), bits <= bytes.count * 8 else { return nil }
        self.bits = bits
    }

    /// Whether an address lies in it.
    package func contains(_ address: String) -> Bool {
        guard let other = Self.bytes(address), other.count == bytes.count else { return false }
        let whole = bits / 8
        guard bytes[..<whole] == other[..<whole] else { return false }
        let rest = bits % 8
        return rest == 0 || (bytes[whole] ^ other[whole]) >> UInt8(8 - rest) == 0
    }

    /// The four or sixteen bytes of an address; version 4 inside of version 6 is version 4.
    private static func bytes(_ text: String) -> [UInt8]? {
        // The zone of a link-local address is of this machine only.
        let text = String(text.prefix { $0 != "%" })
        var bytes = [UInt8](repeating: 0, count: 16)
        if unsafe inet_pton(AF_INET, text, &bytes) == 1 { return Array(bytes[..<4]) }
        guard unsafe inet_pton(AF_INET6, text, &bytes) == 1 else { return nil }
        let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        return isMapped ? Array(bytes[12...]) : bytes
    }
}
