// The smallest piece of a message: a text, nothing, or the null that deletes (HL7 v2.5.1 Sections 2.5.3 and 2.7).

/// A subcomponent's value.
package struct Value: Hashable, Sendable, ExpressibleByStringLiteral {
    /// A piece of a text with escape sequences that stand for no character.
    enum Run: Hashable, Sendable {
        case plain(String)
        /// What stands between the two escape characters: `H`, `.sp2`, `XE1BB85`, `C2842`, `M001B24`, `Zmark`.
        case sequence(String)
    }

    enum Content: Hashable, Sendable {
        case absent
        case null
        /// Never empty.
        case plain(String)
        /// With at least one sequence.
        case mixed([Run])
    }

    let content: Content

    init(content: Content) { self.content = content }

    /// A text; empty is absent. Line feeds are line breaks.
    package init(_ text: String) { content = text.isEmpty ? .absent : .plain(text) }

    package init(stringLiteral text: String) { self.init(text) }

    /// Nothing was sent: the receiver keeps what it has.
    package static let absent = Value(content: .absent)
    /// `""` was sent: the receiver deletes what it has.
    package static let null = Value(content: .null)

    package var isAbsent: Bool { content == .absent }
    package var isNull: Bool { content == .null }

    /// What a reader sees, nil for absent and null: line breaks as line feeds, formatting left out.
    package var text: String? {
        switch content {
        case .absent, .null: nil
        case .plain(let text): text
        case .mixed(let runs): runs.map(Self.shown).joined()
        }
    }

    private static func shown(_ run: Run) -> String {
        switch run {
        case .plain(let text): return text
        case .sequence(let sequence):
            if sequence.hasPrefix(".") {
                let spaces = sequence.hasPrefix(".sp") || sequence.hasPrefix(".ce")
                return spaces ? "\n" : ""
            }
            // Bytes of no declared set: readable only as UTF-8.
            guard sequence.hasPrefix("X"), let bytes = EscapeSequence.bytes(sequence) else { return "" }
            return String(validating: bytes, as: UTF8.self) ?? ""
        }
    }
}

/// What stands between two escape characters.
enum EscapeSequence {
    /// The longest sequence that is looked for, in bytes.
    static let longest = 4096

    /// Whether these bytes are an escape sequence at all; otherwise the escape character stands for itself.
    static func isKnown(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard let first = bytes.first else { return false }
        let rest = bytes.dropFirst()
        switch first {
        case 0x48, 0x4E: return rest.isEmpty
        case 0x58: return !rest.isEmpty && rest.count.isMultiple(of: 2) && rest.allSatisfy(isHex)
        case 0x43: return rest.count == 4 && rest.allSatisfy(isHex)
        case 0x4D: return (rest.count == 4 || rest.count == 6) && rest.allSatisfy(isHex)
        case 0x2E: return isFormatting(rest)
        case 0x5A: return rest.count <= 64 && rest.allSatisfy { isLetter($0) || isDigit($0) }
        default: return false
        }
    }

    /// The bytes of `Xhh…`, nil for another sequence.
    static func bytes(_ sequence: String) -> [UInt8]? {
        let digits = Array(sequence.utf8.dropFirst())
        guard sequence.utf8.first == 0x58, digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = nibble(digits[index]), let low = nibble(digits[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }

    /// Formatting commands (HL7 v2.5.1 Section 2.7.6).
    private static func isFormatting(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard bytes.count >= 2 else { return false }
        let command = String(decoding: bytes.prefix(2), as: UTF8.self).lowercased()
        let argument = bytes.dropFirst(2)
        guard ["sp", "br", "fi", "nf", "in", "ti", "sk", "ce"].contains(command), argument.count <= 6 else {
            return false
        }
        return argument.allSatisfy { isDigit($0) || $0 == 0x2B || $0 == 0x2D || $0 == 0x20 }
    }

    private static func isHex(_ byte: UInt8) -> Bool { nibble(byte) != nil }
    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
    private static func isLetter(_ byte: UInt8) -> Bool { (0x41...0x5A).contains(byte & 0xDF) }
}
