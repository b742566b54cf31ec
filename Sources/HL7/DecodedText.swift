// From the bytes of a message to its text: the declared character set, checked against what the bytes are.

/// A character set that text is read in (HL7 Table 0211, and the names that Vietnamese systems write).
package enum TextEncoding: Hashable, Sendable, CustomStringConvertible {
    case ascii
    case utf8
    case latin1
    case vietnamese(VietnameseEncoding)

    /// The set that a value of MSH-18 names, nil for one that is not read here.
    package init?(declared: String) {
        let name = String(declared.uppercased().filter { $0.isASCII && ($0.isLetter || $0.isNumber) })
        switch name {
        case "ASCII", "USASCII", "ISOIR6": self = .ascii
        case "UNICODEUTF8", "UTF8", "UNICODE", "ISOIR192": self = .utf8
        case "88591", "ISO88591", "LATIN1", "ISOIR100", "WINDOWS1252", "CP1252": self = .latin1
        case "WINDOWS1258", "CP1258": self = .vietnamese(.windows1258)
        case "TCVN", "TCVN3", "TCVN5712", "TCVN57121", "TCVN57121993", "ABC": self = .vietnamese(.tcvn3)
        case "VNI", "VNIWINDOWS", "VNIWIN": self = .vietnamese(.vni)
        case "VISCII": self = .vietnamese(.viscii)
        default: return nil
        }
    }

    package var description: String {
        switch self {
        case .ascii: "ASCII"
        case .utf8: "UNICODE UTF-8"
        case .latin1: "8859/1"
        case .vietnamese(let encoding): encoding.rawValue
        }
    }
}

/// The text of bytes, and how it was found.
package struct DecodedText: Hashable, Sendable {
    /// Composed (NFC), unless a letter carries more marks than are taken.
    package let text: String
    /// What MSH-18 says, nil when it says nothing.
    package let declared: String?
    package let encoding: TextEncoding
    /// From 0 to 1; 1 where the bytes are what is declared.
    package let confidence: Double
    /// Whether the text was read otherwise than it is declared, so that somebody may want to look.
    package let isRepaired: Bool
    /// The bytes as they came.
    package let original: [UInt8]

    /// Reads bytes that are declared to be in a set.
    package init(_ bytes: [UInt8], declared: String?) {
        let name = declared.flatMap { $0.isEmpty ? nil : $0 }
        let set = name.flatMap(TextEncoding.init(declared:))
        let reading = Self.read(bytes, set)
        text = LegacyVietnamese.composed(reading.text)
        self.declared = name
        encoding = reading.encoding
        confidence = reading.confidence
        // Undeclared UTF-8 and Latin-1 contradict nothing.
        let isUndeclared = name == nil && (reading.encoding == .utf8 || reading.encoding == .latin1)
        isRepaired =
            reading.isReencoded || (reading.encoding != .ascii && !isUndeclared && reading.encoding != set)
        original = bytes
    }

    /// Reads a message's bytes by its own MSH-18.
    package init(message bytes: [UInt8]) {
        let field = MessageHeader.field(18, of: bytes) ?? []
        // The first repetition is the message's, others are switched to by escape sequences.
        self.init(bytes, declared: String(decoding: field.prefix { $0 != 0x7E }.prefix(64), as: UTF8.self))
    }

    private struct Reading {
        let text: String
        let encoding: TextEncoding
        let confidence: Double
        var isReencoded = false
    }

    private static func read(_ bytes: [UInt8], _ declared: TextEncoding?) -> Reading {
        if !bytes.contains(where: { $0 >= 0x80 }) {
            return Reading(text: String(decoding: bytes, as: UTF8.self), encoding: .ascii, confidence: 1)
        }
        if case .vietnamese(let encoding) = declared {
            return Reading(
                text: LegacyVietnamese.decode(bytes, as: encoding), encoding: .vietnamese(encoding), confidence: 1)
        }
        if let text = String(validating: bytes, as: UTF8.self) {
            guard let repaired = LegacyVietnamese.reencoded(text) else {
                return Reading(text: text, encoding: .utf8, confidence: 1)
            }
            return Reading(
                text: repaired.text, encoding: encoding(repaired), confidence: repaired.score, isReencoded: true)
        }
        if let best = LegacyVietnamese.readings(bytes, isReencoded: false, margin: LegacyVietnamese.margin).first {
            return Reading(text: best.text, encoding: encoding(best), confidence: best.score)
        }
        let text = String(String.UnicodeScalarView(LegacyVietnamese.latin1(bytes[...])))
        return Reading(text: text, encoding: .latin1, confidence: declared == .latin1 ? 1 : 0.5)
    }

    private static func encoding(_ suggestion: Suggestion) -> TextEncoding {
        switch suggestion.encoding {
        case .utf8: .utf8
        case .legacy(let encoding): .vietnamese(encoding)
        }
    }
}

extension Message {
    /// Reads a message from bytes in whatever character set they are.
    package static func read(
        _ bytes: [UInt8], limits: ReadingLimits = ReadingLimits()
    ) throws(HL7Failure) -> (message: Message, text: DecodedText) {
        guard bytes.count <= limits.bytes else { throw .tooLarge(limit: limits.bytes) }
        let text = DecodedText(message: bytes)
        guard !CombiningMarks.areTooMany(in: text.text) else { throw .tooManyMarks(limit: CombiningMarks.most) }
        var wider = limits
        // In UTF-8 a letter takes up to three bytes of what was one.
        wider.bytes = limits.bytes * 3
        return (try Message(parsing: text.text, limits: wider), text)
    }
}
