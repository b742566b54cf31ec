// What the listener bears: how many, how much, how long, and how it stops.

import HL7
import Interop
import Logging
import ServiceLifecycle
import Testing

@Suite(.timeLimit(.minutes(2))) struct BoundsTests {
    @Test("who is not allowed is turned away")
    func allowed() async throws {
        var options = loopback()
        options.allowed = [try #require(AddressRange("10.0.0.0/8"))]
        let door = RecordingDoor()
        try await withListener(options, door) { port, _ in
            try await RawConnection.open(port: port) { dialogue in
                try? await dialogue.send(admission)
                let end = try await dialogue.receive()
                #expect(end == nil)
            }
        }
        #expect(door.messages.isEmpty)
    }

    @Test("one too many is turned away; a place that is free again is given")
    func places() async throws {
        var options = loopback()
        options.allowed = [try #require(AddressRange("127.0.0.1"))]
        options.maxConnections = 1
        let door = RecordingDoor()
        try await withListener(options, door) { port, _ in
            try await RawConnection.open(port: port) { dialogue in
                try await dialogue.send(admission)
                #expect(try await dialogue.receive() != nil)
                try await RawConnection.open(port: port) { second in
                    try? await second.send(admission)
                    let end = try await second.receive()
                    #expect(end == nil)
                }
                try await dialogue.send(admission)
                #expect(try await dialogue.receive() != nil)
            }
            // The place is free when the listener has seen the end of the first connection.
            var answer: String?
            for _ in 0..<500 where answer == nil {
                answer = try await RawConnection.open(port: port) { dialogue in
                    try? await dialogue.send(admission)
                    return try await dialogue.receive()
                }
            }
            #expect(answer?.contains("MSA|AA|77") == true)
        }
        #expect(door.messages.count == 3)
    }

    @Test("who says nothing, or sends a message byte by byte for ever, is closed; who waits for its answer is not")
    func pace() async throws {
        var options = loopback()
        options.idleTimeout = .milliseconds(1_000)
        options.messageTimeout = .milliseconds(1_500)
        let door = RecordingDoor { _ in
            try? await Task.sleep(for: .milliseconds(2_000))
            return .init(.accept, isStored: true)
        }
        try await withListener(options, door) { port, _ in
            try await RawConnection.open(port: port) { dialogue in
                try await dialogue.send(admission)
                #expect(try await dialogue.receive()?.contains("MSA|AA") == true)
                // Now it is idle.
                let end = try await dialogue.receive()
                #expect(end == nil)
            }
            try await RawConnection.open(port: port) { dialogue in
                try await dialogue.send([0x0B])
                var isOpen = true
                for _ in 0..<150 where isOpen {
                    do { try await dialogue.send([0x41]) } catch { isOpen = false }
                    try await Task.sleep(for: .milliseconds(50))
                }
                #expect(!isOpen)
            }
        }
        #expect(door.messages.count == 1)
    }

    @Test("all connections together hold only so much")
    func memory() async throws {
        var options = loopback()
        options.maxBytesInHand = 200_000
        let door = RecordingDoor()
        try await withListener(options, door) { port, _ in
            try await RawConnection.open(port: port) { dialogue in
                try? await dialogue.send([0x0B] + [UInt8](repeating: 0x41, count: 400_000))
                let end = try await dialogue.receive()
                #expect(end == nil)
            }
            try await RawConnection.open(port: port) { dialogue in
                try await dialogue.send(admission)
                #expect(try await dialogue.receive()?.contains("MSA|AA") == true)
            }
        }
    }

    @Test("stopping answers what is in hand, and closes who waits")
    func stop() async throws {
        let (began, signal) = AsyncStream.makeStream(of: Void.self)
        let (release, go) = AsyncStream.makeStream(of: Void.self)
        let door = RecordingDoor { received in
            if received.message.controlID == "77" {
                signal.yield()
                for await _ in release { break }
            }
            return .init(.accept, isStored: true)
        }
        try await withListener(loopback(), door) { port, group in
            try await RawConnection.open(port: port) { waiting in
                try await waiting.send("MSH|^~\\&|A|||||||1|P|2.5")
                #expect(try await waiting.receive()?.contains("MSA|AA|1") == true)
                try await RawConnection.open(port: port) { busy in
                    try await busy.send(admission)
                    for await _ in began { break }
                    await group.triggerGracefulShutdown()
                    let end = try await waiting.receive()
                    #expect(end == nil)
                    go.yield()
                    #expect(try await busy.receive()?.contains("MSA|AA|77") == true)
                    let last = try await busy.receive()
                    #expect(last == nil)
                }
            }
        }
    }

    @Test("a port that is taken is a sentence")
    func taken() async throws {
        let door = RecordingDoor()
        try await withListener(loopback(), door) { port, _ in
            let failure = await #expect(throws: MLLPListener.Failure.self) {
                _ = try await MLLPListener.bind(
                    MLLPOptions(host: "127.0.0.1", port: port), door: door.door, logger: Logger(label: "t"))
            }
            #expect(failure?.description.hasPrefix("HL7 on 127.0.0.1 port \(port): ") == true)
        }
    }
}
