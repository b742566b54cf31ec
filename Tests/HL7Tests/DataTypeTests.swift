// Times, identifiers, names, places.

import HL7
import Testing

@Suite struct DataTypeTests {
    @Test(
        "times keep their precision",
        arguments: [
            "1980", "198002", "19800229", "1980022912", "198002291230", "19800229123059", "19800229123059.1234",
            "19800229123059.5+0700", "2026-0330", "20261121175060+0545",
        ])
    func times(text: String) { #expect(TimeStamp(parsing: text)?.description == text) }

    @Test(
        "times as others write them",
        arguments: [
            ("198000000000", "1980"), ("19800500", "198005"), ("1980-05-07", "19800507"),
            ("2026-11-21T17:50:51+07:00", "20261121175051+0700"), ("2026-11-21 17:50", "202611211750"),
            ("2026-11-21T17:50:51.25Z", "20261121175051.25+0000"), ("20261121175051+07", "20261121175051+0700"),
        ])
    func tolerant(text: String, time: String) { #expect(TimeStamp(parsing: text)?.description == time) }

    @Test(
        "what is no time",
        arguments: [
            "", "198", "19801301", "19800230", "1980022924", "198002291260", "21/11/2026", "abcd", "0000", "1980-",
            "19800229x",
            "19800229+9900", "198002.5", "198000001200",
        ])
    func noTimes(text: String) { #expect(TimeStamp(parsing: text) == nil) }

    @Test("a wrong time is refused by its place")
    func wrongTime() throws {
        let message = try Message(parsing: "MSH|^~\\&\rPID|1||||||19801301")
        let failure = #expect(throws: HL7Failure.self) { try message.time(Location("PID", 7)) }
        #expect(failure?.description == "PID-7: is not a date or time of the form YYYYMMDDHHMMSS")
        #expect(try message.time(Location("PID", 8)) == nil)
        #expect(throws: HL7Failure.invalid(Location("PID", 3), "is required and missing")) {
            try message.required(Location("PID", 3))
        }
    }

    private func repetition(_ text: String) throws -> Repetition {
        try Message(parsing: "MSH|^~\\&\rZZZ|" + text)["ZZZ", 1].first
    }

    @Test("CX (HL7 v2.5.1 Section 2.A.14)")
    func identifiers() throws {
        let raw = try repetition("000123^4^M11^BM&1.2.3&ISO^MR^F1&&^20200101^2030")
        let id = try #require(ExtendedCompositeID(raw))
        #expect((id.id, id.checkDigit, id.checkDigitScheme, id.identifierType) == ("000123", "4", "M11", "MR"))
        #expect(
            id.assigningAuthority == HierarchicDesignator(namespace: "BM", universalID: "1.2.3", universalIDType: "ISO")
        )
        #expect(id.assigningFacility?.namespace == "F1")
        #expect((id.effective?.date, id.expiration?.year) == ("20200101", 2030))
        #expect(id.repetition == raw)
        #expect(ExtendedCompositeID(try repetition("^^^BM")) == nil)
        #expect(ExtendedCompositeID(try repetition("\"\"")) == nil)
    }

    @Test("XPN, XCN and PL (HL7 v2.5.1 Chapter 2.A)")
    func people() throws {
        let name = try #require(ExtendedPersonName(try repetition("NGUYỄN&van^AN^VĂN^^BS^^L")))
        #expect((name.family, name.given, name.middle, name.prefix, name.type) == ("NGUYỄN", "AN", "VĂN", "BS", "L"))
        let raw = try repetition("D7^Lê^Bình^^^BS^^^BM&9&ISO^L^^^DN")
        let doctor = try #require(ExtendedCompositeIDName(raw))
        #expect((doctor.id, doctor.name?.family, doctor.name?.given, doctor.name?.type) == ("D7", "Lê", "Bình", "L"))
        #expect((doctor.assigningAuthority?.universalID, doctor.identifierType) == ("9", "DN"))
        #expect(doctor.repetition == raw)
        let place = try repetition("K01^P2^B3^BM&1&ISO^^N^T1^2^Khoa khám")
        #expect(PersonLocation(place)?.repetition == place)
        #expect(PersonLocation(place)?.locationDescription == "Khoa khám")
        #expect(ExtendedPersonName(Repetition([])) == nil && PersonLocation(Repetition([])) == nil)
    }

    @Test("EI, HD and CWE (HL7 v2.5.1 Chapter 2.A)")
    func codes() throws {
        let order = try repetition("A1^HIS^1.2^ISO")
        #expect(EntityIdentifier(order)?.authority?.universalID == "1.2")
        #expect(EntityIdentifier(order)?.repetition == order)
        let place = try repetition("HIS^1.2^ISO")
        #expect(HierarchicDesignator(place)?.repetition == place)
        let code = try repetition("71020^Ngực^LN^1^b^c^^^as typed")
        #expect(CodedElement(code)?.originalText == "as typed")
        #expect(CodedElement(code)?.repetition == code)
        #expect(CodedElement(Repetition([])) == nil)
    }
}
