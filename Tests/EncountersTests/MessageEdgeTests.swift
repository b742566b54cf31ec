// What messages of real senders try: several orders under one ORC, pairs of merges, wrong clocks, units, repetitions.

import Encounters
import Foundation
import HL7
import Interop
import Logging
import Records
import Synchronization
import Testing

@Suite("Messages as senders really write them")
struct MessageEdgeTests {
    private let hospital: Hospital
    private let desk: MessageIntake
    private let log = LogLines()

    init() throws {
        hospital = try Hospital()
        hospital.set("20261121180000")
        let log = log
        desk = MessageIntake(
            encounters: hospital.encounters, logger: Logger(label: "test") { _ in LineKeeper(lines: log) })
    }

    private func send(_ bytes: [UInt8]) throws -> Acknowledgement {
        let (message, text) = try Message.read(bytes)
        return desk.receive(message, text, from: "127.0.0.1")
    }

    /// Sends an order message for BN1 with these segments behind PID.
    private func order(_ id: String, at time: String = "20261121080000", _ segments: String...) throws
        -> Acknowledgement
    {
        try send(Wire.message("ORM^O01", id, at: time, Wire.pid("BN1"), segments.joined(separator: "\r")))
    }

    private func procedure(_ number: String, issuer: String = "HIS") throws -> ProcedureRecord? {
        try hospital.look { try $0.procedure(placer: IssuedNumber(issuer: issuer, value: number)) }
    }

    private func messages() throws -> [MessageRecord] {
        try hospital.look { try $0.messages(refusedOnly: false, limit: 100) }
    }

    // MARK: Several orders

