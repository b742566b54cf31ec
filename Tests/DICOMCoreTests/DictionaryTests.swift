// The registries: tags, VRs, UIDs, transfer syntaxes, SOP classes (PS3.6).

import DICOMCore
import Testing

@Suite("Registries")
struct DictionaryTests {
    @Test(
        "The dictionary gives VR, keyword and name (PS3.6 Section 6)",
        arguments: [
            (Tag.patientName, VR.PN, "PatientName", "Patient's Name"),
            (.specificCharacterSet, .CS, "SpecificCharacterSet", "Specific Character Set"),
            (.pixelData, .OW, "PixelData", "Pixel Data"),
            (.referencedImageSequence, .SQ, "ReferencedImageSequence", "Referenced Image Sequence"),
            (.numberOfFrames, .IS, "NumberOfFrames", "Number of Frames"),
            (.affectedSOPClassUID, .UI, "AffectedSOPClassUID", "Affected SOP Class UID"),
            (Tag(0x6002, 0x3000), .OW, "OverlayData", "Overlay Data"),
            (Tag(0x5010, 0x0020), .CS, "TypeOfData", "Type of Data"),
        ])
    func attribute(_ tag: Tag, _ vr: VR, _ keyword: String, _ name: String) {
        #expect(DataDictionary.vr(of: tag) == vr)
        #expect(tag.keyword == keyword)
        #expect(DataDictionary.name(of: tag) == name)
    }

    @Test(
        "Tags outside the dictionary have the VR that rules give them (PS3.5 Sections 7.2 and 7.8.1)",
        arguments: [
            (Tag(0x0009, 0x0010), VR.LO), (Tag(0x0009, 0x1001), .UN), (Tag(0x0010, 0x0000), .UL),
            (Tag(0x0029, 0x00FF), .LO), (Tag(0x7777, 0x0001), .UN), (Tag(0x0008, 0xFFF0), .UN),
        ])
    func unregistered(_ tag: Tag, _ vr: VR) {
        #expect(DataDictionary.vr(of: tag) == vr)
        #expect(tag.keyword == nil)
    }

    @Test("Every keyword leads back to its tag")
    func keywords() {
        #expect(DataDictionary.count > 5000)
        #expect(Tag(keyword: "StudyInstanceUID") == .studyInstanceUID)
        #expect(Tag(keyword: "OverlayData") == Tag(0x6000, 0x3000))
        #expect(Tag(keyword: "NoSuchKeyword") == nil)
        #expect(Tag(keyword: "") == nil)
    }

    @Test("The named tags are those of the dictionary")
    func namedTags() {
        let named: [(Tag, String)] = [
            (.modalitiesInStudy, "ModalitiesInStudy"), (.sopClassesInStudy, "SOPClassesInStudy"),
            (.queryRetrieveLevel, "QueryRetrieveLevel"), (.moveDestination, "MoveDestination"),
            (.numberOfStudyRelatedInstances, "NumberOfStudyRelatedInstances"),
            (.transferSyntaxUID, "TransferSyntaxUID"),
            (.voiLUTSequence, "VOILUTSequence"), (.kvp, "KVP"),
            (.mimeTypeOfEncapsulatedDocument, "MIMETypeOfEncapsulatedDocument"),
        ]
        for (tag, keyword) in named { #expect(Tag(keyword: keyword) == tag) }
    }

    @Test(
        "UIDs are 1 to 64 digits and dots without empty components (PS3.5 Section 9.1)",
        arguments: [
            ("1.2.840.10008.1.1", true), ("2.25.1", true), ("1", true), ("1.02.3", true), ("", false), ("1..2", false),
            (".1", false), ("1.", false), ("1.2a", false), ("../../etc/passwd", false), ("1.2 ", false),
            ("1.2\0", false),
            (String(repeating: "1", count: 64), true), (String(repeating: "1", count: 65), false), ("1.２", false),
        ])
    func uidValidity(_ uid: String, _ isValid: Bool) {
        #expect(UID.isValid(uid) == isValid)
    }

    @Test("A derived UID is valid, the same for the same text, another for another (PS3.5 Section B.2)")
    func derivedUID() {
        let uid = UID.derived(from: "1.2.3")
        #expect(uid == UID.derived(from: "1.2.3"))
        #expect(uid != UID.derived(from: "1.2.4"))
        #expect(UID.isValid(uid) && uid.hasPrefix("2.25."))
        #expect(UID.isValid(UID.derived(from: "")))
        #expect(UID.derived(from: "1.2.3") == "2.25.317314844077642216694239452770752377942")
        let made = Set((0..<100).map { _ in UID.generate() })
        #expect(made.count == 100 && made.allSatisfy(UID.isValid))
    }

    @Test(
        "Transfer syntaxes say how data sets are encoded (PS3.5 Annex A)",
        arguments: [
            ("1.2.840.10008.1.2", false, false, false, false), ("1.2.840.10008.1.2.1", true, false, false, false),
            ("1.2.840.10008.1.2.1.99", true, false, true, false), ("1.2.840.10008.1.2.2", true, true, false, false),
            ("1.2.840.10008.1.2.4.50", true, false, false, true), ("1.2.840.10008.1.2.4.201", true, false, false, true),
            ("1.2.840.10008.1.2.4.110", true, false, false, true), ("1.3.46.670589.33.1.4.1", true, false, false, true),
            ("1.2.840.10008.1.2.4.95", true, false, true, false),
        ])
    func transferSyntax(_ uid: String, _ explicit: Bool, _ big: Bool, _ deflated: Bool, _ encapsulated: Bool) {
        let syntax = TransferSyntax(uid)
        #expect(syntax.isExplicitVR == explicit)
        #expect(syntax.isBigEndian == big)
        #expect(syntax.isDeflated == deflated)
        #expect(syntax.isEncapsulated == encapsulated)
    }

    @Test("The tables of UIDs are whole (PS3.6 Annex A)")
    func tables() {
        #expect(TransferSyntax.all.count >= 50)
        #expect(TransferSyntax("1.2.840.10008.1.2.4.203").name == "High-Throughput JPEG 2000 Image Compression")
        #expect(TransferSyntax("1.2.3").name == nil)
        #expect(SOPClass.storage.count >= 170)
        #expect(SOPClass.storage.allSatisfy { UID.isValid($0.uid) && !$0.name.isEmpty })
        #expect(SOPClass.isStorage(SOPClass.ctImageStorage))
        #expect(SOPClass.isStorage("1.2.840.10008.5.1.4.1.1.5") && SOPClass.isRetired("1.2.840.10008.5.1.4.1.1.5"))
        #expect(!SOPClass.isStorage(SOPClass.studyRootFind) && !SOPClass.isStorage(SOPClass.storageCommitmentPushModel))
        #expect(!SOPClass.isStorage(SOPClass.mediaStorageDirectory))
        #expect(SOPClass.name(of: SOPClass.verification) == "Verification SOP Class")
        #expect(SOPClass.name(of: "1.2.3") == nil)
    }
}
