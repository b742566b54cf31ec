// Reading and writing messages.

import HL7
import Testing

@Suite struct MessageTests {
    static let order = """
        MSH|^~\\&|HIS|BM|PHIM|BM|20261121175000+0700||ORM^O01|77|P|2.5.1|||AL|NE||UNICODE UTF-8\r\
        PID|1||000123^^^BM&1.2.3&ISO^MR~001099012345^^^VN^NI||NGUYỄN^AN^VĂN||198000000000|M\r\
        PV1|1|O|K01^P2^\"\"\r\
        ORC|NW|A1\\T\\B^HIS\r\
        OBR|1|A1^HIS||71020^X-quang ngực\\.br\\thẳng\\H\\!\\N\\||||||||||||1^Lê^B~2^Hồ\r\
        ZVN|a|b
        """

    @Test("values by path (HL7 v2.5.1 Section 2.5.3)")
    func paths() throws {
        let message = try Message(parsing: Self.order)
        #expect(message.segments.map(\.name) == ["MSH", "PID", "PV1", "ORC", "OBR", "ZVN"])
        #expect((message.code, message.trigger, message.controlID, message.version) == ("ORM", "O01", "77", "2.5.1"))
        #expect(message["MSH", 1].text == "|")
        #expect(message["MSH", 2].text == "^~\\&")
        #expect(message["PID", 3, 1].text == "000123")
        #expect(message["PID", 3, 4, 2].text == "1.2.3")
        #expect(message["PID", 3].repetitions.count == 2)
        #expect(message["PID", 3][repetition: 2].text(5) == "NI")
        #expect(message["PV1", 3, 3].isNull)
        #expect(message["PV1", 3, 3].text == nil)
        #expect(message["PV1", 9].isAbsent)
        #expect(message["ORC", 2, 1].text == "A1&B")
        #expect(message["OBR", 4, 2].text == "X-quang ngực\nthẳng!")
        #expect(message[try #require(Location(parsing: "OBR-16[2].2"))].text == "Hồ")
        #expect(message["ZVN", 2].text == "b")
        #expect(message["NTE", 3].isAbsent)
        #expect(message[Location("PID", occurrence: 2, 3)].isAbsent)
    }

    @Test("what is written is what was read", arguments: [order])
    func roundTrip(text: String) throws {
        let message = try Message(parsing: text)
        #expect(message.text == text + "\r")
        #expect(try Message(parsing: message.text) == message)
    }

