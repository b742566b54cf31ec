// The Native DICOM Model read back: what our writer writes, and what nobody should.

import DICOMCore
import Testing

@Suite("DICOM XML read (PS3.19 Section A.1)")
struct DICOMXMLReaderTests {
    /// A document with a bit of everything.
    private func document() throws -> (dataSet: DataSet, xml: [UInt8]) {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
        writer.put(.patientName, "Nguyễn^Văn <Đức>=阮^文德")
        writer.put(.imageType, ["ORIGINAL", "", "AXIAL"])
        writer.put(Tag(0x0009, 0x0010), .LO, ["MAKER & CO"])
        writer.put(Tag(0x0009, 0x1001), .US, ints: [7, 8])
        writer.put(Tag(0x0009, 0x1002), .OB, bytes: [1, 2, 3, 4])
        writer.put(Tag(0x0018, 0x0050), .DS, ["1.25"])
        writer.put(Tag(0x0010, 0x4000), .LT, ["line\r\nline \"two\""])
        writer.put(Tag(0x0028, 0x0106), .SS, ints: [-5])
        writer.put(Tag(0x0009, 0x1003), .UV, ["18446744073709551615"])
        writer.put(Tag(0x0018, 0x9087), .FD, ["-0.5"])
        var item = writer.makeItem()
        item.put(Tag(0x0008, 0x0104), .LO, ["Ngực"])
        writer.put(Tag(0x0040, 0xA043), items: [item, writer.makeItem()])
        let dataSet = try HeaderReader.read(writer.finish(), transferSyntax: .explicitVRLittleEndian).dataSet
        return (dataSet, DICOMXMLWriter.document(dataSet, policy: .reference(prefix: "/b/", above: 100)))
    }

    @Test("what the writer wrote is what was there")
    func roundTrip() throws {
        let (dataSet, xml) = try document()
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
        try TextDataSet.read(xml: xml).put(into: &writer) { _ in nil }
        let again = try HeaderReader.read(writer.finish(), transferSyntax: .explicitVRLittleEndian).dataSet
        for element in dataSet.elements where element.tag != .specificCharacterSet && element.vr != .SQ {
            let found = try #require(again[element.tag], "\(element.tag)")
            #expect(found.vr == element.vr)
            #expect(Array(again.rawValue(found)) == Array(dataSet.rawValue(element)), "\(element.tag)")
        }
        let items = again.items(Tag(0x0040, 0xA043))
        #expect(items.count == 2 && items.first?.string(Tag(0x0008, 0x0104)) == "Ngực")
    }

    @Test("the creator of a private attribute comes along, an address of bulk data as well")
    func privateAndBulk() throws {
        let text = """
            <dcm:NativeDicomModel xmlns:dcm='x'><dcm:DicomAttribute tag='00091001' vr='OB' privateCreator='A &amp; B'>
            <dcm:BulkData uuid='1.2'/></dcm:DicomAttribute></dcm:NativeDicomModel>
            """
        let read = try TextDataSet.read(xml: Array(text.utf8))
        #expect(read.string(Tag(0x0009, 0x0010)) == "A & B")
        guard case .bulkData("1.2")? = read.attributes[Tag(0x0009, 0x1001)]?.value else {
            Issue.record("no address")
            return
        }
    }

    @Test("a document that is cut anywhere is refused; one with any byte changed is read or refused, and nothing else")
    func damage() throws {
        let xml = try document().xml
        let end = try #require(xml.lastIndex(of: UInt8(ascii: ">")))
        for length in stride(from: 0, to: end, by: 3) {
            #expect(throws: TextDataSetFailure.self) { try TextDataSet.read(xml: Array(xml[..<length])) }
        }
        var read = 0
        for index in xml.indices {
            for byte: UInt8 in [0, 0x26, 0x3C, 0x3E, 0x22, 0x2F, 0xFF] {
                var changed = xml
                changed[index] = byte
                if (try? TextDataSet.read(xml: changed)) != nil { read += 1 }
            }
        }
        #expect(read > 0 && read < xml.count * 7)
    }
}
