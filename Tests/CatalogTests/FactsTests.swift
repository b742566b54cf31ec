// Facts of an instance: what is read from a header, what stands in for what is missing, and how it is kept.

import Catalog
import DICOMCore
import Foundation
import Testing

@Suite("Instance facts")
struct Facts {
    static func facts(_ values: [(DICOMCore.Tag, String)], sop: String = "1.2.3") throws -> InstanceFacts {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
        for (tag, value) in values { writer.put(tag, value) }
        let header = try HeaderReader.read(writer.finish(), transferSyntax: .explicitVRLittleEndian)
        return InstanceFacts(
            header: header.dataSet, sopClassUID: "1.2.840.10008.5.1.4.1.1.2", sopInstanceUID: sop,
            transferSyntaxUID: "1.2.840.10008.1.2.1")
    }

    @Test("every row of the attribute table is an attribute of the standard with the VR that its kind implies")
    func table() {
        for attribute in Attribute.table {
            #expect(Tag(keyword: attribute.keyword) == attribute.tag)
            let vr = DataDictionary.vr(of: attribute.tag)
            let expected: [VR] =
                switch attribute.kind {
                case .personName: [.PN]
                case .uid: [.UI]
                case .date: [.DA]
                case .time: [.TM]
                case .dateTime: [.DT]
                case .integer: [.IS, .US]
                case .text: [.LT, .ST, .UT]
                case .code: [.AE, .AS, .CS, .DS, .LO, .SH]
                }
            #expect(expected.contains(vr), "\(attribute.keyword) is \(vr)")
        }
        #expect(Set(Attribute.table.map(\.tag)).count == Attribute.table.count)
    }

    @Test("values are decoded, trimmed and brought to one form")
    func values() throws {
        let facts = try Self.facts([
            (Tag(0x0010, 0x0010), "Nguyễn^Văn^Đức "), (Tag(0x0010, 0x0020), " BN 1 "),
            (Tag(0x0008, 0x0020), "2024.01.15"),
            (Tag(0x0020, 0x0013), " 007"), (Tag(0x0008, 0x0008), "ORIGINAL\\PRIMARY"), (Tag(0x0028, 0x0010), "512"),
            (Tag(0x0020, 0x000D), "1.2.1"), (Tag(0x0020, 0x000E), "1.2.2"), (Tag(0x0020, 0x0011), "2a"),
        ])
        #expect(facts[attribute("PatientName")] == "Nguyễn^Văn^Đức")
        #expect(facts[attribute("PatientID")] == "BN 1")
        #expect(facts[attribute("StudyDate")] == "20240115")
        #expect(facts[attribute("InstanceNumber")] == "7")
        #expect(facts[attribute("ImageType")] == "ORIGINAL\\PRIMARY")
        #expect(facts[attribute("Rows")] == "512")
        #expect(facts[attribute("SeriesNumber")] == "2a")
        #expect(facts.flaws == [])
    }

    @Test(
        "a missing or illegal study or series UID gets one derived, the same each time, and a mark",
        arguments: ["", "not a uid", "../../etc/passwd", "1..2"])
    func standIns(uid: String) throws {
        let given = [(Tag(0x0020, 0x000D), uid), (Tag(0x0020, 0x000E), uid), (Tag(0x0010, 0x0020), "P")]
        let facts = try Self.facts(given)
        let marks: InstanceFacts.Flaws = [.studyInstanceUID, .seriesInstanceUID]
        #expect(facts.flaws == marks)
        #expect(UID.isValid(facts.studyInstanceUID))
        #expect(UID.isValid(facts.seriesInstanceUID))
        #expect(try facts == Self.facts(given))
        // Instances that share an illegal UID stay together; those without any stay apart.
        let other = try Self.facts(given, sop: "1.2.4")
        #expect((other.studyInstanceUID == facts.studyInstanceUID) == !uid.isEmpty)
    }

