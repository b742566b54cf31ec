// Forms in which objects leave: other letters, nobody's name, and the pixels as they are.

import DICOMCore
import Forwarding
import Hummingbird
import Records
import Retrieval
import Testing
import WebForwarding

@Suite("Outgoing forms")
struct FormTests {
    private static func sent(_ transform: ShipmentTransform, _ file: [UInt8] = Sample.file()) async throws -> [UInt8] {
        let station = try Station()
        let instance = try station.receive(file, transform)
        let object = try station.forms.object(instance, transform) { $0 == TransferSyntax.explicitVRLittleEndian.uid }
        return try object.read(from: 0, count: Int(object.length))
    }

    private static func header(_ file: [UInt8]) throws -> Header {
        let part10 = try Part10.parse(file)
        return try HeaderReader.read(file, from: part10.dataSetOffset, transferSyntax: part10.transferSyntax)
    }

    private static func pixels(_ file: [UInt8]) throws -> ArraySlice<UInt8> {
        file[try #require(try header(file).pixelData).valueOffset...]
    }

    @Test(
        "Texts leave in the letters that are asked for, in sequences too",
        arguments: [
            ("ISO_IR 100", "Nguyen^Van Duc=???", "So não", "ISO_IR 100"),
            ("ISO_IR 6", "Nguyen^Van Duc=???", "So nao", nil),
            ("ISO 2022 IR 6", "Nguyen^Van Duc=???", "So nao", nil),
            ("ISO_IR 192", "Nguyễn^Văn Đức=阮文德", "Sọ não", "ISO_IR 192"),
        ] as [(String, String, String, String?)])
    func letters(characterSet: String, name: String, meaning: String, term: String?) async throws {
        var transform = ShipmentTransform()
        transform.characterSet = characterSet
        let file = try await Self.sent(transform)
        let header = try Self.header(file)
        #expect(header.dataSet.text(.patientName) == name)
        #expect(header.dataSet.items(Tag(0x0008, 0x1032)).first?.string(Tag(0x0008, 0x0104)) == meaning)
        #expect(header.dataSet.string(.specificCharacterSet) == term)
        #expect(header.dataSet.string(.sopInstanceUID) == Sample.instance)
        #expect(try Self.pixels(file) == Self.pixels(Sample.file()))
    }

    @Test("Nobody is named in a de-identified object, whose pixels are the same and whose UIDs are others")
    func deidentified() async throws {
        var transform = ShipmentTransform()
        transform.deidentification = "basic"
        let station = try Station()
        let instance = try station.receive(Sample.file(comment: "for Đức"), transform)
        let object = try station.forms.object(instance, transform) { _ in true }
        let file = try object.read(from: 0, count: Int(object.length))
        let header = try Self.header(file)
        let text = String(decoding: file, as: UTF8.self)
        for word in ["Nguyễn", "Đức", "4711", Sample.study] { #expect(!text.contains(word), "\(word)") }
        #expect(header.dataSet.string(Tag(0x0012, 0x0062)) == "YES")
        #expect(object.sopInstanceUID == header.dataSet.string(.sopInstanceUID))
        #expect(object.sopInstanceUID != Sample.instance && object.studyInstanceUID != Sample.study)
        #expect(object.sopInstanceUID.hasPrefix("2.25."))
        #expect(try Part10.parse(file).mediaStorageSOPInstanceUID == object.sopInstanceUID)
        #expect(Int(object.dataSetOffset) == (try Part10.parse(file)).dataSetOffset)
        #expect(try Self.pixels(file) == Self.pixels(Sample.file()))
    }

    @Test("The key of pseudonyms is made once and stays")
    func key() throws {
        var transform = ShipmentTransform()
        transform.deidentification = "basic"
        func names(at station: Station) throws -> [String] {
            let instance = try station.receive(Sample.file(), transform)
            return try (1...2).map { _ in
                try station.forms.object(instance, transform) { _ in true }.sopInstanceUID
            }
        }
        let (one, other) = (try names(at: Station()), try names(at: Station()))
        #expect(one[0] == one[1] && one[0] != other[0])
    }

    @Test("What cannot be done is not asked for")
    func objections() throws {
        var transform = ShipmentTransform()
        #expect(OutgoingForms.objection(to: transform) == nil)
        transform.characterSet = "KOI8-R"
        #expect(OutgoingForms.objection(to: transform)?.contains("character set") == true)
        transform.characterSet = ""
        transform.deidentification = "most"
        #expect(OutgoingForms.objection(to: transform)?.contains("profile") == true)
        let station = try Station()
        #expect(throws: ForwardingFailure.self) { try station.receive(Sample.file(), transform) }
    }

    @Test("An image is offered smaller first, what is no image as it is")
    func offered() throws {
        let station = try Station()
        var transform = ShipmentTransform()
        let explicit = TransferSyntax.explicitVRLittleEndian.uid
        let image = ObjectForm(sopClassUID: SOPClass.ctImageStorage, transferSyntaxUID: explicit)
        #expect(station.forms.syntaxes(for: image, transform).first == explicit)
        transform.compresses = true
        #expect(station.forms.syntaxes(for: image, transform).count == 5)
        #expect(station.forms.syntaxes(for: image, transform).first == TransferSyntax.jpegLSLossless.uid)
        let report = ObjectForm(sopClassUID: "1.2.840.10008.5.1.4.1.1.88.33", transferSyntaxUID: explicit)
        #expect(station.forms.syntaxes(for: report, transform).first == explicit)
        let lossy = ObjectForm(
            sopClassUID: SOPClass.ctImageStorage, transferSyntaxUID: TransferSyntax.jpegBaseline.uid)
        #expect(station.forms.syntaxes(for: lossy, transform).first == TransferSyntax.jpegBaseline.uid)
    }

    @Test("One bit of one sample is seen when what was made is compared with what is stored")
    func compared() throws {
        let station = try Station()
        let first = try station.retrieval.prepared(station.receive(Sample.file()))
        let same = try station.retrieval.prepared(
            station.receive(Sample.file(comment: "the same pixels", instance: Sample.instance + ".2")))
        let other = try station.retrieval.prepared(
            station.receive(Sample.file(instance: Sample.instance + ".3", flipped: 64 * 64 - 1)))
        #expect(try station.retrieval.haveSamePixels(first, same))
        #expect(try !station.retrieval.haveSamePixels(first, other))
    }

    @Test("Without a codec an image leaves as it is stored")
    func withoutCodec() async throws {
        var transform = ShipmentTransform()
        transform.compresses = true
        let station = try Station()
        let instance = try station.receive(Sample.file(), transform)
        let object = try station.forms.object(instance, transform) { _ in true }
        #expect(try object.read(from: 0, count: Int(object.length)) == Sample.file())
    }
}
