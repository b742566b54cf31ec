// The characters that divide a message, as its header declares them (HL7 v2.5.1 Section 2.5.4).

/// The separators of one message: MSH-1 and MSH-2. Punctuation of ASCII but for `"`, `+`, `-` and `.`; all differ.
package struct Separators: Hashable, Sendable {
    package let field: UInt8
    package let component: UInt8
    package let repetition: UInt8
    package let escape: UInt8
    package let subcomponent: UInt8
    /// The truncation character, of version 2.7 and later (HL7 v2.7 Section 2.5.5.2).
    package let truncation: UInt8?

    /// `|^~\&`, what the standard recommends.
    package static let standard = Separators(
        field: 0x7C, component: 0x5E, repetition: 0x7E, escape: 0x5C, subcomponent: 0x26, truncation: nil)

    private init(
        field: UInt8, component: UInt8, repetition: UInt8, escape: UInt8, subcomponent: UInt8, truncation: UInt8?
    ) {
        self.field = field
        self.component = component
        self.repetition = repetition
        self.escape = escape
        self.subcomponent = subcomponent
        self.truncation = truncation
    }

    /// Reads MSH-1 and MSH-2. Those that MSH-2 leaves out are the standard's.
    ///
    /// - Parameter encoding: MSH-2 as it came. A doubled backslash and `&amp;`, which programs make of it, are
    ///   understood.
    package init(field: UInt8, encoding: [UInt8]) throws(HL7Failure) {
        var characters = encoding
        if characters.suffix(5) == [0x26, 0x61, 0x6D, 0x70, 0x3B] { characters.removeLast(4) }
        if characters.count >= 4, characters[2] == 0x5C, characters[3] == 0x5C { characters.remove(at: 3) }
        guard characters.count <= 5 else { throw .separators }
        let defaults: [UInt8] = [0x5E, 0x7E, 0x5C, 0x26]
        let all = characters + defaults.dropFirst(characters.count)
        let used = [field] + all
        guard Set(used).count == used.count, used.allSatisfy(Self.isSeparator) else { throw .separators }
        self.init(
            field: field, component: all[0], repetition: all[1], escape: all[2], subcomponent: all[3],
            truncation: all.count > 4 ? all[4] : nil)
    }

    private static func isSeparator(_ byte: UInt8) -> Bool {
        switch byte {
        // What escape sequences, numbers and the null are written with.
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x22, 0x2B, 0x2D, 0x2E: false
        default: (0x21...0x7E).contains(byte)
        }
    }

    /// MSH-2.
    package var encodingCharacters: String {
        String(
            decoding: [component, repetition, escape, subcomponent] + (truncation.map { [$0] } ?? []), as: UTF8.self)
    }

    /// MSH-1.
    package var fieldSeparator: String { String(Unicode.Scalar(field)) }

    /// The letter that stands for a separator between two escape characters (HL7 v2.5.1 Section 2.7.1).
    func letter(for byte: UInt8) -> UInt8? {
        switch byte {
        case field: 0x46
        case component: 0x53
        case subcomponent: 0x54
        case repetition: 0x52
        case escape: 0x45
        case truncation: 0x50
        default: nil
        }
    }

    /// The separator that a letter between two escape characters stands for.
    func byte(for letter: UInt8) -> UInt8? {
        switch letter {
        case 0x46: field
        case 0x53: component
        case 0x54: subcomponent
        case 0x52: repetition
        case 0x45: escape
        case 0x50: truncation
        default: nil
        }
    }
}
