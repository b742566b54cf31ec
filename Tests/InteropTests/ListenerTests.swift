// The listener over real sockets: what it takes and what it answers.

import HL7
import Interop
import Logging
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(2))) struct ListenerTests {
    @Test("a sender that leaves out the last byte is answered, and goes on")
    func lastByte() async throws {
        let door = RecordingDoor()
        try await withListener(loopback(), door) { port, _ in
            try await RawConnection.open(port: port) { dialogue in
                for number in 1...2 {
                    let message = "MSH|^~\\&|A||||||ADT^A01|\(number)|P|2.5\r"
                    try await dialogue.send([0x0B] + Array(message.utf8) + [0x1C])
                    #expect(try await dialogue.receive()?.contains("MSA|AA|\(number)") == true)
                }
            }
        }
        #expect(door.messages.count == 2)
    }

    @Test("a message is taken and acknowledged")
    func accept() async throws {
        let door = RecordingDoor()
        try await withListener(loopback(), door) { port, _ in
            let answer = try await RawConnection.open(port: port) { dialogue in
                try await dialogue.send(admission)
                return try await dialogue.receive()
            }
            #expect(
                answer == "MSH|^~\\&|PHIM|BM|HIS|BM|20261121175051+0700||ACK^A01^ACK|R1|P|2.5.1||||||UNICODE UTF-8\r"
                    + "MSA|AA|77\r")
        }
        let received = try #require(door.messages.first)
        #expect(received.message["PID", 5, 1].text == "NGUYỄN")
        #expect(received.text.original == Array(admission.utf8))
        #expect(received.peer == "127.0.0.1")
    }

    @Test("messages of a connection are answered in their order, one at a time")
    func order() async throws {
        let inHand = Mutex((now: 0, most: 0))
        let door = RecordingDoor { received in
            inHand.withLock {
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
            await Task.yield()
            inHand.withLock { $0.now -= 1 }
            return .init(.accept, isStored: true)
        }
        try await withListener(loopback(), door) { port, _ in
            let answered = try await RawConnection.open(port: port) { dialogue in
                // All at once, with noise between them and the last bytes apart.
                var stream: [UInt8] = []
                for number in 0..<200 {
                    stream += Array("\r\n--".utf8)
                    stream += MLLP.frame(Array("MSH|^~\\&|A||||||ADT^A01|\(number)|P|2.4\r".utf8))
                }
                try await dialogue.send(Array(stream.dropLast(6)))
                try await dialogue.send(Array(stream.suffix(6)))
                var answered: [String?] = []
                for _ in 0..<200 {
                    let answer = try #require(try await dialogue.receive())
                    answered.append(try Message(parsing: answer)["MSA", 2].text)
                }
                return answered
            }
            #expect(answered == (0..<200).map { "\($0)" })
        }
        #expect(inHand.withLock { $0.most } == 1)
        #expect(door.messages.map(\.message.controlID) == (0..<200).map { "\($0)" })
    }

    @Test("what cannot be read gets AR with a sentence, is kept, and the connection goes on")
    func unreadable() async throws {
        let door = RecordingDoor()
        try await withListener(loopback(), door) { port, _ in
            try await RawConnection.open(port: port) { dialogue in
                for (bad, sentence) in [
                    ("GET / HTTP/1.1", "MSA|AR||MSH: the message does not begin with an MSH segment"),
                    ("", "MSA|AR||the message is empty"),
                    ("MSH|^~\\&|A|||||||9|P|2.5\rP-D|1", "MSA|AR|9|segment 2: does not begin with"),
                ] {
                    try await dialogue.send(bad)
                    #expect(try #require(try await dialogue.receive()).contains(sentence))
                }
                try await dialogue.send(admission)
                #expect(try #require(try await dialogue.receive()).contains("MSA|AA|77"))
            }
        }
        #expect(door.unreadable.map { String(decoding: $0.bytes, as: UTF8.self) }.prefix(2) == ["GET / HTTP/1.1", ""])
        #expect(door.unreadable.map(\.failure).last == .notASegment(line: 2))
    }

    @Test("a message beyond the limit is refused by its header, and the next one is taken")
    func tooLarge() async throws {
        var options = loopback()
        options.maxMessageBytes = 1000
        let door = RecordingDoor()
        try await withListener(options, door) { port, _ in
            try await RawConnection.open(port: port) { dialogue in
                try await dialogue.send(admission + "OBX|1|TX|||" + String(repeating: "x", count: 300_000))
                let answer = try #require(try await dialogue.receive())
                #expect(answer.contains("MSA|AR|77|the message is larger than the 1000 bytes that are taken"))
                try await dialogue.send(admission)
                #expect(try #require(try await dialogue.receive()).contains("MSA|AA|77"))
            }
        }
        #expect(door.unreadable.first?.failure == .tooLarge(limit: 1000))
        #expect(door.unreadable.first?.bytes.count ?? 0 <= 4096)
    }

    @Test("old encodings are repaired, the bytes are kept")
    func legacy() async throws {
        let door = RecordingDoor()
        let bytes =
            Array("MSH|^~\\&|HIS||||||ADT^A04|5|P|2.3\rPID|1||7||NGUY".utf8) + [0xD4] + Array("N TH".utf8) + [0xDE]
            + Array(" H".utf8) + [0xAD, 0xAC] + Array("NG\r".utf8)
        try await withListener(loopback(), door) { port, _ in
            try await RawConnection.open(port: port) { dialogue in
                try await dialogue.send(MLLP.frame(bytes))
                #expect(try await dialogue.receive()?.contains("MSA|AA|5") == true)
            }
        }
        let received = try #require(door.messages.first)
        #expect(received.message["PID", 5, 1].text == "NGUYỄN THỊ HƯƠNG")
        #expect(received.text.encoding == .vietnamese(.tcvn3))
        #expect(received.text.isRepaired)
        #expect(received.text.original == bytes)
    }

    @Test("enhanced mode: accept and application acknowledgement")
    func enhanced() async throws {
        let issue = Acknowledgement.Issue(.unknownKeyIdentifier, at: Location("ORC", 2), "ORC-2: no such order")
        let door = RecordingDoor { _ in .init(.error, isStored: true, issues: [issue]) }
        try await withListener(loopback(), door) { port, _ in
            try await RawConnection.open(port: port) { dialogue in
                func header(_ accept: String, _ application: String) -> String {
                    "MSH|^~\\&|A|||||||7|P|2.5|||\(accept)|\(application)\r"
                }
                try await dialogue.send(header("AL", "AL"))
                #expect(try #require(try await dialogue.receive()).contains("MSA|CA|7\r"))
                let answer = try #require(try await dialogue.receive())
                #expect(answer.contains("MSA|AE|7|ORC-2: no such order\rERR||ORC^1^2^1|204^"))
                // Nothing was asked for: the next answer is that of the next message.
                try await dialogue.send(header("NE", "NE"))
                try await dialogue.send(header("NE", "AL"))
                #expect(try #require(try await dialogue.receive()).contains("MSA|AE|7|"))
            }
        }
        #expect(door.messages.count == 3)
    }
}