    @Test("Several OBR under one ORC are procedures of their own, by OBR-2")
    func severalRequests() throws {
        let requests = [
            "ORC|NW|M1|||||^^^20261121093000", "OBR|1|M1-A||CT1^CT||||||||||||||ACC1A||||||CT",
            "OBR|2|M1-B||MR1^MR||||||||||||||ACC1B||||||MR",
        ].joined(separator: "\r")
        #expect(try order("1", requests).decision == .accept)
        let (first, second) = (try #require(try procedure("M1-A")), try #require(try procedure("M1-B")))
        #expect(first.accession.value == "ACC1A" && first.details.modality == "CT")
        #expect(second.accession.value == "ACC1B" && second.details.modality == "MR")
        #expect(first.studyInstanceUID != second.studyInstanceUID)
        #expect(second.details.scheduledAt == "20261121093000")
        #expect(try procedure("M1") == nil)
        // One of them is cancelled under the ORC that it came with.
        #expect(try order("2", "ORC|CA|M1", "OBR|1|M1-B").decision == .accept)
        #expect(try procedure("M1-B")?.state == ProcedureState.cancelled.rawValue)
        #expect(try procedure("M1-A")?.state == ProcedureState.scheduled.rawValue)
    }

    @Test(
        "A number that repeats or is missing refuses the whole message",
        arguments: [
            ("ORC|NW|M1\rOBR|1|A||C1\rOBR|2|A||C2", "OBR[2]-2"), ("ORC|NW|M1\rOBR|1|A||C1\rOBR|2|||C2", "OBR[2]-2"),
            ("ORC|NW|M1\rOBR|1|M1||C1\rORC|NW|M1\rOBR|2|M1||C2", "ORC[2]-2"),
        ])
    func numbers(segments: String, place: String) throws {
        let answer = try order("1", segments)
        #expect(answer.decision == .error && answer.issues.first?.location?.description == place)
        #expect(try hospital.look { try $0.worklist(WorklistFilter(), limit: 10) }.isEmpty)
    }

    @Test("A second step under one OBR is refused, the same one twice is not; each order has its own study's UID")
    func steps() throws {
        let (one, two) = ("IPC|A1|R1|1.2.3.4|S1|CT", "IPC|A1|R1|1.2.3.4|S2|CT")
        let refused = try order("1", "ORC|NW|O1", "OBR|1|O1||C1", one, two)
        #expect(refused.decision == .error && refused.issues.first?.location?.description == "IPC[2]")
        #expect(try procedure("O1") == nil)
        #expect(try order("2", "ORC|NW|O1", "OBR|1|O1||C1", one, one).decision == .accept)
        let studies = ["ORC|NW|O2\rOBR|1|O2||C2\rZDS|1.2.3.5", "ORC|NW|O3\rOBR|1|O3||C3\rZDS|1.2.3.6"]
        #expect(try order("3", studies.joined(separator: "\r")).decision == .accept)
        #expect(try [procedure("O2"), procedure("O3")].map { $0?.studyInstanceUID } == ["1.2.3.5", "1.2.3.6"])
    }

    @Test("One message holds a hundred orders at most")
    func most() throws {
        func orders(_ count: Int) -> String {
            (1...count).map { "ORC|NW|N\($0)\rOBR|1|N\($0)||C\($0)" }.joined(separator: "\r")
        }
        let refused = try order("1", orders(101))
        #expect(refused.decision == .error && refused.text?.contains("101") == true)
        #expect(try procedure("N1") == nil)
        #expect(try order("2", orders(100)).decision == .accept)
        #expect(try procedure("N100") != nil)
    }

    // MARK: Merges

    @Test("A40 with several pairs and with several codes in MRG-1 merges all of them, or none")
    func merges() throws {
        for code in ["A1", "A2", "A3", "B1", "B2"] {
            _ = try send(Wire.message("ADT^A28", code, Wire.pid(code, code)))
        }
        func root(_ code: String) throws -> Int64? {
            try hospital.look { try $0.patient(identifiedBy: Hospital.code(code)) }?.root
        }
        func merge(_ id: String, _ segments: String...) throws -> Acknowledgement {
            try send(Wire.message("ADT^A40", id, at: "20261121090000", segments.joined(separator: "\r")))
        }
        let incomplete = try merge("1", Wire.pid("A1", "A1"), "MRG|A2^^^24001^MR", Wire.pid("B1", "B1"))
        #expect(incomplete.decision == .error && incomplete.issues.first?.location?.description == "MRG[2]-1")
        #expect(try root("A1") != root("A2"))
        let whole = try merge(
            "2", Wire.pid("A1", "A1"), "MRG|A2^^^24001^MR~024080001234^^^^NI~A3^^^24001^MR", Wire.pid("B1", "B1"),
            "MRG|B2^^^24001^MR")
        #expect(whole.decision == .accept)
        #expect(try root("A2") == root("A1"))
        #expect(try root("A3") == root("A1"))
        #expect(try root("B2") == root("B1"))
        #expect(try root("A1") != root("B1"))
    }

    @Test("A45 with several visits moves all of them")
    func visits() throws {
        _ = try send(Wire.message("ADT^A04", "1", Wire.pid("BN1"), Wire.pv1("V1")))
        _ = try send(Wire.message("ADT^A04", "2", Wire.pid("BN1"), Wire.pv1("V2")))
        let moved = Wire.message(
            "ADT^A45", "3", at: "20261121090000", Wire.pid("BN2", "LÊ THỊ HOA"), "MRG|BN1^^^24001^MR||||V1",
            "MRG|BN1^^^24001^MR||||V2")
        #expect(try send(moved).decision == .accept)
        let right = try #require(try hospital.look { try $0.patient(identifiedBy: Hospital.code("BN2")) })
        #expect(try hospital.look { try $0.encounters(of: right, limit: 10) }.map(\.number).sorted() == ["V1", "V2"])
    }

    // MARK: Time

    @Test("A clock that runs ahead locks nothing: it is taken for now, with a warning")
    func future() throws {
        let ahead = try order("1", at: "20991231000000", "ORC|NW|O1", "OBR|1|O1||C1|||||||||Trước")
        #expect(ahead.decision == .accept)
        #expect(ahead.issues.map { $0.location?.description } == ["MSH-7"] && ahead.issues.allSatisfy(\.isWarning))
        hospital.set("20261121180500")
        let later = try order("2", at: "20261121180400", "ORC|XO|O1", "OBR|1|O1||C1|||||||||Sau")
        #expect(later.decision == .accept && later.issues.isEmpty)
        #expect(try procedure("O1")?.details.clinicalInformation == "Sau")
    }

    // MARK: Values

    @Test(
        "Weight and height come in their units",
        arguments: [
            ("3141-9", "65", "", "65"), ("3141-9", "3200", "g", "3.2"), ("29463-7", "150", "[lb_av]", "68.039"),
            ("3141-9", "65,5", "kg", "65.5"), ("3141-9", "3200", "kg", nil), ("3141-9", "65", "stone", nil),
            ("3141-9", "nan", "kg", nil), ("8302-2", "165", "", "1.65"), ("8302-2", "1.65", "", "1.65"),
            ("8302-2", "65", "[in_i]", "1.651"), ("3137-7", "1.65", "m", "1.65"), ("8302-2", "165", "m", nil),
            ("82810-3", "LA15173-0", "", "3"), ("82810-3", "LA26683-5", "", "1"), ("11449-6", "Y", "", "3"),
            ("82810-3", "LA0", "", nil),
        ] as [(String, String, String, String?)])
    func units(code: String, value: String, unit: String, kept: String?) throws {
        let answer = try order("1", "ORC|NW|O1", "OBR|1|O1||C1", "OBX|1|NM|\(code)^^LN||\(value)|\(unit)")
        #expect(answer.decision == .accept)
        let details = try #require(try procedure("O1")).details
        #expect(
            [details.patientWeight, details.patientSize, details.pregnancyStatus].filter { !$0.isEmpty }
                == (kept.map { [$0] } ?? []))
        #expect(answer.issues.map(\.isWarning) == (kept == nil ? [true] : []))
        #expect(answer.issues.allSatisfy { $0.location?.segment == "OBX" && !$0.text.contains(value) })
    }

