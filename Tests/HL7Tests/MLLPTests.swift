// Frames on the wire.

import HL7
import Testing

@Suite struct MLLPTests {
    @Test("frames in pieces of every size", arguments: 1...9)
    func pieces(size: Int) {
        let messages = ["MSH|1", "", "a\u{1C}b\rc", "x\u{1C}\u{1C}y"].map { Array($0.utf8) }
        let stream = messages.flatMap(MLLP.frame)
        var decoder = MLLPDecoder(limit: 100)
        var events: [MLLPDecoder.Event] = []
        for start in stride(from: 0, to: stream.count, by: size) {
            events += decoder.append(Array(stream[start..<min(stream.count, start + size)]))
        }
        #expect(events == messages.map { .frame($0) })
        #expect(decoder.strayBytes == 0)
        #expect(!decoder.isInside)
    }

    @Test("bytes between frames are counted and passed over")
    func stray() {
        var decoder = MLLPDecoder(limit: 10)
        let events = decoder.append(Array("noise\r\n\u{0B}a\u{1C}\r\r\nxx\u{0B}b\u{1C}\r\u{0B}c".utf8))
        #expect(events == [.frame([0x61]), .frame([0x62])])
        #expect(decoder.strayBytes == 7)
        #expect(decoder.isInside)
    }

    @Test("a frame that is too large is announced once, and the next one is read")
    func tooLarge() {
        var decoder = MLLPDecoder(limit: 4)
        var events = decoder.append(MLLP.frame(Array("12345\u{1C}\u{1C}67".utf8)))
        events += decoder.append(MLLP.frame(Array("1234".utf8)))
        events += decoder.append(MLLP.frame(Array("123\u{1C}4".utf8)))
        events += decoder.append(MLLP.frame(Array("1234\u{1C}\u{1C}".utf8)))
        events += decoder.append(MLLP.frame([0x39]))
        #expect(
            events == [
                .tooLarge(beginning: Array("1234".utf8)), .frame(Array("1234".utf8)),
                .tooLarge(beginning: Array("123\u{1C}".utf8)), .tooLarge(beginning: Array("1234".utf8)), .frame([0x39]),
            ])
    }

    @Test("a sender that leaves out the last byte")
    func missingEnd() {
        var decoder = MLLPDecoder(limit: 10)
        #expect(decoder.append([0x0B, 0x61, 0x1C, 0x0B, 0x62, 0x1C, 0x0D]) == [.frame([0x61]), .frame([0x62])])
    }

    @Test("a last byte that does not come, and what may stand behind")
    func silence() {
        var decoder = MLLPDecoder(limit: 10)
        #expect(decoder.finish() == nil)
        #expect(decoder.append([0x0B, 0x61]).isEmpty && !decoder.isEnding && decoder.finish() == nil)
        #expect(decoder.append([0x1C]).isEmpty && decoder.isEnding)
        #expect(decoder.finish() == .frame([0x61]))
        #expect(!decoder.isInside && decoder.heldBytes == 0)
        // The byte comes after all, and then a message.
        #expect(decoder.append([0x0D, 0x0B, 0x62, 0x1C, 0x0D]) == [.frame([0x62])])
        #expect(decoder.strayBytes == 0)
        let tooLarge = decoder.append([0x0B] + Array(repeating: 0x61, count: 11) + [0x1C])
        #expect(tooLarge.count == 1 && decoder.finish() == nil && !decoder.isInside)
    }

    @Test("any stream is taken")
    func fuzz() {
        var dice = Dice(5)
        var decoder = MLLPDecoder(limit: 16)
        for _ in 0..<2000 {
            let bytes: [UInt8] = (0..<40).map { _ in [0x0B, 0x1C, 0x0D, 0x41, 0x42].randomElement(using: &dice) ?? 0 }
            for case .frame(let frame) in decoder.append(bytes) { #expect(frame.count <= 16) }
        }
    }
}
