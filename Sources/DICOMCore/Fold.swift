// The one way a text becomes a search key: without marks, in capitals, with single spaces (PS3.4 Section C.2.2.2.1).

/// Folding of names for search; patterns and stored names go through the same fold.
package enum Fold {
    /// Marks dropped (ễ to E, đ to D) whether composed or not, upper case, `^` and runs of white space one space,
    /// trimmed. Component groups stay apart by `=`; empty ones at the end are dropped.
    package static func fold(_ text: String) -> String {
        // Only Hangul is compared composed; elsewhere marks are dropped.
        let hasJamo = text.unicodeScalars.contains { (0x1100...0x11FF).contains($0.value) }
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count)
        var pendingSpace = false
        var isGroupStart = true
        for scalar in (hasJamo ? Normalization.composed(text) : text).unicodeScalars {
            if scalar == "=" {
                result.append(0x3D)
                isGroupStart = true
                pendingSpace = false
                continue
            }
            if scalar == "^" || scalar.value <= 0x20 || scalar.value >= 0x80 && scalar.properties.isWhitespace {
                pendingSpace = !isGroupStart
                continue
            }
            let before = result.count
            if pendingSpace { result.append(0x20) }
            append(scalar, to: &result)
            if result.count > before + (pendingSpace ? 1 : 0) {
                pendingSpace = false
                isGroupStart = false
            } else {
                result.removeLast(result.count - before)
            }
        }
        while result.last == 0x3D { result.removeLast() }
        return String(decoding: result, as: UTF8.self)
    }

    private static func append(_ scalar: Unicode.Scalar, to result: inout [UInt8]) {
        if scalar.value < 0x80 {
            let byte = UInt8(scalar.value)
            result.append(byte &- 0x61 < 26 ? byte - 0x20 : byte)
        } else if let index = latinIndex(scalar), latin[index] != 0 {
            result.append(latin[index])
        } else {
            result += String(foldedScalars(scalar)).utf8
        }
    }

    /// The Latin letters with marks that fold to one ASCII letter, 0 for all else: Vietnamese never leaves this table.
    private static let latin: [UInt8] = (0..<0x290).map { index in
        guard let scalar = Unicode.Scalar(UInt32(index < 0x190 ? index + 0xC0 : index - 0x190 + 0x1E00)) else {
            return 0
        }
        let folded = Array(String(foldedScalars(scalar)).utf8)
        return folded.count == 1 ? folded[0] : 0
    }

    private static func latinIndex(_ scalar: Unicode.Scalar) -> Int? {
        switch scalar.value {
        case 0xC0..<0x250: Int(scalar.value) - 0xC0
        case 0x1E00..<0x1F00: Int(scalar.value) - 0x1E00 + 0x190
        default: nil
        }
    }

    /// A letter without its marks, case kept: what an ASCII-only reader is given. Nil when there is no such letter.
    static func withoutMarks(_ scalar: Unicode.Scalar) -> String? {
        if scalar.value < 0x80 { return String(scalar) }
        if let special = letters[scalar] { return special }
        if isMark(scalar) || isIgnored(scalar) { return "" }
        guard let base = Normalization.decomposed(scalar).first, base != scalar else { return nil }
        return withoutMarks(base)
    }

    private static func foldedScalars(_ scalar: Unicode.Scalar) -> String.UnicodeScalarView {
        if scalar.value < 0x80 {
            let isLower = scalar.value >= 0x61 && scalar.value <= 0x7A
            return String.UnicodeScalarView([isLower ? Unicode.Scalar(UInt8(scalar.value - 0x20)) : scalar])
        }
        if let special = letters[scalar] { return special.uppercased().unicodeScalars }
        // Full-width forms of ASCII are the same letters.
        if (0xFF01...0xFF5E).contains(scalar.value), let narrow = Unicode.Scalar(scalar.value - 0xFEE0) {
            return foldedScalars(narrow)
        }
        var result = String.UnicodeScalarView()
        for part in Normalization.decomposed(scalar) where !isMark(part) && !isIgnored(part) {
            if let special = letters[part] {
                result.append(contentsOf: special.uppercased().unicodeScalars)
            } else {
                result.append(contentsOf: part.properties.uppercaseMapping.unicodeScalars)
            }
        }
        return result
    }

    /// Marks that distinguish no letter: the diacritical blocks, Hebrew points and Arabic vowel signs. The voicing marks
    /// of kana stay, they make other letters.
    private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x0300...0x036F, 0x0591...0x05BD, 0x064B...0x0652, 0x1AB0...0x1AFF, 0x1DC0...0x1DFF, 0x20D0...0x20FF,
            0xFE20...0xFE2F:
            true
        default: false
        }
    }

    /// Zero-width characters and the soft hyphen.
    private static func isIgnored(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x00AD, 0x200B...0x200F, 0x2060, 0xFEFF: true
        default: false
        }
    }

    /// Letters that Unicode does not decompose. Ð (Eth) looks like Đ and is typed for it.
    private static let letters: [Unicode.Scalar: String] = [
        "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ħ": "h", "Ħ": "H", "ı": "i",
        "ŧ": "t", "Ŧ": "T", "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "þ": "th", "Þ": "TH",
        "ŋ": "n", "Ŋ": "N", "ĸ": "k", "ſ": "s", "ƀ": "b", "Ɖ": "D", "ɖ": "d", "\u{2018}": "'", "\u{2019}": "'",
        "\u{201C}": "\"", "\u{201D}": "\"", "\u{2010}": "-", "\u{2011}": "-", "\u{2013}": "-", "\u{2014}": "-",
        "\u{2026}": "...", "\u{00A0}": " ",
    ]
}
