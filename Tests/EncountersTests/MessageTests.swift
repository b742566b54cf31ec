// Messages of a hospital's system, from the first admission to merges: applied whole, refused whole, never lost.

import Encounters
import Foundation
import HL7
import Interop
import Logging
import Records
import Testing

/// Messages as a hospital writes them.
enum Wire {
    static func message(_ type: String, _ id: String, at time: String = "20261121080000", _ segments: String...)
        -> [UInt8]
    {
        let header = "MSH|^~\\&|HIS|24001|PHIM|24001|\(time)||\(type)|\(id)|P|2.5.1||||||UNICODE UTF-8"
        let event = type.hasPrefix("ADT") ? ["EVN||\(time)"] : []
        return Array(([header] + event + segments).joined(separator: "\r").utf8) + [0x0D]
    }

    static func pid(_ code: String, _ name: String = "NGUYỄN VĂN ĐỨC", more: String = "") -> String {
        "PID|1||\(code)^^^24001^MR\(more)||\(name)||19800215|M|||Thôn Đông, Lục Nam^^Bắc Giang"
    }

    static func pv1(_ visit: String, _ location: String = "K01^P2^G5") -> String {
        "PV1|1|I|\(location)||||BS01^TRẦN THỊ LAN||||||||||||\(visit)"
    }

    static func order(_ control: String, _ number: String, accession: String = "", status: String = "") -> [String] {
        [
            "ORC|\(control)|\(number)^HIS|||\(status)||^^^20261121093000^^S||20261121081500|||BS02^LÊ VĂN NAM",
            "OBR|1|\(number)^HIS||18.0219^CLVT sọ não^VN|||||||||Đau đầu|||||\(accession)||||||CT|||^^^20261121093000^^S",
        ]
    }
}

@Suite("Messages of the hospital's system")
struct MessageTests {
    private let hospital: Hospital
    private let desk: MessageIntake

    init() throws {
        hospital = try Hospital()
        // Later than all messages: what lies ahead of the clock is taken for now.
        hospital.set("20261121180000")
        desk = MessageIntake(
            encounters: hospital.encounters, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func send(_ bytes: [UInt8]) throws -> Acknowledgement {
        let (message, text) = try Message.read(bytes)
        return desk.receive(message, text, from: "127.0.0.1")
    }

    private func order(_ number: String) throws -> ProcedureRecord {
        try #require(try hospital.look { try $0.procedure(placer: IssuedNumber(issuer: "HIS", value: number)) })
    }

    @Test("Admission and order become a person, a visit and a line of the worklist")
    func admissionAndOrder() throws {
        let cards = "~024080001234^^^^NI~DN4010112345678^^^^HC"
        #expect(
            try send(Wire.message("ADT^A01", "1", Wire.pid("BN1", more: cards), Wire.pv1("24001.2026.00077"))).decision
                == .accept)
        let order = Wire.order("NW", "O1")
        #expect(
            try send(Wire.message("ORM^O01", "2", Wire.pid("BN1"), Wire.pv1("24001.2026.00077"), order[0], order[1]))
                .decision == .accept)
        let line = try #require(try hospital.look { try $0.worklist(WorklistFilter(), limit: 10) }.first)
        #expect(line.patient.demographics.name == "NGUYỄN VĂN ĐỨC")
        #expect(line.patient.demographics.birthDate == "19800215")
        #expect(line.identifiers.map(\.type) == ["MR", "NI", "HC"])
        #expect(line.encounter?.number == "24001.2026.00077")
        #expect(line.encounter?.details.department == "K01")
        #expect(line.encounter?.details.attendingPhysician == "TRẦN THỊ LAN")
        #expect(line.procedure.details.modality == "CT")
        #expect(line.procedure.details.priority == "STAT")
        #expect(line.procedure.details.code == Coded(value: "18.0219", scheme: "VN", meaning: "CLVT sọ não"))
        #expect(line.procedure.details.scheduledAt == "20261121093000")
        #expect(line.procedure.details.requestingPhysician == "LÊ VĂN NAM")
        #expect((1...16).contains(line.procedure.accession.value.count))
    }

    @Test("A message that comes again is answered again and applied once; a changed one under its ID is new")
    func repetition() throws {
        let order = Wire.order("NW", "O1")
        let bytes = Wire.message("ORM^O01", "7", Wire.pid("BN1"), order[0], order[1])
        #expect(try send(bytes).decision == .accept)
        let accession = try self.order("O1").accession
        #expect(try send(bytes).text == "This message was applied before")
        #expect(try self.order("O1").accession == accession)
        #expect(try hospital.look { try $0.messages(refusedOnly: false, limit: 10) }.count == 1)
        let changed = Wire.order("XO", "O1")
        #expect(try send(Wire.message("ORM^O01", "7", Wire.pid("BN1"), changed[0], changed[1])).decision == .accept)
    }

