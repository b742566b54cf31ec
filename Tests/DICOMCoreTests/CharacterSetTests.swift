// Specific Character Set: the examples of PS3.5 Annexes H to K, the field's misspellings, and what is written.

import DICOMCore
import Testing

@Suite("Specific Character Set")
struct CharacterSetTests {
    /// Bytes of a person name under defined terms, and the name.
    struct Example: Sendable, CustomTestStringConvertible {
        let terms: [String]
        let bytes: String
        let text: String
        var testDescription: String { "\(terms) \(text)" }
    }

    static let examples = [
        // PS3.5 Section H.3.1: the second and third component group in JIS X 0208.
        Example(
            terms: ["", "ISO 2022 IR 87"],
            bytes: """
                59616D6164615E5461726F753D 1B2442 3B334544 1B2842 5E 1B2442 42404F3A 1B2842 3D
                1B2442 2464245E2440 1B2842 5E 1B2442 243F246D2426 1B2842
                """, text: "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        // PS3.5 Section H.3.2: the first group in half-width katakana of JIS X 0201.
        Example(
            terms: ["ISO 2022 IR 13", "ISO 2022 IR 87"],
            bytes: """
                D4CFC0DE5EC0DBB33D 1B2442 3B334544 1B284A 5E 1B2442 42404F3A 1B284A 3D
                1B2442 2464245E2440 1B284A 5E 1B2442 243F246D2426 1B284A
                """, text: "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
        // PS3.5 Section I.2: KS X 1001 in G1.
        Example(
            terms: ["", "ISO 2022 IR 149"],
            bytes: """
                486F6E675E47696C646F6E673D 1B242943 FBF3 5E 1B242943 D1CED4D7 3D
                1B242943 C8AB 5E 1B242943 B1E6B5BF
                """, text: "Hong^Gildong=洪^吉洞=홍^길동"),
        // The same from a writer that designates only once.
        Example(terms: ["", "ISO 2022 IR 149"], bytes: "1B242943 C8AB 5E B1E6B5BF", text: "홍^길동"),
        // PS3.5 Section K.2: GB 2312 in G1.
        Example(
            terms: ["", "ISO 2022 IR 58"],
            bytes: "5A68616E675E5869616F446F6E673D 1B242941 D5C5 5E 1B242941 D0A1B6AB 3D",
            text: "Zhang^XiaoDong=张^小东="),
        // PS3.5 Section J.3 and J.4.
        Example(
            terms: ["GB18030"], bytes: "57616E675E5869616F446F6E673D CDF5 5E D0A1B6AB 3D", text: "Wang^XiaoDong=王^小东="),
        Example(
            terms: ["ISO_IR 192"], bytes: "57616E675E5869616F446F6E673D E78E8B 5E E5B08FE4B89C 3D",
            text: "Wang^XiaoDong=王^小东="),
        // A trailing byte of GBK that looks like a backslash.
        Example(terms: ["GBK"], bytes: "815C 5E 41", text: "乗^A"),
        Example(terms: ["ISO_IR 100"], bytes: "4275635E4AE972F46D65", text: "Buc^Jérôme"),
        Example(terms: ["ISO_IR 101"], bytes: "5761B3EA7361", text: "Wałęsa"),
        Example(terms: ["ISO_IR 144"], bytes: "BBEEDAE1D5DCD1E3E0D3", text: "Люксембург"),
        Example(terms: ["ISO_IR 126"], bytes: "C4E9EFEDF5F3E9EFF2", text: "Διονυσιος"),
        Example(terms: ["ISO_IR 127"], bytes: "E2C8C7E6EA5EE4E6D2C7D1", text: "قباني^لنزار"),
        Example(terms: ["ISO_IR 138"], bytes: "F9F8E5EF5EE3E1E5F8E4", text: "שרון^דבורה"),
        Example(terms: ["ISO_IR 148"], bytes: "C7617675FE6FF06C75", text: "Çavuşoğlu"),
        Example(terms: ["ISO_IR 166"], bytes: "B9D2C1CAA1D8C5", text: "นามสกุล"),
        Example(terms: ["ISO_IR 203"], bytes: "BC7576726520A4", text: "Œuvre €"),
        // Two single-byte sets by code extension.
        Example(
            terms: ["ISO 2022 IR 100", "ISO 2022 IR 126"], bytes: "44E96D6F 5C 1B2D46 C4E9EF", text: "Démo\\Διο"),
        // Nothing declared: valid UTF-8 is taken for it, else Latin-1.
        Example(terms: [], bytes: "4DE1BBB9", text: "Mỹ"),
        Example(terms: [], bytes: "4AE972F46D65", text: "Jérôme"),
        // Misspelt terms.
        Example(terms: ["ISO-IR 100"], bytes: "E9", text: "é"),
        Example(terms: ["ISO_IR_192"], bytes: "C3A9", text: "é"),
        Example(terms: ["ISO 8859-1"], bytes: "E9", text: "é"),
    ]

    @Test("Names are decoded as the standard's examples say (PS3.5 Annexes H to K)", arguments: examples)
    func decoding(_ example: Example) {
        let set = SpecificCharacterSet(terms: example.terms)
        #expect(!set.isUnknown)
        #expect(set.decode(hex(example.bytes)[...], isPersonName: true) == example.text)
    }

    @Test("The standard's examples are certain where something is declared", arguments: examples)
    func certain(_ example: Example) {
        let set = SpecificCharacterSet(terms: example.terms)
        // Nothing declared and no UTF-8: Latin-1 is but the likeliest.
        let isGuess = example.terms.isEmpty && example.text == "Jérôme"
        #expect(set.certainText(hex(example.bytes)[...], isPersonName: true) == (isGuess ? nil : example.text))
    }

    @Test(
        "What can only be guessed is no certain text",
        arguments: [
            ([], "54EA7465"), (["", "ISO 2022 IR 87"], "54EA7465"), (["", "ISO 2022 IR 87"], "1B242542 41"),
            (["ISO_IR 192"], "54EA7465"), (["KLINGON XX"], "41"),
        ])
    func guessed(terms: [String], bytes: String) {
        #expect(SpecificCharacterSet(terms: terms).certainText(hex(bytes)[...]) == nil)
    }

    @Test(
        "What may be written beside a declaration: nothing that needs a set which is not in force",
        arguments: [
            ([], [OutputCharacterSet.ascii]), (["", "ISO 2022 IR 87"], [.ascii]), (["ISO_IR 6"], [.ascii]),
            (["ISO 2022 IR 6", "ISO 2022 IR 100"], [.ascii]), (["ISO_IR 101"], [.ascii]), (["GB18030"], [.ascii]),
            (["ISO_IR 100"], [.ascii, .latin1]), (["ISO 2022 IR 100", "ISO 2022 IR 126"], [.ascii, .latin1]),
            (["ISO_IR 192"], [.ascii, .utf8]),
        ])
    func writable(terms: [String], sets: [OutputCharacterSet]) {
        #expect(SpecificCharacterSet(terms: terms).outputSets == sets)
    }

    @Test("Bytes that stand for nothing never stop the reading", arguments: examples.map(\.terms))
    func undecodable(_ terms: [String]) {
        let set = SpecificCharacterSet(terms: terms)
        let bytes: [UInt8] = [0x41, 0xFF, 0x1B, 0x24, 0x29, 0x43, 0xA1, 0x1B, 0x24, 0x42, 0x30, 0x1B, 0xFE, 0x80, 0x1B]
        #expect(set.decode(bytes[...]).first == "A")
        #expect(set.decode([0x1B][...]).utf8.count <= 3)
    }

    @Test("An unknown term is marked and its text guessed")
    func unknownTerm() throws {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .latin1)
        writer.put(.patientName, "Jérôme")
        var bytes = writer.finish()
        let term = try #require(bytes.firstRange(of: Array("ISO_IR 100".utf8)))
        bytes.replaceSubrange(term, with: Array("KLINGON XX".utf8))
        let header = try HeaderReader.read(bytes, transferSyntax: .explicitVRLittleEndian)
        #expect(header.flaws.map(\.kind) == [.unknownCharacterSet])
        #expect(header.dataSet.string(.patientName) == "Jérôme")
    }

    @Test("A backslash inside a two-byte character separates nothing (PS3.5 Section 6.1.2.3)")
    func splitting() throws {
        let bytes = hex(
            """
            0800 0500 4353 0400 47424B20           // (0008,0005) CS GBK
            1000 2000 4C4F 0600 815C 5C 41 4220    // (0010,0020) LO, three characters and a separator
            """)
        let header = try HeaderReader.read(bytes, transferSyntax: .explicitVRLittleEndian)
        #expect(header.dataSet.strings(.patientID) == ["乗", "AB"])
    }

    @Test("An item has its own character set or its data set's (PS3.5 Section 7.5.3)")
    func inheritance() throws {
        let bytes = hex(
            """
            0800 0500 4353 0A00 49534F5F495220313932   // (0008,0005) CS ISO_IR 192
            0800 4011 5351 0000 2A000000               // (0008,1140) SQ
              FEFF 00E0 0A000000                       //   item
                1000 2000 4C4F 0200 C3A9               //     (0010,0020) LO é in UTF-8
              FEFF 00E0 10000000                       //   item, too short for its own set
                0800 0500 4353 0000                    //     (0008,0005) CS, empty
                1000 2000 4C4F 0000                    //     (0010,0020) LO, empty
            """)
        let header = try HeaderReader.read(bytes, transferSyntax: .explicitVRLittleEndian)
        let items = header.dataSet.items(.referencedImageSequence)
        #expect(items.count == 2)
        #expect(items[0].characterSets == ["ISO_IR 192"])
        #expect(items[0].string(.patientID) == "é")
        #expect(items[1].characterSets == [])
    }

    @Test(
        "What a receiver cannot read loses its marks, never its letters",
        arguments: [
            (OutputCharacterSet.utf8, "Nguyễn^Văn Đức", Array("Nguyễn^Văn Đức".utf8)),
            (.ascii, "Nguyễn^Văn Đức", Array("Nguyen^Van Duc".utf8)),
            (.ascii, "NGUYỄN THỊ MỸ HUYỀN", Array("NGUYEN THI MY HUYEN".utf8)),
            (.ascii, "Nguye\u{0302}\u{0303}n", Array("Nguyen".utf8)),
            (.ascii, "Đặng Ưng Ước ở ỵ đ", Array("Dang Ung Uoc o y d".utf8)),
            (.latin1, "Hà", [0x48, 0xE0]), (.latin1, "Ha\u{0300}", [0x48, 0xE0]),
            (.latin1, "Trần Đức", Array("Tran Duc".utf8)), (.latin1, "Jérôme", [0x4A, 0xE9, 0x72, 0xF4, 0x6D, 0x65]),
            (.ascii, "Straße, Łódź", Array("Strasse, Lodz".utf8)), (.ascii, "山田", Array("??".utf8)),
        ])
    func encoding(_ set: OutputCharacterSet, _ text: String, _ bytes: [UInt8]) {
        #expect(set.encode(text) == bytes)
    }
}