    @Test("places are written and read", arguments: ["PID", "PID-3", "PID-3[2].4.1", "OBX[12]-5", "ZZ9-1.2"])
    func locations(text: String) { #expect(Location(parsing: text)?.description == text) }

    @Test(
        "what is no place",
        arguments: ["", "pid-3", "PID-0", "PID-3.", "PID[x]-1", "PIDX-1", "PID-1.2.3.4", "PID-99999"])
    func noLocations(text: String) { #expect(Location(parsing: text) == nil) }

    @Test(
        "senders' line ends, beginnings and tails",
        arguments: [
            "MSH|^~\\&|A||||||ADT^A01|1|P|2.3\rPID|1||5\r",
            "MSH|^~\\&|A||||||ADT^A01|1|P|2.3\nPID|1||5\n",
            "MSH|^~\\&|A||||||ADT^A01|1|P|2.3\r\nPID|1||5",
            "\r\n\n  MSH|^~\\&|A||||||ADT^A01|1|P|2.3|||\r\r\nPID|1||5|||||\r\n\r\n",
            "\u{FEFF}MSH|^~\\&|A||||||ADT^A01|1|P|2.3\r\u{20}\rpid|1||5^^^|~~\r",
            "MSH|^~\\\\&|A||||||ADT^A01|1|P|2.3\rPID|1||5\r",
            "MSH|^~\\&amp;|A||||||ADT^A01|1|P|2.3\rPID|1||5\r",
            "MSH|^~|A||||||ADT^A01|1|P|2.3\rPID|1||5\r",
            "MSH$%*!@$A$$$$$$ADT%A01$1$P$2.3\rPID$1$$5\r",
        ])
    func tolerant(text: String) throws {
        let message = try Message(parsing: text)
        #expect((message.code, message.trigger, message.controlID) == ("ADT", "A01", "1"))
        #expect(message.segments.count == 2)
        #expect(message["PID", 3] == "5")
        #expect(message["PID", 4].isAbsent)
        #expect(try Message(parsing: message.text) == message)
    }

    @Test("a wrapped text belongs to the line before")
    func wrapped() throws {
        let message = try Message(parsing: "MSH|^~\\&\rOBX|1|TX|||first\nsecond line\r\nthird\rNTE|1\r")
        #expect(message["OBX", 5].text == "first\nsecond line\nthird")
        #expect(message.text.contains("first\\.br\\second line\\.br\\third\r"))
    }

    @Test(
        "escape sequences",
        arguments: [
            ("\\F\\\\S\\\\T\\\\R\\\\E\\", "|^&~\\"), ("C:\\temp\\x", "C:\\temp\\x"), ("a\\", "a\\"), ("\\X41\\B", "AB"),
            ("\\XE1BB85\\", "ễ"), ("\\C2842\\x", "x"), ("\\M001B24\\x", "x"), ("a\\.sp2\\b", "a\nb"),
            ("\\Q\\", "\\Q\\"),
            ("\\X4\\", "\\X4\\"), ("\\X2222\\", "\"\""), ("\\\\", "\\\\"),
        ])
    func escapes(raw: String, shown: String) throws {
        let message = try Message(parsing: "MSH|^~\\&\rNTE|1||" + raw)
        #expect(message["NTE", 3].text == shown)
        #expect(try Message(parsing: message.text) == message)
    }

    @Test("the truncation character of version 2.7")
    func truncation() throws {
        let message = try Message(parsing: "MSH|^~\\&#|A\rNTE|1||5\\P\\ and #")
        #expect(message.separators.truncation == 0x23)
        #expect(message["NTE", 3].text == "5# and #")
        #expect(message.text == "MSH|^~\\&#|A\rNTE|1||5\\P\\ and \\P\\\r")
    }

    @Test(
        "refusals are one sentence that names the place",
        arguments: [
            ("", "the message is empty"),
            ("hello", "MSH: the message does not begin with an MSH segment"),
            ("MSH", "MSH: the message does not begin with an MSH segment"),
            ("BHS|^~\\&|A", "the message is a batch (FHS or BHS); send its messages one by one"),
            ("MSH|^^\\&|A", "MSH-2: separators must be punctuation and all different, as in MSH|^~\\&"),
            ("MSHabcde|A", "MSH-2: separators must be punctuation and all different, as in MSH|^~\\&"),
            ("MSH|^~\\&|A\rP!D|1", "segment 2: does not begin with the three characters of a segment's name"),
            ("MSH|^~\\&|A\rMSH|^~\\&|A", "MSH[2]: a second message in the same frame"),
        ])
    func refusals(text: String, sentence: String) {
        let failure = #expect(throws: HL7Failure.self) { try Message(parsing: text) }
        #expect(failure?.description == sentence)
    }

    @Test("limits")
    func limits() {
        var limits = ReadingLimits()
        limits.bytes = 60
        limits.segments = 2
        limits.fields = 4
        limits.repetitions = 2
        limits.components = 2
        limits.subcomponents = 2
        func failure(_ text: String) -> HL7Failure? {
            do throws(HL7Failure) {
                _ = try Message(parsing: "MSH|^~\\&\r" + text, limits: limits)
                return nil
            } catch { return error }
        }
        #expect(failure("PID|1|a~b|c^d|e&f") == nil)
        #expect(failure("PID|1|2|3|4|5") == .tooMany("fields", limit: 4, at: Location("PID")))
        #expect(failure("PID|a~b~c") == .tooMany("repetitions", limit: 2, at: Location("PID", 1)))
        #expect(failure("PID||a^b^c")?.description == "PID-2: more than the 2 components that are taken")
        #expect(failure("PID||a&b&c") == .tooMany("subcomponents", limit: 2, at: Location("PID", 2)))
        #expect(failure("PID|\rPV1|") == .tooMany("segments", limit: 2, at: nil))
        #expect(failure("PID|" + String(repeating: "x", count: 60)) == .tooLarge(limit: 60))
    }

    @Test("fields are set by path, and deleted by null")
    func writing() throws {
        var message = Message([Segment("MSH")])
        message["MSH", 9] = Field(components: ["ORU", "R01", "ORU_R01"])
        message["PID", 3, 4, 2] = "1.2"
        message["PID", 3, 1] = "a|b"
        message["PID", 19] = .null
        message["PID", 20] = Field("\"\"")
        message["PID", 5] = "x"
        message["PID", 5] = .absent
        message["MSH", 2] = "nothing"
        #expect(
            message.text == "MSH|^~\\&|||||||ORU^R01^ORU_R01\r"
                + "PID|||a\\F\\b^^^&1.2||||||||||||||||\"\"|\\X2222\\\r")
        #expect(try Message(parsing: message.text) == message)
        #expect(message["PID", 19].isNull && message["PID", 20].text == "\"\"")
    }

    @Test("parse after print is the identity, whatever is in the values")
    func property() throws {
        var dice = Dice(1)
        let alphabet = Array("ab|^~\\&#\"\n\r\t \u{0B}\u{1C}ễĐ\u{301}X.br9".unicodeScalars)
        func value(_ dice: inout Dice) -> Value {
            switch Int.random(in: 0..<8, using: &dice) {
            case 0: return .absent
            case 1: return .null
            default:
                var text = String.UnicodeScalarView()
                for _ in 0..<Int.random(in: 0...9, using: &dice) {
                    text.append(alphabet.randomElement(using: &dice) ?? "a")
                }
                return Value(String(text))
            }
        }
        func list<Element>(_ dice: inout Dice, _ make: (inout Dice) -> Element) -> [Element] {
            (0..<Int.random(in: 0...3, using: &dice)).map { _ in make(&dice) }
        }
        for round in 0..<3000 {
            let separators =
                round.isMultiple(of: 2)
                ? Separators.standard : try Separators(field: 0x7C, encoding: Array("^~\\&#".utf8))
            let segments = list(&dice) { dice in
                Segment(
                    "ZZ\(round % 10)",
                    list(&dice) { dice in
                        Field(
                            list(&dice) { dice in
                                Repetition(list(&dice) { dice in Component(list(&dice, value)) })
                            })
                    })
            }
            let message = Message(separators: separators, segments)
            let again = try Message(parsing: message.text)
            #expect(again == message)
            #expect(again.bytes == message.bytes)
        }
    }

    @Test("hostile bytes never trap, and what is taken can be written and read again")
    func fuzz() throws {
        var dice = Dice(2)
        let seed = Array(Self.order.utf8)
        var taken = 0
        for _ in 0..<6000 {
            var bytes = seed
            for _ in 0..<Int.random(in: 1...12, using: &dice) {
                let at = Int.random(in: 0..<bytes.count, using: &dice)
                switch Int.random(in: 0..<4, using: &dice) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &dice)
                case 1: bytes.remove(at: at)
                case 2: bytes.insert(Array("|^~\\&\r\n\"XF.".utf8).randomElement(using: &dice) ?? 0, at: at)
                default:
                    bytes.removeSubrange(at..<max(at, min(bytes.count - 1, at + Int.random(in: 0...20, using: &dice))))
                }
            }
            do throws(HL7Failure) {
                let message = try Message.read(bytes).message
                taken += 1
                #expect(try Message(parsing: message.text) == message)
            } catch { #expect(!error.description.isEmpty) }
        }
        #expect(taken > 1000)
    }

    @Test(
        "The type alone, as in version 2.1: the trigger is EVN-1, or the only one there is",
        arguments: [
            ("ADT", "EVN|A04|20261121", "A04"), ("ADT", "PID|1", ""), ("ADT^A08", "EVN|A04", "A08"),
            ("ORM", "PID|1", "O01"),
            ("OMI", "PID|1", "O23"), ("OMG", "PID|1", "O19"), ("ORU", "PID|1", ""),
        ])
    func typeAlone(type: String, segment: String, trigger: String) throws {
        let message = try Message(parsing: "MSH|^~\\&|A||||||\(type)|1|P|2.1\r\(segment)\r")
        #expect(message.trigger == trigger)
    }
}