    @Test("An imaging order says its own UID, accession number and station")
    func imagingOrder() throws {
        let order = Wire.order("NW", "O5")
        let imaging = "IPC|ACC55|RP55|1.2.826.0.1.99|SPS55|DX|P1^Phổi thẳng^VN|PHONG1|K20|DX1"
        #expect(
            try send(Wire.message("OMI^O23", "1", Wire.pid("BN1"), order[0], order[1], imaging)).decision == .accept)
        let procedure = try self.order("O5")
        #expect(procedure.studyInstanceUID == "1.2.826.0.1.99")
        #expect(procedure.accession.value == "ACC55")
        #expect(procedure.details.stationAETitle == "DX1" && procedure.details.modality == "DX")
        #expect(procedure.details.scheduledProcedureStepID == "SPS55")
    }

    @Test("Two orders of one message stand or fall together")
    func whole() throws {
        let (good, bad) = (Wire.order("NW", "O1"), Wire.order("CA", "NEVER"))
        let answer = try send(Wire.message("ORM^O01", "1", Wire.pid("BN1"), good[0], good[1], bad[0], bad[1]))
        #expect(answer.decision == .error)
        #expect(answer.issues.first?.location == Location("ORC", occurrence: 2, 2))
        #expect(try hospital.look { try $0.procedure(placer: IssuedNumber(issuer: "HIS", value: "O1")) } == nil)
        #expect(try hospital.look { try $0.owner(of: Hospital.code("BN1")) } == nil)
    }

    @Test(
        "What is refused says where and why, is kept, and changes nothing",
        arguments: [
            ("ADT^A99", "", Acknowledgement.Decision.reject, "MSH-9.2"),
            ("ORU^R01", "", .reject, "MSH-9"),
            ("ADT^A01", "PV1|1|I|K01||||||||||||||||V1", .error, "PID"),
            ("ADT^A11", "PID|1||BN1^^^24001^MR||A\rPV1|1|I|K01||||||||||||||||V9", .error, "PV1-19"),
            ("ADT^A01", "PID|1||BN1^^^24001^MR||A||1980-99-99|M\rPV1|1|I|K01||||||||||||||||V1", .error, "PID-7"),
            ("ADT^A01", "PID|1||||A||19800101|M\rPV1|1|I|K01||||||||||||||||V1", .error, "PID-3"),
            ("ORM^O01", "PID|1||BN1^^^24001^MR||A\rORC|CA|O9^HIS\rOBR|1|O9^HIS", .error, "ORC-2"),
            ("ORM^O01", "PID|1||BN1^^^24001^MR||A\rORC|ZZ|O9^HIS\rOBR|1|O9^HIS", .error, "ORC-1"),
            ("ORM^O01", "PID|1||BN1^^^24001^MR||A", .error, "ORC"),
            ("ADT^A40", "PID|1||BN1^^^24001^MR||A", .error, "MRG-1"),
        ])
    func refused(type: String, segments: String, decision: Acknowledgement.Decision, place: String) throws {
        let answer = try send(Wire.message(type, "X1", segments))
        #expect(answer.decision == decision)
        #expect(answer.isStored)
        #expect(answer.issues.first?.location?.description == place)
        #expect(answer.text?.isEmpty == false)
        let kept = try hospital.look { try $0.messages(refusedOnly: true, limit: 10) }
        #expect(kept.count == 1 && kept[0].controlID == "X1")
        #expect(try hospital.look { try $0.owner(of: Hospital.code("BN1")) } == nil)
    }

    @Test("Bytes that are no message are kept, too")
    func unreadable() throws {
        #expect(desk.keep(Array("GET / HTTP/1.1\r\n".utf8), .noHeader, from: "127.0.0.1"))
        #expect(try hospital.look { try $0.messages(refusedOnly: true, limit: 10) }.count == 1)
    }

    @Test("Two admissions in the wrong order: the older one is refused")
    func wrongOrder() throws {
        #expect(
            try send(Wire.message("ADT^A03", "2", at: "20261121120000", Wire.pid("BN1"), Wire.pv1("V1"))).decision
                == .accept)
        let late = try send(Wire.message("ADT^A01", "1", at: "20261121080000", Wire.pid("BN1"), Wire.pv1("V1")))
        #expect(late.decision == .error && late.issues.first?.location == Location("PV1", 19))
        #expect(try hospital.look { try $0.encounters(number: "V1") }.map(\.status) == [.finished])
    }

    @Test("A merge, and what comes under the old code afterwards")
    func merge() throws {
        _ = try send(Wire.message("ADT^A04", "1", Wire.pid("BN1"), Wire.pv1("V1")))
        _ = try send(Wire.message("ADT^A04", "2", Wire.pid("BN2"), Wire.pv1("V2")))
        #expect(
            try send(Wire.message("ADT^A40", "3", at: "20261121090000", Wire.pid("BN1"), "MRG|BN2^^^24001^MR")).decision
                == .accept)
        let order = Wire.order("NW", "O1")
        let answer = try send(Wire.message("ORM^O01", "4", at: "20261121091000", Wire.pid("BN2"), order[0], order[1]))
        #expect(answer.decision == .error && answer.issues.first?.location == Location("PID", 3))
        let person = try #require(try hospital.look { try $0.patient(identifiedBy: Hospital.code("BN2")) })
        #expect(try hospital.look { try $0.encounters(of: person, limit: 10) }.map(\.number).sorted() == ["V1", "V2"])
    }

    @Test("A visit moves to another person; a code is replaced")
    func moveAndReplace() throws {
        _ = try send(Wire.message("ADT^A04", "1", Wire.pid("BN1"), Wire.pv1("V1")))
        let moved = Wire.message(
            "ADT^A45", "2", at: "20261121090000", Wire.pid("BN2", "LÊ THỊ HOA"), "MRG|BN1^^^24001^MR||||V1")
        #expect(try send(moved).decision == .accept)
        let right = try #require(try hospital.look { try $0.patient(identifiedBy: Hospital.code("BN2")) })
        #expect(try hospital.look { try $0.encounters(number: "V1") }.map(\.patient) == [right.id])
        let replaced = Wire.message(
            "ADT^A47", "3", at: "20261121093000", Wire.pid("BN3", "LÊ THỊ HOA"), "MRG|BN2^^^24001^MR")
        #expect(try send(replaced).decision == .accept)
        #expect(try hospital.look { try $0.patient(identifiedBy: Hospital.code("BN3")) }?.id == right.id)
    }

    @Test("A repaired message is applied in place of the refused one")
    func replay() throws {
        let order = Wire.order("NW", "O1")
        _ = try send(Wire.message("ADT^A04", "0", Wire.pid("BN1"), Wire.pv1("V1")))
        let cancel = Wire.order("CA", "O1")
        #expect(
            try send(Wire.message("ORM^O01", "9", at: "20261121100000", Wire.pid("BN1"), cancel[0], cancel[1])).decision
                == .error)
        #expect(
            try send(Wire.message("ORM^O01", "8", at: "20261121090000", Wire.pid("BN1"), order[0], order[1])).decision
                == .accept)
        let kept = try #require(try hospital.look { try $0.messages(refusedOnly: true, limit: 1) }.first)
        #expect(try desk.replay(kept.id, by: "ktv").decision == .accept)
        #expect(try self.order("O1").state == ProcedureState.cancelled.rawValue)
        #expect(try hospital.look { try $0.message(id: kept.id) }.code == "AA")
        // What came is what is kept.
        #expect(try hospital.look { try $0.message(id: kept.id) }.bytes == kept.bytes)
    }

    @Test("Names in an old encoding are read, told of, and kept as they came")
    func legacy() throws {
        let text = String(decoding: Wire.message("ADT^A04", "1", Wire.pid("BN1", "@"), Wire.pv1("V1")), as: UTF8.self)
            .replacingOccurrences(of: "UNICODE UTF-8", with: "8859/1")
            .replacingOccurrences(of: "Thôn Đông, Lục Nam^^Bắc Giang", with: "")
            .replacingOccurrences(of: "TRẦN THỊ LAN", with: "")
        // "Nguyễn Văn Đức" in TCVN3.
        let name: [UInt8] =
            Array("Nguy".utf8) + [0xD4] + Array("n V".utf8) + [0xA8] + Array("n ".utf8) + [0xA7, 0xF8] + Array("c".utf8)
        let parts = text.components(separatedBy: "@")
        let bytes = Array(parts[0].utf8) + name + Array(parts[1].utf8)
        let answer = try send(bytes)
        #expect(answer.decision == .accept)
        #expect(answer.issues.first?.location == Location("MSH", 18))
        let person = try #require(try hospital.look { try $0.patient(identifiedBy: Hospital.code("BN1")) })
        #expect(person.demographics.name == "Nguyễn Văn Đức")
        #expect(try hospital.look { try $0.messages(refusedOnly: false, limit: 1) }.first?.bytes == bytes)
    }

    @Test("A late order links the study that waited for it")
    func lateOrder() throws {
        let study = Hospital.study("2.25.7", accession: "ACC7", patientID: "BN1", name: "NGUYEN VAN DUC")
        _ = try hospital.encounters.change(by: "rule") { try $0.links.arrived(study) }
        let order = Wire.order("NW", "O1", accession: "ACC7")
        #expect(
            try send(Wire.message("ORM^O01", "1", Wire.pid("BN1"), Wire.pv1("V1"), order[0], order[1])).decision
                == .accept)
        let link = try #require(try hospital.look { try $0.link(ofStudy: "2.25.7") })
        #expect(link.method == .accession && link.target.encounter != nil)
        #expect(link.actor == "HL7 HIS|24001")
    }
}
