// Messages that name several people, or one who was merged.

import Encounters
import HL7
import Interop
import Logging
import Records
import Testing

@Suite("Messages about more than one person")
struct IdentityMessageTests {
    private let hospital: Hospital
    private let desk: MessageIntake

    init() throws {
        hospital = try Hospital()
        desk = MessageIntake(
            encounters: hospital.encounters, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func send(_ bytes: [UInt8]) throws -> Acknowledgement {
        let (message, text) = try Message.read(bytes)
        return desk.receive(message, text, from: "127.0.0.1")
    }

    @Test("A code of type PI beside the MR of somebody else takes nobody over")
    func twoCodes() throws {
        _ = try send(Wire.message("ADT^A28", "1", Wire.pid("456", "LÊ THỊ HOA")))
        let pid = Wire.pid("123", "PHẠM VĂN NAM", more: "~456^^^^PI")
        #expect(try send(Wire.message("ADT^A28", "2", at: "20261121090000", pid)).decision == .accept)
        #expect(try hospital.person("456")?.demographics.name == "LÊ THỊ HOA")
        #expect(try hospital.person("123")?.demographics.name == "PHẠM VĂN NAM")
    }

    @Test("After a merge an order is changed and cancelled under the code that it was given with")
    func oldCode() throws {
        for (number, code) in ["BN1", "BN2"].enumerated() {
            _ = try send(Wire.message("ADT^A04", "\(number)", Wire.pid(code), Wire.pv1("V\(number)")))
        }
        let order = Wire.order("NW", "O1")
        #expect(
            try send(Wire.message("ORM^O01", "3", at: "20261121081500", Wire.pid("BN2"), order[0], order[1])).decision
                == .accept)
        let merge = Wire.message("ADT^A40", "4", at: "20261121083000", Wire.pid("BN1"), "MRG|BN2^^^24001^MR")
        #expect(try send(merge).decision == .accept)
        for (number, control) in ["XO", "CA"].enumerated() {
            let time = "2026112109\(number)000"
            let lines = Wire.order(control, "O1")
            let other = Wire.pid("BN2", "LÊ THỊ HOA")
            #expect(
                try send(Wire.message("ORM^O01", "x\(number)", at: time, other, lines[0], lines[1])).decision == .error)
            #expect(
                try send(Wire.message("ORM^O01", "y\(number)", at: time, Wire.pid("BN2"), lines[0], lines[1])).decision
                    == .accept)
        }
        let known = try #require(
            try hospital.look { try $0.procedure(placer: IssuedNumber(issuer: "HIS", value: "O1")) })
        #expect(known.state == ProcedureState.cancelled.rawValue)
    }

    @Test("A45 for a visit that is not of the prior patient is refused, and moves nothing")
    func strangersVisit() throws {
        for code in ["K1", "K3"] {
            _ = try send(Wire.message("ADT^A04", code, Wire.pid(code), Wire.pv1("V\(code)")))
        }
        let answer = try send(
            Wire.message("ADT^A45", "3", at: "20261121090000", Wire.pid("K2", "LÊ THỊ HOA"), "MRG|K3^^^24001^MR||||VK1")
        )
        #expect(answer.decision == .error && answer.issues.first?.location == Location("MRG", 5))
        let owner = try #require(try hospital.person("K1"))
        #expect(try hospital.look { try $0.encounters(number: "VK1") }.map(\.patient) == [owner.id])
    }
}