    @Test("The null deletes what an order has, but not its numbers, procedure and time")
    func deletion() throws {
        let first = [
            "ORC|NW|O1|||||^^^20261121093000^^S|||||BS02^LÊ VĂN NAM",
            "OBR|1|O1||CT1^Sọ não|||||||||Đau đầu|||||ACC1|RP1|||||CT", "IPC|ACC1|RP1||SPS1|CT|P1|PHONG1|K20|CT1",
            "OBX|1|NM|3141-9||65|kg",
        ].joined(separator: "\r")
        #expect(try order("1", first).issues.isEmpty)
        let null = "\"\""
        let second = [
            "ORC|XO|O1|||||^^^\(null)^^\(null)|||||\(null)", "OBR|1|O1||\(null)|||||||||\(null)|||||\(null)|\(null)",
            "IPC|\(null)|\(null)||\(null)|\(null)|\(null)|\(null)|\(null)|\(null)", "OBX|1|NM|3141-9||\(null)|kg",
        ].joined(separator: "\r")
        #expect(try order("2", at: "20261121090000", second).decision == .accept)
        let order = try #require(try procedure("O1"))
        let details = order.details
        let deleted = [
            details.stationAETitle, details.stationName, details.location, details.modality,
            details.requestingPhysician, details.clinicalInformation, details.patientWeight, details.protocolCode.value,
        ]
        #expect(deleted == Array(repeating: "", count: deleted.count))
        #expect(details.priority == "ROUTINE" && details.code.value == "CT1")
        #expect(details.requestedProcedureID == "RP1" && details.scheduledProcedureStepID == "SPS1")
        #expect(order.accession.value == "ACC1" && details.scheduledAt == "20261121093000")
    }

    @Test("Numbers that DICOM cannot hold are replaced, and the answer says so")
    func longNumbers() throws {
        let long = String(repeating: "7", count: 17)
        let answer = try order("1", "ORC|NW|O1", "OBR|1|O1||C1||||||||||||||\(long)|\(long)|\(long)")
        #expect(answer.decision == .accept)
        #expect(Set(answer.issues.map { $0.location?.description }) == ["OBR-18", "OBR-19", "OBR-20"])
        #expect(answer.issues.allSatisfy { $0.isWarning && !$0.text.contains(long) })
        let order = try #require(try procedure("O1"))
        #expect((1...16).contains(order.accession.value.count))
        #expect(order.details.requestedProcedureID == order.accession.value)
        #expect(order.details.scheduledProcedureStepID == order.accession.value)
    }

    @Test("Limits of length count what is stored, not what is seen as one letter")
    func marks() throws {
        // 11 letters for the eye, more than 64 characters for DICOM.
        let name = String(repeating: "a" + String(repeating: "\u{0323}", count: 6), count: 11)
        let answer = try send(Wire.message("ADT^A28", "1", Wire.pid("BN1", name)))
        #expect(answer.decision == .error && answer.issues.first?.location == Location("PID", 3))
    }

    @Test("A type without a trigger is taken where it can mean only one thing")
    func typeAlone() throws {
        let orders = Wire.order("NW", "O1")
        #expect(try send(Wire.message("ORM", "1", Wire.pid("BN1"), orders[0], orders[1])).decision == .accept)
        let text = String(decoding: Wire.message("ADT", "2", Wire.pid("BN2")), as: UTF8.self)
        #expect(try send(Array(text.replacing("EVN||", with: "EVN|A28|").utf8)).decision == .accept)
        #expect(try send(Wire.message("ADT", "3", Wire.pid("BN3"))).decision == .reject)
    }

    // MARK: Repetition

    @Test("The same message on several connections at once is applied once")
    func once() throws {
        for round in 1...10 {
            let order = Wire.order("NW", "O\(round)")
            let (message, text) = try Message.read(
                Wire.message("ORM^O01", "\(round)", Wire.pid("BN1"), order[0], order[1]))
            let texts = Mutex<[String?]>([])
            let desk = desk
            DispatchQueue.concurrentPerform(iterations: 4) { _ in
                let answer = desk.receive(message, text, from: "127.0.0.1")
                texts.withLock { $0.append(answer.decision == .accept ? answer.text : "refused") }
            }
            let again = "This message was applied before"
            #expect(texts.withLock { $0.map { $0 ?? "applied" }.sorted() } == [again, again, again, "applied"])
        }
        #expect(try messages().count == 10)
    }

