// Vietnamese text whose bytes are not what is declared: decoded in every way, and judged by the syllables that come out.

import Foundation

/// A way to read bytes.
package struct Suggestion: Hashable, Sendable {
    package enum Encoding: Hashable, Sendable {
        case legacy(VietnameseEncoding)
        case utf8
    }

    package let encoding: Encoding
    /// Composed (NFC).
    package let text: String
    /// From 0 to 1: how much of what has marks is Vietnamese.
    package let score: Double
    /// Whether the bytes were taken for Latin-1 once and then written as UTF-8.
    package let isReencoded: Bool
}

/// Finds out which of the old encodings of Vietnamese bytes are in.
package enum LegacyVietnamese {
    /// Bytes looked at to find the encoding.
    static let sample = 64 << 10
    /// How much better than the plain reading another one has to be.
    static let margin = 0.4

    /// Readings that are more plausible than Latin-1, the best one first; none for plain ASCII and for text that is
    /// what it claims to be. Made for names that old devices send under ISO_IR 100 or without a character set.
    package static func suggest(_ bytes: [UInt8]) -> [Suggestion] {
        guard bytes.contains(where: { $0 >= 0x80 }) else { return [] }
        if let text = String(validating: bytes, as: UTF8.self) {
            if let repaired = reencoded(text) { return [repaired] }
            let judged = Evidence(pieces(text))
            return [
                Suggestion(encoding: .utf8, text: composed(text), score: max(judged.share, 0.5), isReencoded: false)
            ]
        }
        return readings(bytes, isReencoded: false, margin: margin)
    }

    /// For text that came as UTF-8 and yet holds the letters of an old font, or UTF-8 twice.
    static func reencoded(_ text: String) -> Suggestion? {
        var bytes: [UInt8] = []
        var isPlain = true
        for scalar in text.unicodeScalars {
            guard let byte = VietnameseTables.windows1252Byte(scalar) else { return nil }
            if byte >= 0x80 { isPlain = false }
            bytes.append(byte)
        }
        guard !isPlain else { return nil }
        if let twice = String(validating: bytes, as: UTF8.self) {
            return Suggestion(encoding: .utf8, text: composed(twice), score: 1, isReencoded: true)
        }
        // What is declared and valid is left only for something much better.
        return readings(bytes, isReencoded: true, margin: 2 * margin).first
    }

    static func readings(_ bytes: [UInt8], isReencoded: Bool, margin: Double) -> [Suggestion] {
        let sample = self.sample(of: bytes)
        let plain = Evidence(sample.map(latin1))
        var found: [(Suggestion, sum: Double)] = []
        for encoding in VietnameseEncoding.allCases {
            var (misses, rare) = (0, 0)
            let evidence = Evidence(
                sample.map { piece in
                    let (text, missed) = scalars(piece, encoding)
                    misses += missed
                    if encoding == .tcvn3 { rare += piece.count(where: VietnameseTables.isRareTCVN3) }
                    return Array(composed(text).unicodeScalars)
                }, misses: misses, rare: rare)
            guard evidence.share >= 0.7, evidence.sum > 0, evidence.sum > plain.sum + margin else { continue }
            let suggestion = Suggestion(
                encoding: .legacy(encoding), text: decode(bytes, as: encoding), score: evidence.share,
                isReencoded: isReencoded)
            found.append((suggestion, evidence.sum))
        }
        return found.sorted { $0.sum > $1.sum }.map(\.0)
    }

    /// The text of bytes in an encoding, composed. A byte that stands for nothing is read as Latin-1.
    package static func decode(_ bytes: [UInt8], as encoding: VietnameseEncoding) -> String {
        var text = String.UnicodeScalarView()
        for piece in bytes.split(omittingEmptySubsequences: false, whereSeparator: isBoundary) {
            text.append(contentsOf: scalars(piece, encoding).0.unicodeScalars)
            if piece.endIndex < bytes.endIndex { text.append(Unicode.Scalar(bytes[piece.endIndex])) }
        }
        return composed(String(text))
    }

    /// Composed (NFC), by Foundation; as it is where a letter carries more marks than are taken.
    static func composed(_ text: String) -> String {
        let isComposed = text.unicodeScalars.allSatisfy { $0.value < 0x300 || (0x1E00..<0x1F00).contains($0.value) }
        return isComposed || CombiningMarks.areTooMany(in: text) ? text : text.precomposedStringWithCanonicalMapping
    }

    /// Where a piece of text ends for certain: fields, repetitions and lines.
    private static func isBoundary(_ byte: UInt8) -> Bool { [0x7C, 0x7E, 0x0D, 0x0A].contains(byte) }

    private static func sample(of bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        var left = sample
        var pieces: [ArraySlice<UInt8>] = []
        for piece in bytes.split(whereSeparator: isBoundary) where piece.contains(where: { $0 >= 0x80 }) {
            pieces.append(piece.prefix(left))
            left -= min(left, piece.count)
            if left == 0 { break }
        }
        return pieces
    }

    private static func pieces(_ text: String) -> [[Unicode.Scalar]] {
        sample(of: Array(text.utf8)).map { Array(composed(String(decoding: $0, as: UTF8.self)).unicodeScalars) }
    }

    static func latin1(_ bytes: ArraySlice<UInt8>) -> [Unicode.Scalar] {
        bytes.map { byte in
            (0x80..<0xA0).contains(byte)
                ? VietnameseTables.windows1252Controls[Int(byte) - 0x80] ?? Unicode.Scalar(byte) : Unicode.Scalar(byte)
        }
    }

    /// The text of one piece, and how many bytes stood for nothing.
    private static func scalars(_ bytes: ArraySlice<UInt8>, _ encoding: VietnameseEncoding) -> (String, Int) {
        switch encoding {
        case .vni: return VNIDecoder.decode(bytes)
        case .windows1258: return single(bytes, VietnameseTables.windows1258, [:])
        case .viscii: return single(bytes, VietnameseTables.viscii, VietnameseTables.visciiControls)
        case .tcvn3:
            let (text, missed) = single(bytes, VietnameseTables.tcvn3, VietnameseTables.tcvn3Controls)
            return (FontCapitals.restore(text), missed)
        }
    }

    private static func single(
        _ bytes: ArraySlice<UInt8>, _ table: [Unicode.Scalar?], _ controls: [UInt8: Unicode.Scalar]
    ) -> (String, Int) {
        var text = String.UnicodeScalarView()
        var missed = 0
        for byte in bytes {
            if byte >= 0x80 {
                if table[Int(byte) - 0x80] == nil { missed += 1 }
                text.append(table[Int(byte) - 0x80] ?? Unicode.Scalar(byte))
            } else {
                text.append(controls[byte] ?? Unicode.Scalar(byte))
            }
        }
        return (String(text), missed)
    }
}