    @Test("a missing Patient ID is a mark, not a refusal")
    func patientID() throws {
        let facts = try Self.facts([(Tag(0x0020, 0x000D), "1.2.1"), (Tag(0x0020, 0x000E), "1.2.2")])
        #expect(facts.flaws == InstanceFacts.Flaws.patientID)
    }

    @Test("facts survive the catalogue: a conflict decided back and forth changes nothing")
    func roundTrip() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        let first = sample(
            "1.1", content: 1, receivedAt: 1, offset: 0,
            [
                "PatientComments": "a=b\r\nc\\d", "OperatorsName": "A^B\\C^D", "InstanceNumber": "07x", "Rows": "12",
                "SeriesNumber": "-3",
            ])
        let second = sample("1.1", study: "1.2.9", content: 2, receivedAt: 2, offset: 8_192, ["PatientName": "Ý^Ổ"])
        try catalog.enroll([first, second])
        let before = try catalog.snapshot()
        for digest in [second.digest, first.digest] {
            _ = try catalog.resolveConflict(sopInstanceUID: "1.1", keep: digest)
        }
        #expect(try catalog.snapshot() == before)
        #expect(before.contains("a=b\\r\\nc\\\\d"))
    }
}

/// A folder of real DICOM files: the one that PHIM_TEST_DICOM_DIR names, else the one beside the package, if any.
private let realFiles: String? = {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    let named = ProcessInfo.processInfo.environment["PHIM_TEST_DICOM_DIR"] ?? ""
    let beside = root.deletingLastPathComponent().appending(path: "shared/data").path
    return [named, beside].first { !$0.isEmpty && FileManager.default.fileExists(atPath: $0) }
}()

/// Every file counts as a content of its own, as if its name were its digest.
private func digest(_ name: String) -> [UInt8] {
    Array((Array(name.utf8.suffix(64)) + [UInt8](repeating: 0, count: 64)).prefix(64))
}

@Suite("Real files", .enabled(if: realFiles != nil))
struct RealFiles {
    @Test("every readable file is enrolled, found by its identifiers, and in any order gives the same snapshot")
    func all() throws {
        let folder = try #require(realFiles)
        var enrollments: [Enrollment] = []
        for case let name as String in try #require(FileManager.default.enumerator(atPath: folder)) {
            guard let data = FileManager.default.contents(atPath: folder + "/" + name) else { continue }
            let bytes = [UInt8](data)
            guard let file = try? Part10.parse(bytes), let sop = file.mediaStorageSOPInstanceUID, UID.isValid(sop),
                let header = try? HeaderReader.read(
                    bytes, from: file.dataSetOffset, transferSyntax: file.transferSyntax)
            else { continue }
            let facts = InstanceFacts(
                header: header.dataSet, sopClassUID: file.mediaStorageSOPClassUID ?? "", sopInstanceUID: sop,
                transferSyntaxUID: file.transferSyntax.uid, headerIsDamaged: !header.flaws.isEmpty)
            enrollments.append(
                Enrollment(
                    facts: facts, place: sample("1", offset: Int64(enrollments.count) * 512).place,
                    dataSetOffset: file.dataSetOffset, digest: digest(name), receivedAt: Int64(enrollments.count),
                    source: "test"))
        }
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        try catalog.enroll(enrollments)
        #expect(try catalog.integrityCheck() == [])
        for enrollment in enrollments {
            let uid = enrollment.facts.sopInstanceUID
            #expect(try catalog.find(query(.image, ["SOPInstanceUID": uid])).count == 1)
            let primary = try #require(try catalog.primary(sopInstanceUID: uid))
            #expect(try catalog.find(query(.study, ["StudyInstanceUID": primary.studyInstanceUID])).count == 1)
        }
        var random = Seeded(9)
        let otherScratch = try Scratch()
        let other = try otherScratch.catalog()
        try other.enroll(enrollments.shuffled(using: &random))
        #expect(try other.snapshot() == catalog.snapshot())
        let statistics = try catalog.statistics()
        #expect(statistics.instances == Set(enrollments.map(\.facts.sopInstanceUID)).count)
    }
}
