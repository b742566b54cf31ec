// DICOM JSON and XML: what stands there for every kind of value, and back again (PS3.18 Annex F, PS3.19 Section A.1).

import DICOMCore
import Foundation
import Testing

@Suite("DICOM JSON and XML")
struct DICOMJSONTests {
    /// Writes with a writer, reads the bytes, and gives their JSON.
    private func json(
        _ transferSyntax: TransferSyntax = .explicitVRLittleEndian, _ policy: BulkDataPolicy = .inline,
        _ fill: (inout DataSetWriter) -> Void
    ) throws -> String {
        let dataSet = try read(transferSyntax, fill)
        var writer = DICOMJSONWriter(policy)
        writer.write(dataSet)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private func read(
        _ transferSyntax: TransferSyntax, _ fill: (inout DataSetWriter) -> Void
    ) throws -> DataSet {
        var writer = DataSetWriter(transferSyntax: transferSyntax, characterSet: .utf8)
        fill(&writer)
        return try HeaderReader.read(writer.finish(), transferSyntax: transferSyntax).dataSet
    }

    @Test(
        "Numbers of texts are numbers of JSON where they can be (PS3.18 Table F.2.3-1)",
        arguments: [
            ("1", "1"), ("+1.5", "1.5"), (".5", "0.5"), ("5.", "5"), ("-.5", "-0.5"), ("007", "7"), ("-0", "-0"),
            ("1E5", "1e5"), ("1e-05", "1e-05"), ("0.000", "0.000"), ("-12.5e+2", "-12.5e+2"), ("abc", "\"abc\""),
            ("1,5", "\"1,5\""), ("--1", "\"--1\""), ("1e", "\"1e\""), (".", "\".\""), ("1e999", "\"1e999\""),
            ("0x10", "\"0x10\""), ("NaN", "\"NaN\""),
        ])
    func decimalStrings(_ text: String, _ expected: String) throws {
        let written = try json { $0.put(Tag(0x0018, 0x0050), .DS, [text]) }
        #expect(written == "{\"00180050\":{\"vr\":\"DS\",\"Value\":[\(expected)]}}")
    }

    @Test(
        "Binary numbers in both byte orders", arguments: [TransferSyntax.explicitVRLittleEndian, .explicitVRBigEndian])
    func binaryNumbers(_ syntax: TransferSyntax) throws {
        let written = try json(syntax) {
            $0.put(Tag(0x0028, 0x0010), .US, ints: [512, 65535])
            $0.put(Tag(0x0028, 0x0106), .SS, ints: [-1024])
            $0.put(Tag(0x0009, 0x1002), .SL, ints: [-70000])
            $0.put(Tag(0x0009, 0x1003), .FL, ["0.1"])
            $0.put(Tag(0x0009, 0x1004), .FD, ["-1e300"])
            $0.put(Tag(0x0009, 0x1005), .AT, ["00100020"])
            $0.put(Tag(0x0009, 0x1006), .SV, ints: [9_007_199_254_740_993, -5])
            $0.put(Tag(0x0009, 0x1007), .OW, ints: [0x0102])
        }
        #expect(
            written == """
                {"00091002":{"vr":"SL","Value":[-70000]},"00091003":{"vr":"FL","Value":[0.1]},\
                "00091004":{"vr":"FD","Value":[-1e+300]},"00091005":{"vr":"AT","Value":["00100020"]},\
                "00091006":{"vr":"SV","Value":["9007199254740993",-5]},\
                "00091007":{"vr":"OW","InlineBinary":"AgE="},\
                "00280010":{"vr":"US","Value":[512,65535]},"00280106":{"vr":"SS","Value":[-1024]}}
                """)
    }

    @Test("What is no number has a name (PS3.18 Table F.2.3-1)")
    func notFinite() throws {
        let written = try json { $0.put(Tag(0x0009, 0x1004), .FD, ["nan", "inf", "-inf"]) }
        #expect(written == "{\"00091004\":{\"vr\":\"FD\",\"Value\":[\"NaN\",\"inf\",\"-inf\"]}}")
    }