/// VNI: a mark's byte follows its letter.
enum VNIDecoder {
    static func decode(_ bytes: ArraySlice<UInt8>) -> (String, Int) {
        var text = String.UnicodeScalarView()
        var missed = 0
        var at = bytes.startIndex
        while at < bytes.endIndex {
            let byte = bytes[at]
            at += 1
            guard let base = base(byte) else {
                if byte >= 0x80 { missed += 1 }
                text.append(Unicode.Scalar(byte))
                continue
            }
            guard at < bytes.endIndex, let vowel = marked(base.letter, bytes[at]) else {
                text.append(base.isCapital ? VietnameseLetter.capital(base.letter) : base.letter)
                continue
            }
            at += 1
            text.append(base.isCapital ? VietnameseLetter.capital(vowel) : vowel)
        }
        return (String(text), missed)
    }

    private static func base(_ byte: UInt8) -> (letter: Unicode.Scalar, isCapital: Bool)? {
        if byte < 0x80 {
            let small = byte | 0x20
            guard (0x61...0x7A).contains(small), (byte & 0xDF) >= 0x41 else { return nil }
            return (Unicode.Scalar(small), byte & 0x20 == 0)
        }
        guard byte >= 0xC0 else { return nil }
        return VietnameseTables.vniLetters[byte | 0x20].map { ($0, byte & 0x20 == 0) }
    }

    private static func marked(_ letter: Unicode.Scalar, _ mark: UInt8) -> Unicode.Scalar? {
        guard mark >= 0xC0 else { return nil }
        let mark = mark | 0x20
        if letter != "i", let tones = VietnameseLetter.vowels.first(where: { $0[0] == letter }),
            let tone = VietnameseTables.vniTones.firstIndex(of: mark)
        {
            return tones[tone]
        }
        let hats: [Unicode.Scalar: Unicode.Scalar] = ["a": "â", "e": "ê", "o": "ô"]
        if let hat = hats[letter], let tone = VietnameseTables.vniCircumflex.firstIndex(of: mark) {
            return VietnameseLetter.vowels.first { $0[0] == hat }?[tone]
        }
        if letter == "a", let tone = VietnameseTables.vniBreve.firstIndex(of: mark) {
            return VietnameseLetter.vowels.first { $0[0] == "ă" }?[tone]
        }
        return nil
    }
}
