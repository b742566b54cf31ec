// What is written reads back, in every encoding and character set (PS3.5 Section 7).

import DICOMCore
import Testing

@Suite("Data set writer")
struct DataSetWriterTests {
    @Test("Elements are written in order of tag, with even length (PS3.5 Section 7.1)")
    func bytes() {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .ascii)
        writer.put(.patientID, "42A")
        writer.put(.sopInstanceUID, "1.2")
        writer.put(.rows, .US, ints: [258])
        var item = writer.makeItem()
        item.put(.codeValue, "X")
        writer.put(.conceptNameCodeSequence, items: [item])
        #expect(
            writer.finish()
                == hex(
                    """
                    0800 1800 5549 0400 312E3200           // (0008,0018) UI, padded by NUL
                    1000 2000 4C4F 0400 34324120           // (0010,0020) LO, padded by a space
                    2800 1000 5553 0200 0201               // (0028,0010) US 258
                    4000 43A0 5351 0000 12000000           // (0040,A043) SQ of 18 bytes
                      FEFF 00E0 0A000000                   //   item of 10 bytes
                        0800 0001 5348 0200 5820           //     (0008,0100) SH X
                    """))
    }

    @Test(
        "Specific Character Set says what was written (PS3.3 Section C.12.1.1.2)",
        arguments: [
            (OutputCharacterSet.utf8, "Đức", "ISO_IR 192", "Đức"), (.latin1, "Jérôme", "ISO_IR 100", "Jérôme"),
            (.latin1, "Đức", nil, "Duc"), (.ascii, "Đức", nil, "Duc"), (.utf8, "Duc", nil, "Duc"),
        ] as [(OutputCharacterSet, String, String?, String)])
    func characterSet(_ set: OutputCharacterSet, _ name: String, _ term: String?, _ read: String) throws {
        for isNested in [false, true] {
            var writer = DataSetWriter(transferSyntax: .implicitVRLittleEndian, characterSet: set)
            var item = writer.makeItem()
            item.put(.patientName, name)
            if isNested {
                writer.put(.requestAttributesSequence, items: [item])
            } else {
                writer.put(.patientName, name)
            }
            let dataSet = try HeaderReader.read(writer.finish(), transferSyntax: .implicitVRLittleEndian).dataSet
            #expect(dataSet.string(.specificCharacterSet) == term)
            let holder = isNested ? try #require(dataSet.items(.requestAttributesSequence).first) : dataSet
            #expect(holder.string(.patientName) == read)
            #expect(!isNested || holder[.specificCharacterSet] == nil)
        }
    }

    @Test("Asked for, Specific Character Set is there even when nothing needs it")
    func declared() throws {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
        writer.put(.specificCharacterSet, "")
        writer.put(.patientID, "1")
        let dataSet = try HeaderReader.read(writer.finish(), transferSyntax: .explicitVRLittleEndian).dataSet
        #expect(dataSet.string(.specificCharacterSet) == "ISO_IR 192")
    }

    @Test("What is put twice is written as it was put last; too long a value goes out as UN (PS3.5 Section 6.2.2)")
    func overriding() throws {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
        writer.put(.patientID, "1")
        writer.put(.patientID, "2")
        writer.putEmpty(.accessionNumber)
        writer.put(.imageComments, .LT, [String(repeating: "x", count: 70_000)])
        let dataSet = try HeaderReader.read(writer.finish(), transferSyntax: .explicitVRLittleEndian).dataSet
        #expect(dataSet.string(.patientID) == "2")
        #expect(dataSet[.accessionNumber]?.length == 0)
        #expect(dataSet[.imageComments]?.vr == .UN && dataSet[.imageComments]?.length == 70_000)
    }

    static let pairs: [(TransferSyntax, TransferSyntax)] = {
        let all: [TransferSyntax] = [
            .implicitVRLittleEndian, .explicitVRLittleEndian, .explicitVRBigEndian, .deflatedExplicitVRLittleEndian,
        ]
        return all.flatMap { from in all.map { (from, $0) } }
    }()

    @Test("A data set copied element by element is the same in another encoding", arguments: pairs)
    func copying(_ from: TransferSyntax, _ to: TransferSyntax) throws {
        let source = try HeaderReader.read(Synthetic.dataSet(from), transferSyntax: from).dataSet
        var writer = DataSetWriter(transferSyntax: to, characterSet: .utf8)
        for element in source.elements { writer.put(element, from: source) }
        let copy = try HeaderReader.read(writer.finish(), transferSyntax: to)
        #expect(copy.flaws.isEmpty)
        func texts(_ dataSet: DataSet) -> [String] {
            var lines: [String] = []
            walk(dataSet) { element, owner, depth in
                // Private values have no VR in implicit encoding.
                let values = element.tag.isPrivate ? ["\(element.length)"] : owner.values(of: element)
                lines.append("\(depth) \(element.tag) \(values)")
            }
            return lines
        }
        #expect(texts(copy.dataSet) == texts(source))
    }
}
