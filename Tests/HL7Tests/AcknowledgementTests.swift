// What is answered, in original and enhanced mode.

import HL7
import Testing

@Suite struct AcknowledgementTests {
    private let time = TimeStamp(year: 2026, month: 11, day: 21, hour: 17, minute: 50, second: 51, zone: 420)

    private func replies(_ header: String, _ acknowledgement: Acknowledgement) throws -> [String] {
        acknowledgement.replies(to: try Message(parsing: header), time: time, controlID: { "R1" }).map(\.text)
    }

    @Test("original mode: the sender's separators and version, the parties swapped")
    func original() throws {
        #expect(
            try replies(
                "MSH|^~\\&|HIS|A|PHIM|B|20260101||ADT^A01^ADT_A01|77|P|2.5", Acknowledgement(.accept, isStored: true))
                == ["MSH|^~\\&|PHIM|B|HIS|A|20261121175051+0700||ACK^A01^ACK|R1|P|2.5\rMSA|AA|77\r"])
        #expect(
            try replies("MSH$%~\\&$HIS$$$$$$ADT%A01$7$T$2.2$$$$$$8859/1", Acknowledgement(.accept, isStored: true))
                == ["MSH$%~\\&$$$HIS$$20261121175051+0700$$ACK$R1$T$2.2$$$$$$8859/1\rMSA$AA$7\r"])
    }

    @Test("errors have a sentence, and from version 2.5 on their place")
    func errors() throws {
        let failure = HL7Failure.invalid(Location("PID", occurrence: 1, 3, repetition: 2, 4), "is required and missing")
        let issue = Acknowledgement.Issue(.requiredFieldMissing, at: failure.location, failure.description)
        let refusal = Acknowledgement(.error, isStored: true, issues: [issue])
        #expect(
            try replies("MSH|^~\\&|A|||||||7|P|2.5.1", refusal)[0].contains(
                "MSA|AE|7|PID-3[2].4: is required and missing\r"
                    + "ERR||PID^1^3^2^4|101^Required field missing^HL70357|E||||PID-3[2].4: is required and missing\r"))
        #expect(try replies("MSH|^~\\&|A|||||||7|P|2.3", refusal)[0].hasSuffix("missing\r"))
        #expect(!(try replies("MSH|^~\\&|A|||||||7|P|2.3", refusal)[0].contains("ERR")))
    }

    @Test(
        "enhanced mode (HL7 v2.5.1 Section 2.9.3)",
        arguments: [
            ("AL", "NE", true, ["CA"]), ("AL", "AL", true, ["CA", "AA"]), ("NE", "AL", true, ["AA"]),
            ("NE", "NE", true, []),
            ("ER", "ER", true, []), ("AL", "", true, ["CA"]), ("", "AL", true, ["AA"]),
            ("SU", "SU", true, ["CA", "AA"]),
            ("AL", "AL", false, ["CR"]), ("ER", "NE", false, ["CR"]), ("NE", "ER", false, ["AR"]),
            ("NE", "SU", false, []),
            ("al", "ne", true, ["CA"]),
        ])
    func enhanced(accept: String, application: String, isGood: Bool, codes: [String]) throws {
        let acknowledgement = Acknowledgement(isGood ? .accept : .reject, isStored: isGood, text: "sentence")
        let messages = try replies("MSH|^~\\&|A|||||||7|P|2.5|||\(accept)|\(application)", acknowledgement)
        #expect(try messages.map { try Message(parsing: $0)["MSA", 1].text } == codes)
    }

    @Test("a stored message that could not be applied: CA, then AE")
    func storedError() throws {
        let acknowledgement = Acknowledgement(.error, isStored: true, text: "no such order")
        let messages = try replies("MSH|^~\\&|A|||||||7|P|2.5|||AL|AL", acknowledgement)
        #expect(messages.map { $0.contains("MSA|CA|7\r") || $0.contains("MSA|AE|7|no such order\r") } == [true, true])
    }

    @Test("bytes that are no message are rejected with a sentence")
    func rejection() throws {
        func text(_ bytes: String) -> String {
            let bytes = Array(bytes.utf8)
            do throws(HL7Failure) {
                _ = try Message.read(bytes)
                return "taken"
            } catch {
                return Acknowledgement.rejection(of: bytes, error, time: time, controlID: "R1").text
            }
        }
        #expect(
            text("GET / HTTP/1.1").contains(
                "MSA|AR||MSH: the message does not begin with an MSH segment\rERR||MSH^1|100"))
        #expect(text("MSH|^~\\&|HIS|||||||9|P|2.4\r??|x").contains("||HIS||2026"))
        #expect(text("MSH|^~\\&|HIS|||||||9|P|2.4\r??|x").contains("MSA|AR|9|segment 2: "))
    }

    @Test("an acknowledgement as it is received")
    func received() throws {
        let positive = ReceivedAcknowledgement(try Message(parsing: "MSH|^~\\&|A\rMSA|ca|7"))
        #expect(positive?.isPositive == true && positive?.controlID == "7" && positive?.text == nil)
        let negative = ReceivedAcknowledgement(
            try Message(parsing: "MSH|^~\\&|A\rMSA|AE|7\rERR||PID^1|101^Missing^HL70357|E||||no patient"))
        #expect(negative?.isPositive == false && negative?.text == "no patient")
        #expect(ReceivedAcknowledgement(try Message(parsing: "MSH|^~\\&|A\rPID|1")) == nil)
        #expect(ReceivedAcknowledgement(try Message(parsing: "MSH|^~\\&|A\rMSA|OK|7")) == nil)
    }
}
