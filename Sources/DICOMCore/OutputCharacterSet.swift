// The character sets that the archive writes, chosen per peer.

/// What a receiver can read. Names in Vietnamese need UTF-8; for the others letters lose their marks.
package enum OutputCharacterSet: String, Sendable, CaseIterable {
    /// ISO_IR 192.
    case utf8
    /// ISO_IR 100.
    case latin1
    /// The default repertoire, nothing declared.
    case ascii

    /// The defined term of Specific Character Set, nil for the default repertoire (PS3.3 Section C.12.1.1.2).
    package var definedTerm: String? {
        switch self {
        case .utf8: "ISO_IR 192"
        case .latin1: "ISO_IR 100"
        case .ascii: nil
        }
    }

    /// The bytes of a text. What does not fit loses its marks (ễ to e, đ to d); what has no such letter becomes `?`.
    package func encode(_ text: String) -> [UInt8] {
        let utf8 = Array(text.utf8)
        if self == .utf8 || utf8.allSatisfy({ $0 < 0x80 }) { return utf8 }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(utf8.count)
        for scalar in Normalization.composed(text).unicodeScalars {
            if scalar.value < 0x80 || self == .latin1 && (0xA0...0xFF).contains(scalar.value) {
                bytes.append(UInt8(scalar.value))
            } else {
                bytes += Fold.withoutMarks(scalar).map { Array($0.utf8) } ?? [0x3F]
            }
        }
        return bytes
    }
}