    @Test("A refused message that comes again is one row, and its last outcome")
    func retries() throws {
        let cancel = Wire.message("ORM^O01", "9", at: "20261121100000", Wire.pid("BN1"), "ORC|CA|O1", "OBR|1|O1")
        for _ in 1...5 { #expect(try send(cancel).decision == .error) }
        #expect(try messages().map(\.code) == ["AE"])
        for _ in 1...3 { #expect(desk.keep(Array("GET / HTTP/1.1".utf8), .noHeader, from: "10.0.0.1")) }
        #expect(try messages().map(\.code) == ["AR", "AE"])
        #expect(try order("8", at: "20261121090000", "ORC|NW|O1", "OBR|1|O1||C1").decision == .accept)
        #expect(try send(cancel).decision == .accept)
        #expect(try messages().map(\.code) == ["AA", "AR", "AA"])
    }

    @Test("What was accepted is not applied again by a replay, and stays accepted")
    func replayOfAccepted() throws {
        #expect(try order("1", "ORC|NW|O1", "OBR|1|O1||C1").decision == .accept)
        #expect(try order("2", at: "20261121090000", "ORC|CA|O1", "OBR|1|O1").decision == .accept)
        let first = try #require(try messages().last)
        #expect(throws: EncounterFailure.self) { try desk.replay(first.id, by: "ktv") }
        #expect(try hospital.look { try $0.message(id: first.id) } == first)
        #expect(try procedure("O1")?.state == ProcedureState.cancelled.rawValue)
    }

    @Test("A replay that is refused again says so, and one of other bytes is the message's outcome")
    func replayOfRefused() throws {
        #expect(try order("1", "ORC|CA|O1", "OBR|1|O1").decision == .error)
        let kept = try #require(try messages().first)
        #expect(try desk.replay(kept.id, by: "ktv").decision == .error)
        #expect(try desk.replay(kept.id, repaired: Array("rubbish".utf8), by: "ktv").decision == .reject)
        #expect(try hospital.look { try $0.message(id: kept.id) }.code == "AR")
        let repaired = Wire.message("ORM^O01", "1", Wire.pid("BN1"), "ORC|NW|O1", "OBR|1|O1||C1")
        #expect(try desk.replay(kept.id, repaired: repaired, by: "ktv").decision == .accept)
        #expect(try hospital.look { try $0.message(id: kept.id) }.code == "AA")
        #expect(throws: EncounterFailure.self) { try desk.replay(kept.id, by: "ktv") }
    }

    @Test("While the records cannot be written a message is not called stored: its sender sends it again")
    func locked() throws {
        let path = hospital.folder.appending(path: "records.sqlite").path
        let other = try RecordStore(path: path)
        defer { try? other.close() }
        let bytes = String(
            decoding: Wire.message("ORM^O01", "1", Wire.pid("BN1"), "ORC|NW|O1", "OBR|1|O1||C1"), as: UTF8.self
        )
        .replacing("2.5.1||||||", with: "2.5.1|||AL|NE||")
        let (message, text) = try Message.read(Array(bytes.utf8))
        #expect(message.header.text(15) == "AL")
        let answer = try other.transaction { _ in desk.receive(message, text, from: "127.0.0.1") }
        #expect(answer.decision == .reject && !answer.isStored)
        let codes = answer.replies(
            to: message, time: TimeStamp(year: 2026, month: 11, day: 21, hour: 1, minute: 1, second: 1)
        ) { "R1" }.map { $0["MSA", 1].text }
        #expect(codes == ["CR"])
        // And then it is taken.
        #expect(desk.receive(message, text, from: "127.0.0.1").decision == .accept)
        #expect(try procedure("O1") != nil)
    }

    // MARK: Log

    @Test("What stands in MSH-9 is logged only where it has the form of a type")
    func logged() throws {
        _ = try send(Wire.message("NGUYEN VAN DUC^19800215", "1", Wire.pid("BN1")))
        _ = try send(Wire.message("ADT^A99", "2", Wire.pid("BN1")))
        let text = log.all.joined(separator: "\n")
        #expect(text.contains("ADT^A99") && log.all.count == 2)
        #expect(!text.contains("NGUYEN") && !text.contains("1980"))
    }
}

/// What was logged, with its metadata.
final class LogLines: Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    func add(_ line: String) { lines.withLock { $0.append(line) } }
}

private struct LineKeeper: LogHandler {
    let lines: LogLines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { lines.add("\(event.message) \(event.metadata ?? [:])") }
}
