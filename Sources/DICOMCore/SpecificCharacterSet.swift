// Which characters the bytes of a text are: Specific Character Set (0008,0005) (PS3.3 Section C.12.1.1.2).

/// The character sets of a data set, as declared. (`CharacterSet` is Foundation's name.)
package struct SpecificCharacterSet: Hashable, Sendable {
    /// The default repertoire (PS3.5 Section 6.1.2.1).
    package static let `default` = SpecificCharacterSet(terms: [])

    /// The declared defined terms, as they are written.
    package let terms: [String]
    /// What is in force before any escape sequence.
    let initial: Repertoire
    /// Whether a term is not one of the standard's, nor a known misspelling of one.
    package let isUnknown: Bool

    /// The character sets of defined terms.
    package init(terms: [String]) {
        self.terms = terms
        let known = terms.map(Repertoire.init(term:))
        initial = (known.first ?? .ascii) ?? .ascii
        isUnknown = known.contains { $0 == nil }
    }

    /// More defined terms than there are character sets to declare; further ones do not count.
    static let mostTerms = 32

    /// Splits the value of Specific Character Set.
    package static func terms(in value: ArraySlice<UInt8>) -> [String] {
        let terms = value.prefix(ValueLimits.firstBytes)
            .split(separator: 0x5C, maxSplits: mostTerms, omittingEmptySubsequences: false).prefix(mostTerms)
            .map { DataSet.trimmed(String(decoding: $0, as: UTF8.self), leading: true) }
        return terms == [""] ? [] : terms
    }

    /// The text that bytes stand for; what cannot be read becomes U+FFFD. `isPersonName` makes `^` and `=` end an
    /// extension as backslash and line ends do (PS3.5 Section 6.1.2.5.3).
    package func decode(_ bytes: ArraySlice<UInt8>, isPersonName: Bool = false) -> String {
        reading(bytes, isPersonName).text
    }

    /// The text that bytes stand for; nil where they could only be guessed: letters in a set that nothing declares, an
    /// escape sequence or a byte that means nothing. What nothing declares and is valid UTF-8 is no guess.
    package func certainText(_ bytes: ArraySlice<UInt8>, isPersonName: Bool = false) -> String? {
        let (text, isCertain) = reading(bytes, isPersonName)
        return isCertain && !isUnknown && !text.unicodeScalars.contains("\u{FFFD}") ? text : nil
    }

    /// What may be written beside this declaration so that everybody reads it: the default repertoire is a part of every
    /// set, other letters need a set that is in force without an escape sequence.
    package var outputSets: [OutputCharacterSet] {
        switch initial {
        case .utf8: [.ascii, .utf8]
        case .latin1: [.ascii, .latin1]
        case .ascii, .singleByte, .jisX0201, .ksX1001, .gb2312, .gb18030, .gbk: [.ascii]
        }
    }

    private func reading(_ bytes: ArraySlice<UInt8>, _ isPersonName: Bool) -> (text: String, isCertain: Bool) {
        var isPlain = true
        var hasEscape = false
        for byte in bytes {
            if byte >= 0x80 { isPlain = false }
            if byte == 0x1B { hasEscape = true }
        }
        if isPlain && !hasEscape { return (String(decoding: bytes, as: UTF8.self), true) }
        switch initial {
        case .utf8: return (String(decoding: bytes, as: UTF8.self), !hasEscape)
        case .gb18030: return SpecificCharacterSet.converted(bytes, from: "GB18030")
        case .gbk: return SpecificCharacterSet.converted(bytes, from: "GBK")
        case .ascii where !hasEscape: return SpecificCharacterSet.guess(bytes)
        case .latin1 where !hasEscape: return (SpecificCharacterSet.latin1(bytes), true)
        default:
            var decoder = ISO2022Decoder(initial: initial, isPersonName: isPersonName)
            return (decoder.decode(bytes), !decoder.hasGuessed)
        }
    }

    private static func converted(_ bytes: ArraySlice<UInt8>, from name: String) -> (text: String, isCertain: Bool) {
        Iconv.decode(bytes, from: name).map { ($0, true) } ?? (guess(bytes).text, false)
    }

    /// Text beyond ASCII that nothing declares: UTF-8 where it is valid, else Latin-1, which anything would be.
    static func guess(_ bytes: ArraySlice<UInt8>) -> (text: String, isCertain: Bool) {
        String(validating: bytes, as: UTF8.self).map { ($0, true) } ?? (latin1(bytes), false)
    }

    static func latin1(_ bytes: ArraySlice<UInt8>) -> String {
        var text = String.UnicodeScalarView()
        for byte in bytes { text.append(Unicode.Scalar(byte)) }
        return String(text)
    }
}

/// A set of characters and its code (PS3.3 Tables C.12-2 to C.12-5).
enum Repertoire: Hashable, Sendable {
    case ascii
    case latin1
    /// Another single-byte set, by the name that iconv knows it under.
    case singleByte(String)
    case jisX0201
    case ksX1001
    case gb2312
    case utf8
    case gb18030
    case gbk

    /// The repertoire of a defined term; spaces, hyphens and underscores do not count, so that the misspellings seen in
    /// the field (`ISO-IR 100`, `ISO_IR100`, `ISO 8859-1`, `UTF-8`) are understood. Nil for an unknown term.
    init?(term: String) {
        let key = term.uppercased().filter { $0.isLetter || $0.isNumber }
        guard let known = Repertoire.byTerm[key] else { return nil }
        self = known
    }

    private static let byTerm: [String: Repertoire] = {
        var table: [String: Repertoire] = [
            "": .ascii, "ISOIR192": .utf8, "ISO2022IR192": .utf8, "UTF8": .utf8, "GB18030": .gb18030, "GBK": .gbk,
            "ISO2022GB18030": .gb18030, "ISO2022GBK": .gbk, "LATIN1": .latin1, "ASCII": .ascii, "USASCII": .ascii,
        ]
        // ISO 2022 IR 87 and 159 replace G0 by escape only; before one it is ASCII.
        let registered: [(Int, Repertoire)] = [
            (6, .ascii), (13, .jisX0201), (58, .gb2312), (87, .ascii), (100, .latin1), (101, .singleByte("ISO-8859-2")),
            (109, .singleByte("ISO-8859-3")), (110, .singleByte("ISO-8859-4")), (126, .singleByte("ISO-8859-7")),
            (127, .singleByte("ISO-8859-6")), (138, .singleByte("ISO-8859-8")), (144, .singleByte("ISO-8859-5")),
            (148, .singleByte("ISO-8859-9")), (149, .ksX1001), (159, .ascii), (166, .singleByte("TIS-620")),
            (203, .singleByte("ISO-8859-15")),
        ]
        for (number, repertoire) in registered {
            table["ISOIR\(number)"] = repertoire
            table["ISO2022IR\(number)"] = repertoire
            if case .singleByte(let name) = repertoire { table[name.filter { $0 != "-" }] = repertoire }
        }
        table["ISO88591"] = .latin1
        return table
    }()
}