    @Test("Texts: escaped, in UTF-8, empty ones null between others (PS3.18 Section F.2.5)")
    func texts() throws {
        let written = try json {
            $0.put(.specificCharacterSet, "")
            $0.put(.patientName, "Nguyễn^Văn \"Đức\"=阮^文德")
            $0.put(Tag(0x0008, 0x0008), .CS, ["ORIGINAL", "", "AXIAL "])
            $0.putEmpty(Tag(0x0008, 0x0050))
            $0.put(Tag(0x0010, 0x4000), .LT, ["  a\\b\n\u{01}"])
        }
        #expect(
            written == """
                {"00080005":{"vr":"CS","Value":["ISO_IR 192"]},\
                "00080008":{"vr":"CS","Value":["ORIGINAL",null,"AXIAL"]},"00080050":{"vr":"SH"},\
                "00100010":{"vr":"PN","Value":[{"Alphabetic":"Nguyễn^Văn \\"Đức\\"","Ideographic":"阮^文德"}]},\
                "00104000":{"vr":"LT","Value":["  a\\\\b\\n\\u0001"]}}
                """)
    }

    @Test("Long values leave an address with the path of the item (PS3.18 Section F.2.6)")
    func bulkData() throws {
        let policy = BulkDataPolicy.reference(prefix: "/p/bulk/", above: 4)
        let written = try json(.explicitVRLittleEndian, policy) {
            var item = $0.makeItem()
            item.put(Tag(0x0028, 0x2000), .OB, bytes: [1, 2, 3, 4, 5, 6])
            item.put(Tag(0x7FE0, 0x0010), .OB, bytes: [1, 2])
            $0.put(Tag(0x0048, 0x0105), items: [$0.makeItem(), item])
            $0.put(Tag(0x0042, 0x0011), .OB, bytes: [1, 2, 3, 4])
        }
        #expect(
            written == """
                {"00420011":{"vr":"OB","InlineBinary":"AQIDBA=="},"00480105":{"vr":"SQ","Value":[{},\
                {"00282000":{"vr":"OB","BulkDataURI":"/p/bulk/00480105/2/00282000"},\
                "7FE00010":{"vr":"OB","BulkDataURI":"/p/bulk/00480105/2/7FE00010"}}]}}
                """)
    }

    @Test("A path leads to the value that its address was written for")
    func path() throws {
        let dataSet = try read(.implicitVRLittleEndian) {
            var inner = $0.makeItem()
            inner.put(.patientID, "deep")
            var outer = $0.makeItem()
            outer.put(Tag(0x0040, 0xA730), items: [inner])
            $0.put(Tag(0x0040, 0xA730), items: [$0.makeItem(), outer])
        }
        let path = try #require(BulkDataPath("0040A730/2/0040a730/1/00100020".split(separator: "/")))
        let (element, holder) = try #require(dataSet.element(at: path))
        #expect(holder.littleEndian(element) == Array("deep".utf8)[...])
        let hostile = [
            "", "0040A730/0/00100020", "0040A730/2", "../00100020", "0040A730/-1/00100020", "+0100020", "１0100020",
        ]
        for text in hostile { #expect(BulkDataPath(text.split(separator: "/")) == nil, "\(text)") }
        let missing = try #require(BulkDataPath("0040A730/3/00100020".split(separator: "/")))
        #expect(dataSet.element(at: missing) == nil)
    }

    @Test("US of an implicit data set is signed where Pixel Representation says so (PS3.5 Section A.1)")
    func ambiguous() throws {
        let written = try json(.implicitVRLittleEndian) {
            $0.put(Tag(0x0028, 0x0103), .US, ints: [1])
            $0.put(Tag(0x0028, 0x0120), .US, ints: [63536])
        }
        #expect(written.contains("\"00280120\":{\"vr\":\"SS\",\"Value\":[-2000]}"))
    }

    @Test("JSON becomes the same data set again")
    func roundTrip() throws {
        let fill: (inout DataSetWriter) -> Void = {
            $0.put(.patientName, "Nguyễn^Đức=阮^德")
            $0.put(.sopInstanceUID, "1.2.3")
            $0.put(Tag(0x0018, 0x0050), .DS, ["1.25"])
            $0.put(Tag(0x0028, 0x0010), .US, ints: [512])
            $0.put(Tag(0x0009, 0x0010), .LO, ["MAKER"])
            $0.put(Tag(0x0009, 0x1001), .UN, bytes: [0, 1, 2, 3])
            $0.put(Tag(0x0009, 0x1004), .FD, ["0.1"])
            $0.putEmpty(Tag(0x0008, 0x0050))
            var item = $0.makeItem()
            item.put(Tag(0x0008, 0x0100), "121071")
            $0.put(Tag(0x0040, 0xA043), items: [item, $0.makeItem()])
        }
        let first = try json(.explicitVRLittleEndian, .inline, fill)
        let sets = try TextDataSet.read(Data("[\(first)]".utf8))
        #expect(sets.count == 1)
        #expect(sets[0].string(.sopInstanceUID) == "1.2.3")
        let second = try json { try? sets[0].put(into: &$0) { _ in nil } }
        #expect(first == second)
    }

    @Test(
        "What is no DICOM JSON is refused",
        arguments: [
            "", "[", "{\"00100020\":1}", "[{\"0010002\":{\"vr\":\"LO\"}}]",
            "[{\"00100020\":{\"vr\":\"LO\",\"Value\":[{}]}}]",
            "[{\"00280010\":{\"vr\":\"US\",\"Value\":[\"x\"]}}]", "[{\"00280010\":{\"vr\":\"US\",\"Value\":[65536]}}]",
            "[{\"00280106\":{\"vr\":\"SS\",\"Value\":[-32769]}}]",
            "[{\"00400275\":{\"vr\":\"SQ\",\"Value\":[{\"00400007\":{\"vr\":5}}]}}]",
            "[{\"00420011\":{\"vr\":\"OB\",\"InlineBinary\":\"?\"}}]",
            "[{\"00100020\":{\"vr\":\"ZZ\",\"Value\":[]}}]",
            "[{\"00420011\":{\"vr\":\"OB\",\"BulkDataURI\":\"gone\"}}]",
        ])
    func refused(_ text: String) {
        #expect(throws: TextDataSetFailure.self) {
            var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
            for set in try TextDataSet.read(Data(text.utf8)) { try set.put(into: &writer) { _ in nil } }
        }
    }

    @Test("The Native DICOM Model (PS3.19 Section A.1)")
    func xml() throws {
        let dataSet = try read(.explicitVRLittleEndian) {
            $0.put(.patientName, "Nguyễn^Văn <Đức>=阮^文德")
            $0.put(Tag(0x0009, 0x0010), .LO, ["MAKER & CO"])
            $0.put(Tag(0x0009, 0x1001), .US, ints: [7, 8])
            var item = $0.makeItem()
            item.put(Tag(0x0042, 0x0011), .OB, bytes: [1, 2, 3, 4])
            $0.put(Tag(0x0040, 0xA043), items: [item])
        }
        let document = DICOMXMLWriter.document(dataSet, policy: .reference(prefix: "/b/", above: 2))
        let parser = XMLText(document)
        #expect(parser.isWellFormed)
        let text = String(decoding: document, as: UTF8.self)
        #expect(
            text.contains(
                "<DicomAttribute tag=\"00091001\" vr=\"US\" privateCreator=\"MAKER &amp; CO\"><Value number=\"1\">7</Value>"
            ))
        #expect(text.contains("<FamilyName>Nguyễn</FamilyName><GivenName>Văn &lt;Đức&gt;</GivenName></Alphabetic>"))
        #expect(text.contains("<Ideographic><FamilyName>阮</FamilyName>"))
        #expect(text.contains("<BulkData uri=\"/b/0040A043/1/00420011\"/>"))
    }

    @Test("Every real header gives JSON that Foundation reads", arguments: [0])
    func realFiles(_: Int) throws {
        for path in RealFiles.paths {
            let bytes = RealFiles.bytes(path, most: 1 << 20)
            guard let part10 = try? Part10.parse(bytes),
                let header = try? HeaderReader.read(
                    bytes, from: part10.dataSetOffset, transferSyntax: part10.transferSyntax)
            else { continue }
            var writer = DICOMJSONWriter(.reference(prefix: "bulk/", above: 256))
            writer.write(header.dataSet, pixelData: header.pixelData)
            let object = try? JSONSerialization.jsonObject(with: Data(writer.bytes))
            #expect(object is [String: Any], "\(path)")
            #expect(XMLText(DICOMXMLWriter.document(header.dataSet, policy: .omit(above: 256))).isWellFormed, "\(path)")
        }
    }
}

/// As much of an XML parser as tells whether elements are closed in order and text is free of markup.
private struct XMLText {
    private(set) var isWellFormed = true

    init(_ bytes: [UInt8]) {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            isWellFormed = false
            return
        }
        var open: [Substring] = []
        for piece in text.split(separator: "<").dropFirst(0) {
            guard let end = piece.firstIndex(of: ">") else {
                isWellFormed = false
                return
            }
            let name = piece[..<end].prefix { $0 != " " && $0 != "/" }
            if piece.hasPrefix("?") || piece[..<end].hasSuffix("/") { continue }
            if piece.hasPrefix("/") {
                let closed = piece[..<end].dropFirst()
                if open.popLast() != closed { isWellFormed = false }
            } else {
                open.append(name)
            }
        }
        if !open.isEmpty { isWellFormed = false }
    }
}
