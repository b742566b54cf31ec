// The reader on bytes that keep the standard, and on bytes that do not (PS3.5 Section 7).

import DICOMCore
import Testing

@Suite("Header reader")
struct HeaderReaderTests {
    static let encodings: [TransferSyntax] = [
        .implicitVRLittleEndian, .explicitVRLittleEndian, .explicitVRBigEndian, .deflatedExplicitVRLittleEndian,
        .jpegBaseline, TransferSyntax("1.2.840.10008.1.2.4.201"), TransferSyntax("1.3.46.670589.33.1.4.1"),
    ]

    @Test("Every encoding reads the same (PS3.5 Annex A)", arguments: encodings)
    func encoding(_ syntax: TransferSyntax) throws {
        let header = try HeaderReader.read(Synthetic.dataSet(syntax), transferSyntax: syntax)
        let dataSet = header.dataSet
        #expect(header.flaws.isEmpty)
        #expect(dataSet.characterSets == ["ISO_IR 192"])
        #expect(dataSet.string(.patientName) == "Nguyễn^Văn Đức")
        #expect(dataSet.strings(.imageType) == ["ORIGINAL", "PRIMARY", "AXIAL"])
        #expect(dataSet.text(.imageType) == "ORIGINAL\\PRIMARY\\AXIAL")
        #expect(dataSet.int(.rows) == 512 && dataSet.int(.columns) == 256 && dataSet.int(.instanceNumber) == 17)
        #expect(dataSet.doubles(.pixelSpacing) == [0.5, 0.5])
        #expect(dataSet.string(.accessionNumber) == nil && dataSet.int(.accessionNumber) == nil)
        let items = dataSet.items(.referencedImageSequence)
        #expect(items.count == 2)
        #expect(items[1].string(.referencedSOPInstanceUID) == "1.2.3")
        #expect(items[1].items(.conceptNameCodeSequence).first?.string(.codeMeaning) == "Đo lường")
    }

    @Test("Sequences and items of undefined length (PS3.5 Section 7.5)")
    func undefinedLengths() throws {
        let header = try HeaderReader.read(Synthetic.undefinedLengths, transferSyntax: .explicitVRLittleEndian)
        #expect(header.flaws.isEmpty)
        #expect(header.dataSet.elements.map(\.tag) == [.sopInstanceUID, .referencedImageSequence, .patientID])
        #expect(header.dataSet.string(.patientID) == "42")
        let items = header.dataSet.items(.referencedImageSequence)
        #expect(items.count == 2 && items[1].elements.isEmpty)
        #expect(items[0].string(.referencedSOPInstanceUID) == "1.4")
        #expect(items[0].items(.conceptNameCodeSequence).first?.string(.codeValue) == "111")
    }

