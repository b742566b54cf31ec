// Runs of combining marks, which cost the square of their number.

import HL7
import Testing

@Suite struct CombiningMarksTests {
    @Test("Letters with more marks than any script has are refused at once; those of scripts are composed")
    func marks() throws {
        func message(_ name: String) -> [UInt8] {
            Array("MSH|^~\\&|A|||||||1|P|2.5||||||UNICODE UTF-8\rPID|1||B||\(name)\r".utf8)
        }
        let most = "A" + String(repeating: "\u{0323}", count: 30)
        #expect(try Message.read(message(most)).message["PID", 5].text?.unicodeScalars.count == 30)
        for marks in ["\u{0301}", "\u{0301}\u{0323}"] {
            // Composed, this many would take half a minute.
            let name = "A" + String(repeating: marks, count: 100_000)
            #expect(throws: HL7Failure.tooManyMarks(limit: 30)) { try Message.read(message(name)) }
            #expect(LegacyVietnamese.suggest(Array(name.utf8)).first?.text.utf8.count == name.utf8.count)
        }
        #expect(try Message.read(message("Nguye\u{0302}\u{0303}n")).message["PID", 5].text == "Nguy\u{1EC5}n")
    }
}
