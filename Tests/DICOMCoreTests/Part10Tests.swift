// DICOM files: what stands before the data set, and files that lack it (PS3.10 Section 7).

import DICOMCore
import Testing

@Suite("DICOM files")
struct Part10Tests {
    @Test("Our own meta information is the least there is, and always the same bytes (PS3.10 Section 7.1)")
    func header() throws {
        let bytes = Part10.header(
            sopClassUID: "1.2.840.10008.5.1.4.1.1.2", sopInstanceUID: "1.2.3", transferSyntaxUID: "1.2.840.10008.1.2.1")
        #expect(
            bytes
                == Part10.header(
                    sopClassUID: "1.2.840.10008.5.1.4.1.1.2", sopInstanceUID: "1.2.3",
                    transferSyntaxUID: "1.2.840.10008.1.2.1"))
        #expect(bytes[..<128].allSatisfy { $0 == 0 } && Array(bytes[128..<132]) == Array("DICM".utf8))
        let file = try Part10.parse(bytes + hex("0800 1800 5549 0600 312E322E3300"))
        #expect(file.flaws.isEmpty && file.hasPreamble && file.dataSetOffset == bytes.count)
        #expect(file.mediaStorageSOPClassUID == "1.2.840.10008.5.1.4.1.1.2")
        #expect(file.mediaStorageSOPInstanceUID == "1.2.3")
        #expect(file.transferSyntax == .explicitVRLittleEndian)
        let meta = try #require(file.fileMetaInformation)
        #expect(meta.elements.map(\.tag.element) == [0x00, 0x01, 0x02, 0x03, 0x10, 0x12, 0x13])
        #expect(UID.isValid(Part10.implementationClassUID) && Part10.implementationVersionName.utf8.count <= 16)
    }

    static let group = """
        0200 0000 554C 0400 44000000                                  // (0002,0000) UL 68
        0200 0100 4F42 0000 02000000 0001                             // (0002,0001) OB
        0200 0300 5549 0600 312E322E3300                              // (0002,0003) UI 1.2.3
        0200 1000 5549 1400 312E322E3834302E31303030382E312E322E3100  // (0002,0010) UI explicit VR little endian
        0200 1300 5348 0400 50484931                                  // (0002,0013) SH PHI1
        """
    static let dataSet = "0800 1800 5549 0600 312E322E3300"
    static let preamble = String(repeating: "00", count: 128) + "4449434D"

    struct File: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: String
        var syntax = TransferSyntax.explicitVRLittleEndian
        var mediaUID: String? = "1.2.3"
        let flaws: [Flaw.Kind]
    }

    static let files = [
        File(testDescription: "as the standard has it", bytes: preamble + group + "\n" + dataSet, flaws: []),
        File(testDescription: "no preamble", bytes: group + "\n" + dataSet, flaws: [.missingPreamble]),
        File(
            testDescription: "prefix without preamble", bytes: "4449434D" + group + "\n" + dataSet,
            flaws: [.missingPreamble]),
        File(
            testDescription: "wrong group length",
            bytes: preamble + group.replacing("44000000", with: "FF000000") + "\n" + dataSet,
            flaws: [.wrongGroupLength]),
        File(
            testDescription: "no group length",
            bytes: preamble + group.split(separator: "\n").dropFirst().joined(separator: "\n") + "\n" + dataSet,
            flaws: [.wrongGroupLength]),
        File(
            testDescription: "no transfer syntax: guessed",
            bytes: preamble
                + group.split(separator: "\n").filter { !$0.hasPrefix("0200 1000") }.joined(separator: "\n")
                .replacing("44000000", with: "28000000") + "\n0800 1800 06000000 312E322E3300",
            syntax: .implicitVRLittleEndian, flaws: [.missingTransferSyntax]),
        File(
            testDescription: "every VR of the group illegal",
            bytes: preamble
                + group.replacing("554C", with: "5520").replacing("5549", with: "5520").replacing("5348", with: "5520")
                + "\n" + dataSet, flaws: [.illegalVR, .illegalVR, .illegalVR, .illegalVR]),
        File(
            testDescription: "prefix but no group", bytes: preamble + dataSet, mediaUID: nil,
            flaws: [.missingFileMetaInformation]),
        File(
            testDescription: "a bare explicit data set", bytes: dataSet, mediaUID: nil,
            flaws: [.missingPreamble, .missingFileMetaInformation]),
        File(
            testDescription: "a bare implicit data set", bytes: "0800 1800 06000000 312E322E3300",
            syntax: .implicitVRLittleEndian, mediaUID: nil, flaws: [.missingPreamble, .missingFileMetaInformation]),
        File(
            testDescription: "a bare big endian data set", bytes: "0008 0018 5549 0006 312E322E3300",
            syntax: .explicitVRBigEndian, mediaUID: nil, flaws: [.missingPreamble, .missingFileMetaInformation]),
    ]

    @Test("Files are read with and without what should be there", arguments: files)
    func parsing(_ file: File) throws {
        let bytes = hex(file.bytes)
        let parsed = try Part10.parse(bytes)
        #expect(parsed.flaws.map(\.kind) == file.flaws)
        #expect(parsed.transferSyntax == file.syntax)
        #expect(parsed.mediaStorageSOPInstanceUID == file.mediaUID)
        let header = try HeaderReader.read(bytes, from: parsed.dataSetOffset, transferSyntax: parsed.transferSyntax)
        #expect(header.dataSet.string(.sopInstanceUID) == "1.2.3")
        #expect(header.flaws.isEmpty)
    }

    @Test(
        "What is no DICOM is refused",
        arguments: [
            "", "00", "FFD8FFE000104A46494600010100000100010000", "89504E470D0A1A0A0000000D49484452",
            "504B0304140000000800",
            "4C6F72656D20697073756D20646F6C6F72207369742061", "000000000000000000000000000000000000",
        ])
    func notDICOM(_ bytes: String) {
        #expect(throws: ReadFailure.self) { try Part10.parse(hex(bytes)) }
    }
}