    /// Bytes, the syntax that they are declared to be in, what is marked, and Patient ID as it must be read.
    struct Nasty: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: String
        var syntax = TransferSyntax.explicitVRLittleEndian
        let flaws: [Flaw.Kind]
        var patientID: String? = "42"
    }

    static let nasty = [
        Nasty(
            testDescription: "VR bytes ?? in the short form",
            bytes: "0800 1800 3F3F 0400 312E3200 1000 2000 4C4F 0200 3432", flaws: [.illegalVR]),
        Nasty(
            testDescription: "two letters are a future VR with a long length (PS3.5 Section 6.2)",
            bytes: "0800 1800 5A5A 0000 04000000 312E3200 1000 2000 4C4F 0200 3432", flaws: [.illegalVR]),
        Nasty(
            testDescription: "an implicit element among explicit ones",
            bytes: "0800 1800 5549 0400 312E3200 0900 1000 04000000 41424344 1000 2000 4C4F 0200 3432",
            flaws: [.mixedEncoding]),
        Nasty(
            testDescription: "implicit declared explicit", bytes: "0800 1800 04000000 312E3200 1000 2000 02000000 3432",
            flaws: [.wrongTransferSyntax]),
        Nasty(
            testDescription: "explicit declared implicit",
            bytes: "0800 1800 5549 0400 312E3200 1000 2000 4C4F 0200 3432",
            syntax: .implicitVRLittleEndian, flaws: [.wrongTransferSyntax]),
        Nasty(
            testDescription: "big endian declared little",
            bytes: "0008 0018 5549 0004 312E3200 0010 0020 4C4F 0002 3432",
            flaws: [.wrongTransferSyntax]),
        Nasty(
            testDescription: "a value of odd length", bytes: "0800 1800 5549 0300 312E32 1000 2000 4C4F 0200 3432",
            flaws: [.oddLength]),
        Nasty(
            testDescription: "elements out of order", bytes: "1000 2000 4C4F 0200 3432 0800 1800 5549 0400 312E3200",
            flaws: [.outOfOrder]),
        Nasty(
            testDescription: "the same element twice: the first counts",
            bytes: "1000 2000 4C4F 0200 3432 1000 2000 4C4F 0200 3939", flaws: [.duplicateElement]),
        Nasty(
            testDescription: "a value that runs past the end is left out",
            bytes: "1000 2000 4C4F 0200 3432 1000 4010 4C4F FF00 4142", flaws: [.truncated]),
        Nasty(
            testDescription: "the end inside a header", bytes: "1000 2000 4C4F 0200 3432 1000 40", flaws: [.truncated]),
        Nasty(
            testDescription: "zeros behind the last element",
            bytes: "1000 2000 4C4F 0200 3432 00000000 00000000 00000000", flaws: [.trailingGarbage]),
        Nasty(
            testDescription: "a stray delimiter between elements",
            bytes: "0800 1800 5549 0400 312E3200 FEFF DDE0 00000000 1000 2000 4C4F 0200 3432", flaws: [.strayDelimiter]),
        Nasty(
            testDescription: "a sequence of undefined length that is never closed",
            bytes: "0800 4011 5351 0000 FFFFFFFF FEFF 00E0 0A000000 0800 5511 5549 0200 3100 1000 2000 4C4F 0200 3432",
            flaws: [.missingDelimiter]),
        Nasty(
            testDescription: "an item of undefined length that is never closed",
            bytes: """
                0800 4011 5351 0000 FFFFFFFF FEFF 00E0 FFFFFFFF 0800 5511 5549 0200 3100 FEFF DDE0 00000000
                1000 2000 4C4F 0200 3432
                """, flaws: []),
        Nasty(
            testDescription: "a sequence that says it is empty and is not",
            bytes: """
                0800 4011 5351 0000 00000000 FEFF 00E0 0A000000 0800 5511 5549 0200 3100 1000 2000 4C4F 0200 3432
                """, flaws: [.missingDelimiter]),
        Nasty(
            testDescription: "a group length and a private group without creator",
            bytes: "0800 0000 554C 0400 00000000 0900 0110 554E 0000 02000000 4142 1000 2000 4C4F 0200 3432", flaws: []),
    ]

    @Test("What is against the standard is kept and marked", arguments: nasty)
    func tolerance(_ nasty: Nasty) throws {
        let header = try HeaderReader.read(hex(nasty.bytes), transferSyntax: nasty.syntax)
        #expect(header.flaws.map(\.kind) == nasty.flaws)
        #expect(header.dataSet.string(.patientID) == nasty.patientID)
        if nasty.testDescription.contains("closed") || nasty.testDescription.contains("empty") {
            #expect(header.dataSet.items(.referencedImageSequence).first?.string(.referencedSOPInstanceUID) == "1")
        }
        if header.dataSet[.sopInstanceUID] != nil { #expect(header.dataSet.string(.sopInstanceUID) == "1.2") }
    }

    @Test("UN of undefined length is a sequence in implicit VR little endian (PS3.5 Section 6.2.2)")
    func unknownSequence() throws {
        let bytes = hex(
            """
            0900 1010 554E 0000 FFFFFFFF          // (0009,1010) UN, undefined length
              FEFF 00E0 FFFFFFFF                  //   item
                1000 2000 02000000 3432           //     (0010,0020) implicit
                0900 1010 FFFFFFFF                //     (0009,1010) implicit, undefined length
                  FEFF 00E0 0A000000              //       item
                    1000 2000 02000000 3433       //         (0010,0020)
                FEFF DDE0 00000000                //     end
              FEFF 0DE0 00000000                  //   end of item
            FEFF DDE0 00000000                    // end of sequence
            1000 2000 4C4F 0200 3434              // (0010,0020) LO 44
            """)
        let header = try HeaderReader.read(bytes, transferSyntax: .explicitVRLittleEndian)
        #expect(header.flaws.isEmpty)
        #expect(header.dataSet.string(.patientID) == "44")
        let item = try #require(header.dataSet.items(Tag(0x0009, 0x1010)).first)
        #expect(item.string(.patientID) == "42")
        #expect(item.items(Tag(0x0009, 0x1010)).first?.string(.patientID) == "43")
    }

    @Test("UN of defined length with items in it can be opened")
    func definedUnknownSequence() throws {
        let bytes = hex(
            """
            0800 4011 554E 0000 12000000          // (0008,1140) UN, 18 bytes
              FEFF 00E0 0A000000                  //   item
                0800 5511 02000000 3100           //     (0008,1155) implicit
            1000 2000 4C4F 0200 3432
            """)
        let header = try HeaderReader.read(bytes, transferSyntax: .explicitVRLittleEndian)
        #expect(header.dataSet.items(.referencedImageSequence).first?.string(.referencedSOPInstanceUID) == "1")
        #expect(header.dataSet.string(.patientID) == "42")
    }

    @Test(
        "Reading stops at the pixel data, whatever its length says",
        arguments: [
            ("E07F 1000 4F57 0000 00000010", Tag.pixelData, 0x1000_0000),
            ("E07F 1000 4F42 0000 FFFFFFFF", .pixelData, nil),
            ("E07F 0800 4F46 0000 04000000 00000000", .floatPixelData, 4),
            ("E07F 0900 4F44 0000 08000000", .doubleFloatPixelData, 8),
        ] as [(String, Tag, Int?)])
    func pixelData(_ element: String, _ tag: Tag, _ length: Int?) throws {
        let before = hex("1000 2000 4C4F 0200 3432")
        let header = try HeaderReader.read(before + hex(element), transferSyntax: .explicitVRLittleEndian)
        #expect(header.pixelData?.tag == tag)
        #expect(header.pixelData?.length == length)
        #expect(header.pixelDataOffset == before.count)
        #expect(header.pixelData?.valueOffset == before.count + 12)
        #expect(header.dataSet.elements.count == 1 && header.flaws.isEmpty)
    }

    @Test("Any beginning of an object can be read, and more bytes never change what was read")
    func prefixes() throws {
        let bytes = Synthetic.dataSet(.explicitVRLittleEndian)
        let whole = try HeaderReader.read(bytes, transferSyntax: .explicitVRLittleEndian)
        for count in 1..<bytes.count {
            guard let header = try? HeaderReader.read(Array(bytes[..<count]), transferSyntax: .explicitVRLittleEndian)
            else { continue }
            let atBoundary = header.dataSet.elements.last.map { $0.offset + $0.length } == count
            #expect(header.isTruncated || atBoundary)
            let complete = header.dataSet.elements.filter { $0.vr != .SQ }
            #expect(complete.allSatisfy { element in whole.dataSet[element.tag] == element })
        }
    }

    @Test(
        "Numbers of every binary VR are read in the byte order of the data set",
        arguments: [TransferSyntax.explicitVRLittleEndian, .explicitVRBigEndian])
    func numbers(_ syntax: TransferSyntax) throws {
        var writer = DataSetWriter(transferSyntax: syntax, characterSet: .ascii)
        let values: [(VR, [String])] = [
            (.US, ["65535", "1"]), (.SS, ["-2"]), (.UL, ["4294967295"]), (.SL, ["-70000"]), (.UV, ["9007199254740993"]),
            (.SV, ["-5000000000"]), (.FL, ["0.5", "-1.25"]), (.FD, ["3.0"]), (.AT, ["00280010", "7FE00010"]),
            (.IS, ["-7", "+8"]),
            (.DS, ["1.5"]),
        ]
        for (index, (vr, texts)) in values.enumerated() { writer.put(Tag(0x0029, 0x1000 + UInt16(index)), vr, texts) }
        let dataSet = try HeaderReader.read(writer.finish(), transferSyntax: syntax).dataSet
        for (index, (vr, texts)) in values.enumerated() {
            #expect(dataSet.strings(Tag(0x0029, 0x1000 + UInt16(index))) == texts, "\(vr)")
        }
        #expect(dataSet.ints(Tag(0x0029, 0x1009)) == [-7, 8])
        #expect(dataSet.ints(Tag(0x0029, 0x100A)).isEmpty)
    }

    @Test("Padding and spaces go, leading spaces of long text stay (PS3.5 Table 6.2-1)")
    func trimming() throws {
        let bytes = hex(
            """
            0800 1800 5549 0600 312E32 000000      // (0008,0018) UI with NULs
            0800 3010 4C4F 0600 20206120 2020      // (0008,1030) LO "  a   "
            1000 2000 4C4F 0600 205C 61 205C 20    // (0010,0020) LO " \\a \\ "
            2000 0040 4C54 0600 2020 62 5C 63 20   // (0020,4000) LT "  b\\c "
            """)
        let dataSet = try HeaderReader.read(bytes, transferSyntax: .explicitVRLittleEndian).dataSet
        #expect(dataSet.string(.sopInstanceUID) == "1.2")
        #expect(dataSet.string(.studyDescription) == "a")
        #expect(dataSet.strings(.patientID) == ["", "a", ""])
        #expect(dataSet.string(.patientID) == nil)
        #expect(dataSet.string(.imageComments) == "  b\\c")
    }

    @Test("Nothing to read is said so, with an offset and without a value")
    func failures() {
        #expect(throws: ReadFailure.empty) { try HeaderReader.read([], transferSyntax: .explicitVRLittleEndian) }
        #expect(throws: ReadFailure.empty) {
            try HeaderReader.read([1, 2], from: 7, transferSyntax: .explicitVRLittleEndian)
        }
        #expect(throws: ReadFailure.unreadable(offset: 0)) {
            try HeaderReader.read([8, 0, 0x18], transferSyntax: .explicitVRLittleEndian)
        }
        #expect(throws: ReadFailure.notDeflated(offset: 0)) {
            try HeaderReader.read(
                [UInt8](repeating: 0xFF, count: 64), transferSyntax: .deflatedExplicitVRLittleEndian)
        }
    }
}
