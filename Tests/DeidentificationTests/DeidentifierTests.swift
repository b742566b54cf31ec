// Nobody is left: whatever is planted into a header, and wherever, is not in what comes out of it.

import DICOMCore
import Deidentification
import Testing

private typealias Tag = DICOMCore.Tag

@Suite struct DeidentifierTests {
    static let marker = "Qzxmarker"
    static let key = PseudonymKey([UInt8](repeating: 7, count: 32))

    static func deidentifier(_ profile: String = "basic") throws -> Deidentifier {
        Deidentifier(try DeidentificationProfile(profile), key: try #require(key))
    }

    /// Every attribute of PS3.6 but pixels: the groups it has, element by element.
    private static let attributes: [Tag] = {
        var groups = Array(stride(from: UInt16(0x0008), through: 0x0100, by: 2))
        groups += [0x0400, 0x2000, 0x2010, 0x2020, 0x2030, 0x2040, 0x2050, 0x2100, 0x2110, 0x2120, 0x2130, 0x2200]
        groups += [0x3002, 0x3004, 0x3006, 0x3008, 0x300A, 0x300C, 0x300E, 0x3010, 0x4000, 0x4008, 0x4010, 0x4FFE]
        groups += [0x5000, 0x5200, 0x5400, 0x5600, 0x6000]
        return groups.flatMap { group in
            (UInt16(1)...0xFFFF).lazy.map { Tag(group, $0) }.filter { DataDictionary.keyword(of: $0) != nil }
        }
    }()

    /// A header with the marker in every attribute that holds characters or bytes, once more inside every sequence.
    static func planted(_ syntax: TransferSyntax, named: Bool) throws -> DataSet {
        var writer = DataSetWriter(transferSyntax: syntax, characterSet: .utf8)
        func plant(_ writer: inout DataSetWriter, deep: Bool) {
            for tag in attributes where !isIdentity(tag) {
                let vr = DataDictionary.vr(of: tag)
                if vr == .SQ, deep {
                    var item = writer.makeItem()
                    var inner = item.makeItem()
                    inner.put(.patientName, .PN, bytes: Array("\(marker)^Inner".utf8))
                    inner.put(Tag(0x0008, 0x0104), .LO, bytes: Array("with \(marker)".utf8))
                    inner.put(Tag(0x0011, 0x0010), .LO, bytes: Array("CREATOR".utf8))
                    inner.put(Tag(0x0011, 0x1001), .UN, bytes: Array(marker.utf8))
                    item.put(Tag(0x0008, 0x1032), items: [inner])
                    item.put(Tag(0x0008, 0x1030), .LO, bytes: Array(marker.utf8))
                    item.put(Tag(0x0040, 0xA160), .UT, bytes: Array(marker.utf8))
                    writer.put(tag, items: [item])
                } else if vr.unitSize == 0, vr != .SQ, named || !KeptAttributes.texts.contains(tag),
                    !KeptAttributes.bytes.contains(tag)
                {
                    writer.put(tag, vr, bytes: Array("a \(marker) b".utf8))
                }
            }
        }
        plant(&writer, deep: true)
        writer.put(.sopClassUID, .UI, [SOPClass.ctImageStorage])
        writer.put(.sopInstanceUID, .UI, ["1.2.3.4"])
        writer.put(.studyInstanceUID, .UI, ["1.2.3"])
        writer.put(.patientName, .PN, [named ? "\(marker.uppercased())^Văn" : "Trần^Thị"])
        writer.put(Tag(0x0009, 0x0010), .LO, bytes: Array("SOMEBODY".utf8))
        writer.put(Tag(0x0009, 0x1001), .LO, bytes: Array(marker.utf8))
        writer.put(Tag(0x0018, 0xFFF0), .LO, bytes: Array(marker.utf8))
        writer.put(Tag(0x5002, 0x3000), .OW, bytes: Array(marker.utf8) + [0])
        writer.put(Tag(0x6002, 0x3000), .OW, bytes: Array(marker.utf8) + [0])
        return try HeaderReader.read(writer.finish(), transferSyntax: syntax).dataSet
    }

    /// Attributes by which an object is refused, and those that are given above.
    private static func isIdentity(_ tag: Tag) -> Bool {
        [.specificCharacterSet, .sopClassUID, .sopInstanceUID, .studyInstanceUID, .patientName].contains(tag)
            || tag == Tag(0x0028, 0x0301) || tag == Tag(0x0008, 0x0064) || tag == Tag(0x0008, 0x0008)
    }

    private static func count(_ text: String, in bytes: [UInt8]) -> Int {
        let wanted = Array(text.lowercased().utf8)
        let lower = bytes.map { $0 &- 0x41 < 26 ? $0 + 0x20 : $0 }
        return lower.indices.count { lower[$0...].starts(with: wanted) }
    }

    @Test(
        "No attribute, private, nested or unknown, lets a planted name out",
        arguments: [
            TransferSyntax.explicitVRLittleEndian, .implicitVRLittleEndian, .explicitVRBigEndian,
        ],
        [
            "basic",
            "basic+retain-dates-shifted+retain-uids+retain-device+retain-patient-characteristics+accept-pixels",
        ])
    func nothingSurvives(syntax: TransferSyntax, profile: String) throws {
        let planted = try Self.planted(syntax, named: true)
        #expect(Self.count(Self.marker, in: planted.bytes) > 2_000)
        let header = try Self.deidentifier(profile).header(planted, transferSyntax: syntax)
        #expect(Self.count(Self.marker, in: header.bytes) == 0)
        let read = try HeaderReader.read(header.bytes, transferSyntax: syntax).dataSet
        #expect(!read.elements.contains { $0.tag.isPrivate })
        #expect(read.string(Tag(0x0012, 0x0062)) == "YES")
    }

    @Test("Beyond the technical texts nothing is kept, whoever it names")
    func textsGo() throws {
        let planted = try Self.planted(.explicitVRLittleEndian, named: false)
        let header = try Self.deidentifier().header(planted, transferSyntax: .explicitVRLittleEndian)
        // What is left stands in Code Meaning, which is kept where it names nobody of the object.
        let read = try HeaderReader.read(header.bytes, transferSyntax: .explicitVRLittleEndian).dataSet
        for element in read.elements where element.vr != .SQ {
            #expect(Self.count(Self.marker, in: Array(read.rawValue(element))) == 0, "\(element.tag)")
        }
    }

    @Test("UIDs, the patient and shifted dates are replaced alike in every object of a patient")
    func alike() throws {
        func header(_ instance: String, patient: String) throws -> DataSet {
            var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
            writer.put(.sopClassUID, SOPClass.ctImageStorage)
            writer.put(.sopInstanceUID, instance)
            writer.put(.studyInstanceUID, "1.2.3")
            writer.put(.patientID, patient)
            writer.put(.patientName, "Nguyễn^An")
            writer.put(Tag(0x0008, 0x0020), "20240229")
            writer.put(Tag(0x0008, 0x0021), "20240301")
            writer.put(Tag(0x0008, 0x002A), "20240301120102.5+0700")
            writer.put(Tag(0x0010, 0x0030), "19700101")
            writer.put(Tag(0x0008, 0x0070), "ACME")
            writer.put(Tag(0x0018, 0x0050), "1.25")
            let bytes = try Self.deidentifier("basic+retain-dates-shifted").header(
                try HeaderReader.read(writer.finish(), transferSyntax: .explicitVRLittleEndian).dataSet,
                transferSyntax: .explicitVRLittleEndian
            ).bytes
            return try HeaderReader.read(bytes, transferSyntax: .explicitVRLittleEndian).dataSet
        }
        let (first, second, other) = (
            try header("1.2.3.4", patient: "P1"), try header("1.2.3.5", patient: "P1"),
            try header("1.2.3.6", patient: "P2")
        )
        #expect(first.string(.studyInstanceUID) == second.string(.studyInstanceUID))
        #expect(first.string(.studyInstanceUID)?.hasPrefix("2.25.") == true)
        #expect(first.string(.sopInstanceUID) != second.string(.sopInstanceUID))
        #expect(first.string(.sopInstanceUID) == (try header("1.2.3.4", patient: "P1")).string(.sopInstanceUID))
        #expect(first.string(.patientID) == second.string(.patientID))
        #expect(first.string(.patientID) != other.string(.patientID))
        #expect(first.string(.patientID)?.count == 10)
        #expect(first.string(Tag(0x0008, 0x0070)) == "ACME")
        #expect(first.string(Tag(0x0018, 0x0050)) == "1.25")
        #expect(first.string(Tag(0x0010, 0x0030)) == nil)
        #expect(first.string(Tag(0x0028, 0x0303)) == "MODIFIED")
        // A day lies between the study and the series, before and after.
        let study = try #require(first.string(Tag(0x0008, 0x0020)))
        #expect(study != "20240229" && study == second.string(Tag(0x0008, 0x0020)))
        #expect(ShiftedDates.date(try #require(first.string(Tag(0x0008, 0x0021))), back: 1) == study)
        #expect(first.string(Tag(0x0008, 0x002A))?.hasSuffix("120102.5+0700") == true)
        #expect(first.items(Tag(0x0012, 0x0064)).map { $0.string(Tag(0x0008, 0x0100)) } == ["113100", "113107"])
    }

    /// A header of these values, and the same after a profile.
    private static func cleaned(
        _ profile: String, _ fill: (inout DataSetWriter) -> Void
    ) throws -> DataSet {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
        writer.put(.sopClassUID, SOPClass.ctImageStorage)
        writer.put(.sopInstanceUID, "1.2.3.4")
        writer.put(.studyInstanceUID, "1.2.3")
        fill(&writer)
        let header = try deidentifier(profile).header(
            try HeaderReader.read(writer.finish(), transferSyntax: .explicitVRLittleEndian).dataSet,
            transferSyntax: .explicitVRLittleEndian)
        return try HeaderReader.read(header.bytes, transferSyntax: .explicitVRLittleEndian).dataSet
    }

    @Test("Which device it was stays where that is asked for, and only there", arguments: [true, false])
    func device(isKept: Bool) throws {
        let read = try Self.cleaned(isKept ? "basic+retain-device+retain-dates-shifted" : "basic") { writer in
            writer.put(Tag(0x0008, 0x1010), .SH, ["CT-ROOM-1"])
            writer.put(Tag(0x0018, 0x1000), .LO, ["SN-123456"])
            var item = writer.makeItem()
            item.put(Tag(0x0018, 0x1009), .UT, ["(01)00844588003288"])
            item.put(Tag(0x0050, 0x0020), .LO, ["Scanner of NGUYEN"])
            writer.put(Tag(0x0018, 0x100A), items: [item])
            writer.put(Tag(0x0018, 0x1200), .DA, ["20240301"])
            writer.put(.patientName, "Nguyễn^An")
        }
        #expect(read.string(Tag(0x0008, 0x1010)) == (isKept ? "CT-ROOM-1" : "REMOVED"))
        #expect(read.string(Tag(0x0018, 0x1000)) == (isKept ? "SN-123456" : "REMOVED"))
        let device = read.items(Tag(0x0018, 0x100A)).first
        #expect(device?.string(Tag(0x0018, 0x1009)) == (isKept ? "(01)00844588003288" : nil))
        // A device that is described by somebody's name is not.
        #expect(device?.string(Tag(0x0050, 0x0020)) == nil)
        let calibrated = read.string(Tag(0x0018, 0x1200))
        #expect(calibrated != "20240301" && (calibrated != nil) == isKept)
    }

    @Test(
        "Short names are found as words, whole names however they are written",
        arguments: [
            ("Hồ^Vy", "of vy", false), ("Hồ^Vy", "HO VY CT", false), ("Hồ^Vy", "hovy", false),
            ("Hồ^Vy", "VyHo 1", false),
            ("Hồ^Vy", "vytorin", true), ("Y^B", "seen by Y B", false), ("Y^B", "Y axis", true),
            ("Trần^An^^DR", "DR System", true), ("Trần^An^^BS.", "An toan", false),
        ])
    func shortNames(name: String, text: String, stays: Bool) throws {
        let read = try Self.cleaned("basic") { writer in
            writer.put(.patientName, name)
            writer.put(Tag(0x0008, 0x0070), .LO, [text])
        }
        #expect(read.string(Tag(0x0008, 0x0070)) == (stays ? text : nil))
    }

    @Test(
        "Objects whose pixels or words may name somebody are refused",
        arguments: [
            ("1.2.840.10008.5.1.4.1.1.6.1", "", false), ("1.2.840.10008.5.1.4.1.1.7", "", false),
            ("1.2.840.10008.5.1.4.1.1.88.33", "", true), ("1.2.840.10008.5.1.4.1.1.104.1", "", true),
            ("1.2.840.10008.5.1.4.1.1.2", "YES", false), ("1.2.3.4.5", "", true),
            ("1.2.840.10008.5.1.4.1.1.77.1.1.1", "", false),
        ])
    func refused(sopClass: String, burned: String, isFinal: Bool) throws {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
        writer.put(.sopClassUID, sopClass)
        writer.put(.sopInstanceUID, "1.2.3.4")
        writer.put(.studyInstanceUID, "1.2.3")
        if !burned.isEmpty { writer.put(Tag(0x0028, 0x0301), burned) }
        let dataSet = try HeaderReader.read(writer.finish(), transferSyntax: .explicitVRLittleEndian).dataSet
        #expect(throws: DeidentificationFailure.self) {
            try Self.deidentifier().header(dataSet, transferSyntax: .explicitVRLittleEndian)
        }
        let accepting = try Self.deidentifier("basic+accept-pixels")
        if isFinal {
            #expect(throws: DeidentificationFailure.self) {
                try accepting.header(dataSet, transferSyntax: .explicitVRLittleEndian)
            }
        } else {
            _ = try accepting.header(dataSet, transferSyntax: .explicitVRLittleEndian)
        }
    }

    @Test("A segmentation passes, raw data does not", arguments: [("66.4", true), ("66", false), ("88.59", false)])
    func classes(last: String, passes: Bool) throws {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
        writer.put(.sopClassUID, "1.2.840.10008.5.1.4.1.1.\(last)")
        let dataSet = try HeaderReader.read(writer.finish(), transferSyntax: .explicitVRLittleEndian).dataSet
        #expect((Suitability.objection(dataSet, acceptsPixels: true) == nil) == passes)
    }

    @Test("Unknown profiles are refused", arguments: ["", "full", "basic+everything", "retain-uids", "basic+"])
    func unknown(name: String) {
        #expect(throws: DeidentificationFailure.unknownProfile(name)) { try DeidentificationProfile(name) }
    }

    @Test(
        "Dates move by days through months and leap years",
        arguments: [
            ("20240301", 1, "20240229"), ("20230301", 1, "20230228"), ("20240101", 1, "20231231"),
            ("19000301", 1, "19000228"), ("20000301", 366, "19990301"), ("20240229", 3_650, "20140303"),
        ])
    func dates(from: String, days: Int, to: String) { #expect(ShiftedDates.date(from, back: days) == to) }

    @Test("The table is whole")
    func table() {
        #expect(ConfidentialityAction.table.count > 600)
        #expect(ConfidentialityAction.of(.studyInstanceUID) == .replaceUID)
        #expect(ConfidentialityAction.of(.patientName) == .empty)
    }
}
