// Old encodings of Vietnamese: the tables, and how surely names are read from bytes that are declared otherwise.

import Foundation
import HL7
import Testing

@Suite struct VietnameseTests {
    @Test(
        "tables are those of the C library",
        arguments: [
            (VietnameseEncoding.windows1258, "CP1258"), (.tcvn3, "TCVN5712-1"), (.viscii, "VISCII"),
        ])
    func tables(encoding: VietnameseEncoding, name: String) throws {
        for byte in UInt8(0x80)...0xFF {
            // A mark needs a letter in front, and anything a line end behind.
            let bytes = [0x61, byte, 0x0A]
            guard let expected = try iconv(bytes, from: name) else { continue }
            #expect(
                LegacyVietnamese.decode(bytes, as: encoding) == expected.precomposedStringWithCanonicalMapping,
                "byte \(byte)")
        }
    }

    @Test("all letters, both cases, come back from every encoding", arguments: LegacyWriter.Style.allCases)
    func letters(style: LegacyWriter.Style) throws {
        #expect(LegacyWriter.letters.count == 134)
        var without = 0
        for letter in LegacyWriter.letters {
            guard let bytes = LegacyWriter.encode(String(letter), style) else {
                without += 1
                continue
            }
            let expected = style == .tcvn3Capitals ? LegacyWriter.small(letter) : letter
            #expect(LegacyVietnamese.decode(bytes, as: style.encoding) == String(expected), "\(letter)")
        }
        // In VISCII and TCVN some capitals have the place of a control character.
        let expected: [LegacyWriter.Style: Int] = [.viscii: 6, .tcvn3: 12]
        #expect(without == expected[style, default: 0])
    }

    @Test("capitals in the place of control characters")
    func controls() {
        #expect(LegacyVietnamese.decode([0x02, 0x05, 0x06, 0x14, 0x19, 0x1E], as: .viscii) == "ẲẴẪỶỸỴ")
        #expect(
            LegacyVietnamese.decode(
                [1, 2, 4, 5, 6, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17], as: .tcvn3) == "ÚỤỪỬỮỨỰỲỶỸÝỴ")
    }

    @Test("names in old encodings under another declaration", arguments: LegacyWriter.Style.allCases)
    func names(style: LegacyWriter.Style) throws {
        var dice = Dice(UInt64(style.hashOfName))
        var (tried, right) = (0, 0)
        for _ in 0..<5000 {
            var name = VietnameseNames.make(&dice)
            if Bool.random(using: &dice) || style == .tcvn3Capitals { name = name.uppercased() }
            guard let bytes = LegacyWriter.encode(name, style) else { continue }
            // One letter with a mark may be anything: the promise is for names with two such syllables.
            let marked = name.split(separator: " ").filter { $0.unicodeScalars.contains { $0.value >= 0x80 } }
            guard marked.count >= 2 else { continue }
            tried += 1
            let suggestion = LegacyVietnamese.suggest(bytes).first
            // What Latin-1 holds as well needs no suggestion.
            let text = suggestion?.text ?? DecodedText(bytes, declared: "8859/1").text
            if text == name { right += 1 }
            let decoded = DecodedText(bytes, declared: "8859/1")
            #expect(decoded.text == text)
            #expect(decoded.isRepaired == (suggestion != nil))
            #expect(decoded.original == bytes)
        }
        #expect(tried > 2000)
        #expect(Double(right) / Double(tried) >= 0.99, "\(right) of \(tried)")
    }

    @Test(
        "names in UTF-8 stay what they are, whatever is declared", arguments: ["", "8859/1", "UNICODE UTF-8", "ASCII"])
    func utf8(declared: String) {
        var dice = Dice(7)
        for _ in 0..<3000 {
            let name = VietnameseNames.make(&dice)
            let bytes = Array(name.utf8)
            let decoded = DecodedText(bytes, declared: declared)
            #expect(decoded.text == name)
            let isPlain = bytes.allSatisfy { $0 < 0x80 }
            #expect(decoded.encoding == (isPlain ? .ascii : .utf8))
            #expect(decoded.isRepaired == (!isPlain && (declared == "8859/1" || declared == "ASCII")))
            let decomposed = name.decomposedStringWithCanonicalMapping
            #expect(Array(DecodedText(Array(decomposed.utf8), declared: declared).text.utf8) == bytes)
        }
    }

    @Test("text of old fonts that was taken for Latin-1 and written as UTF-8", arguments: LegacyWriter.Style.allCases)
    func reencoded(style: LegacyWriter.Style) throws {
        var dice = Dice(11)
        var (tried, right) = (0, 0)
        for _ in 0..<1500 {
            var name = VietnameseNames.make(&dice)
            if style == .tcvn3Capitals { name = name.uppercased() }
            guard let legacy = LegacyWriter.encode(name, style),
                name.split(separator: " ").filter({ $0.unicodeScalars.contains { $0.value >= 0x80 } }).count >= 2
            else { continue }
            let wrong = String(String.UnicodeScalarView(legacy.map { Unicode.Scalar($0) }))
            tried += 1
            if DecodedText(Array(wrong.utf8), declared: "UNICODE UTF-8").text == name { right += 1 }
        }
        #expect(Double(right) / Double(tried) >= 0.98, "\(right) of \(tried)")
    }

    @Test("UTF-8 that was taken for Windows-1252 and written again")
    func twice() {
        let decoded = DecodedText(Array("Nguyá»\u{2026}n VÄ\u{192}n HÃ¹ng".utf8), declared: "UTF-8")
        #expect(decoded.text == "Nguyễn Văn Hùng")
        #expect(decoded.isRepaired)
    }

    @Test("names of other languages stay as they are")
    func foreign() {
        let given = """
            François Hélène André René Loïc Anaïs Noël Gaël Zoé Chloé Léa Agnès Jérôme Cédric Inès Benoît Élodie José \
            María Raúl Íñigo Begoña Jürgen Björn Käthe Günther Søren Åsa Jörg Sören Kjærsti João Conceição Zoë Maël Éric
            """.split(separator: " ").map(String.init)
        let family = """
            Lefèvre Dupont Müller Núñez Peña Schröder Größe Gonçalves Magalhães Østergård Ångström Lindström Fernández \
            Muñoz Béranger Châtelain Lenoir Durand Bélanger Jónsson Weiß Böhm Köhler Sánchez Gómez Martin Bernard
            """.split(separator: " ").map(String.init)
        for name in given.flatMap({ first in family.map { first + " " + $0 } }) {
            for text in [name, name.uppercased()] {
                let bytes = text.unicodeScalars.compactMap { UInt8(exactly: $0.value) }
                #expect(LegacyVietnamese.suggest(bytes).isEmpty, "\(text)")
                let decoded = DecodedText(bytes, declared: "8859/1")
                #expect(decoded.text == String(decoding: bytes.map { UInt16($0) }, as: UTF16.self))
                #expect(!decoded.isRepaired)
                #expect(DecodedText(Array(text.utf8), declared: "UNICODE UTF-8").text == text)
            }
        }
    }

    @Test("plain ASCII has no suggestion, any bytes have an answer")
    func anything() {
        #expect(LegacyVietnamese.suggest(Array("NGUYEN VAN AN".utf8)).isEmpty)
        var dice = Dice(3)
        for _ in 0..<5000 {
            let bytes = (0..<Int.random(in: 0...60, using: &dice)).map { _ in UInt8.random(in: 0...255, using: &dice) }
            for suggestion in LegacyVietnamese.suggest(bytes) { #expect((0...1).contains(suggestion.score)) }
            #expect(DecodedText(bytes, declared: nil).original == bytes)
        }
    }

    private func iconv(_ bytes: [UInt8], from name: String) throws -> String? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/iconv")
        process.arguments = ["-f", name, "-t", "UTF-8"]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data(bytes))
        try input.fileHandleForWriting.close()
        let answer = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return process.terminationStatus == 0 ? String(validating: Array(answer), as: UTF8.self) : nil
    }
}

extension LegacyWriter.Style {
    /// The same in every run, unlike a hash.
    var hashOfName: Int { "\(self)".utf8.reduce(0) { $0 &* 31 &+ Int($1) } & 0xFFFF_FFFF }
}
