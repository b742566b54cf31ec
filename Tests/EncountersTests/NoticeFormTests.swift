// The forms of notices: messages of HL7 v2 and JSON, and their signature.

import Encounters
import Foundation
import HL7
import Interop
import Records
import Testing

@Suite("Forms of notices")
struct NoticeFormTests {
    private let sender = NoticeSender(facility: "24001", publicURL: "https://pacs.example.org")
    private let pictures = KeyImageSet(
        images: [
            KeyImage(
                seriesInstanceUID: "1.2.3.1", sopInstanceUID: "1.2.3.1.5", frame: 1, isMarked: true,
                jpeg: [0xFF, 0xD8, 0xFF])
        ], remark: "Some key images cannot be drawn here.")

    private func route(_ form: NoticeRoute.Form = .result) -> NoticeRoute {
        var route = NoticeRoute(name: "his", line: .mllp(host: "127.0.0.1", port: 1, tls: nil, form: form))
        route.receivingApplication = "HIS"
        route.receivingFacility = "24001"
        return route
    }

    /// A linked study as it is told, withdrawn where asked for.
    private func notice(isWithdrawn: Bool = false) throws -> (NoticeRecord, StudyNotice) {
        let hospital = try Hospital()
        let order = try hospital.order("O|1", patient: "BN1", visit: "24001.2026.11.21.000077/KCB-NGOẠI-TRÚ/K01")
        let target = LinkTarget(procedure: order.id, encounter: order.encounter, patient: order.patient)
        let state = StudyState(
            facts: Hospital.study("1.2.3", name: "NGUYEN^VAN DUC"), series: 2, instances: 40)
        try hospital.change { desk in
            try desk.links.decide(study: "1.2.3", target: target, reason: "")
            try NoticeDesk(desk.records).tell(NoticeDestination(name: "his"), study: "1.2.3", state)
        }
        let outbox = NoticeOutbox(hospital.encounters)
        let first = try #require(try outbox.next(for: "his"))
        try outbox.note(.taken("AA"), of: first, chance: 0)
        guard isWithdrawn else { return (first, try first.studyNotice()) }
        try hospital.change { desk in
            try NoticeDesk(desk.records).tell(NoticeDestination(name: "his"), study: "1.2.3", nil)
        }
        let record = try #require(try outbox.next(for: "his"))
        return (record, try record.studyNotice())
    }

    @Test("ORU^R01 with who, why and what; read back as it was meant")
    func result() throws {
        let (record, body) = try notice()
        let written = NoticeMessage(sender: sender, route: route(), form: .result).message(record, body, pictures)
        #expect(NoticeMessage(sender: sender, route: route(), form: .result).message(record, body, pictures) == written)
        let message = try Message(parsing: written.text)
        #expect(
            message.segments.map(\.name) == ["MSH", "PID", "PV1", "ORC", "OBR", "NTE", "NTE"]
                + Array(repeating: "OBX", count: 5))
        #expect(message.header.text(3) == "PHIM" && message.header.text(5) == "HIS")
        #expect(message.header[9].first.components.map { $0.value.text } == ["ORU", "R01", "ORU_R01"])
        #expect(message.controlID == record.messageID && message.controlID.count == 20)
        #expect(message.header.text(18) == "UNICODE UTF-8")
        #expect(message.header.text(7) == "20261121080000+0700")
        let patient = try #require(ExtendedCompositeID(message["PID", 3].first))
        #expect(
            patient.id == "BN1" && patient.assigningAuthority?.namespace == "24001" && patient.identifierType == "MR")
        #expect(message["PID", 5].text == "NGUYỄN VĂN ĐỨC")
        #expect(message["PV1", 19].text == "24001.2026.11.21.000077/KCB-NGOẠI-TRÚ/K01")
        #expect(message["ORC", 1].text == "RE" && message["ORC", 5].text == "IP")
        #expect(message["OBR", 2].first.text(1) == "O|1" && message["OBR", 2].first.text(2) == "HIS")
        #expect(message["OBR", 18].text == body.order?.accession.value)
        #expect(message["OBR", 25].text == "R")
        let observations = message.segments("OBX")
        #expect(observations.map { $0.text(2) } == ["ST", "NM", "NM", "RP", "ED"])
        #expect(observations.map { $0.text(11) } == Array(repeating: "R", count: 5))
        #expect(observations.prefix(3).map { $0.text(5) } == ["1.2.3", "2", "40"])
        #expect(observations[3].text(5) == "https://pacs.example.org/ohif/viewer?StudyInstanceUIDs=1.2.3")
        #expect((1...5).map { observations[4].text(5, $0) } == [nil, "IM", "JPEG", "Base64", "/9j/"])
    }

    @Test("Withdrawn: the study's UID alone, as posted in error")
    func withdrawn() throws {
        let (record, body) = try notice(isWithdrawn: true)
        let message = NoticeMessage(sender: sender, route: route(), form: .result).message(record, body, KeyImageSet())
        #expect(message["OBR", 25].text == "I")
        #expect(message.segments("OBX").map { $0.text(11) } == ["W"])
        #expect(message["NTE", 3].text == "The images were deleted.")
    }

    @Test("ORM^O01 with the order's status")
    func status() throws {
        let (record, body) = try notice()
        let message = NoticeMessage(sender: sender, route: route(.orderStatus), form: .orderStatus)
            .message(record, body, KeyImageSet())
        #expect(message.code == "ORM" && message["ORC", 1].text == "SC")
    }

    @Test("JSON says the same, of the patient only what was asked for")
    func document() throws {
        let (record, body) = try notice()
        func json(_ scope: NoticeRoute.PatientScope) throws -> [String: Any] {
            let bytes = try NoticeDocument(sender: sender, patient: scope).bytes(record, body, pictures)
            #expect(try NoticeDocument(sender: sender, patient: scope).bytes(record, body, pictures) == bytes)
            return try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
        }
        let full = try json(.full)
        #expect(full["id"] as? String == record.messageID && full["event"] as? String == "study-available")
        #expect((full["patient"] as? [String: Any])?["name"] as? String == "NGUYỄN VĂN ĐỨC")
        #expect(full["time"] as? String == "2026-11-21T01:00:00Z")
        #expect(
            (full["links"] as? [String: Any])?["wadoRS"] as? String
                == "https://pacs.example.org/dicom-web/studies/1.2.3")
        #expect((full["keyImages"] as? [[String: Any]])?.first?["data"] as? String == "/9j/")
        let partly = try #require(try json(.identifiers)["patient"] as? [String: Any])
        #expect(partly["name"] == nil && (partly["identifiers"] as? [Any])?.count == 1)
        #expect(try json(.none)["patient"] == nil)
    }

    @Test("The signature is HMAC-SHA256 over time and body")
    func signature() {
        let field = WebhookSignature.field(Data("{}".utf8), secret: Array("Jefe".utf8), at: 1_700_000_000)
        // python3: hmac.new(b"Jefe", b"1700000000.{}", "sha256").hexdigest()
        #expect(field == "t=1700000000,v1=d3793e2b4103edfbd98cc19591832f5fad701d413db9fcae0ae7dab8184ed207")
    }
}
