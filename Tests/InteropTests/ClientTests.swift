// The client against our listener, and against systems that behave otherwise.

import HL7
import Interop
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Testing

@Suite(.timeLimit(.minutes(2))) struct ClientTests {
    private func result(_ id: String, accept: String = "") throws -> Message {
        try Message(
            parsing:
                "MSH|^~\\&|PHIM|BM|HIS|BM|2026||ORU^R01^ORU_R01|\(id)|P|2.5.1|||\(accept)|\(accept)||UNICODE UTF-8\r"
                + "OBX|1|TX|1^KẾT LUẬN||Bình thường\r")
    }

    @Test("messages go out in order over one connection, each with its answer")
    func order() async throws {
        let door = RecordingDoor()
        try await withListener(loopback(), door) { port, _ in
            let client = MLLPClient(host: "127.0.0.1", port: port)
            let answer = try await client.send(try result("1"))
            #expect((answer.code, answer.controlID) == ("AA", "1"))
            // Both acknowledgements of enhanced mode come; the second of a message is not taken for the next one's.
            let answers = try await client.send(try (2...9).map { try result("\($0)", accept: "AL") })
            #expect(answers.map(\.code) == Array(repeating: "CA", count: 8))
            #expect(answers.map(\.controlID) == (2...9).map { "\($0)" })
        }
        #expect(door.messages.map(\.message.controlID) == (1...9).map { "\($0)" })
        #expect(door.messages.last?.message["OBX", 5].text == "Bình thường")
    }

    @Test("after a negative answer nothing more is sent")
    func negative() async throws {
        let door = RecordingDoor { received in
            let isSecond = received.message.controlID == "2"
            return .init(isSecond ? .error : .accept, isStored: true, text: isSecond ? "no such patient" : nil)
        }
        try await withListener(loopback(), door) { port, _ in
            let client = MLLPClient(host: "127.0.0.1", port: port)
            let answers = try await client.send(try (1...3).map { try result("\($0)") })
            #expect(answers.map(\.code) == ["AA", "AE"])
            #expect(answers.last?.text == "no such patient")
        }
        #expect(door.messages.count == 2)
    }

    /// What the client throws against a server that answers every piece that comes with these bytes.
    private func failure(answering bytes: [UInt8]?, timeout: Duration = .seconds(10)) async throws -> MLLPFailure? {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Parrot(bytes))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        var client = MLLPClient(host: "127.0.0.1", port: server.localAddress?.port ?? 0)
        client.replyTimeout = timeout
        let message = try result("1")
        var failure: MLLPFailure?
        do throws(MLLPFailure) { _ = try await client.send(message) } catch { failure = error }
        try await server.close()
        return failure
    }

    @Test("what other ends do wrong has a name")
    func failures() async throws {
        func frame(_ text: String) -> [UInt8] { MLLP.frame(Array(text.utf8)) }
        #expect(try await failure(answering: []) == .closed)
        #expect(try await failure(answering: nil, timeout: .milliseconds(200)) == .noAnswer(after: .milliseconds(200)))
        #expect(try await failure(answering: frame("MSH|^~\\&|A\rMSA|AA|2")) == .otherControlID)
        #expect(
            try await failure(answering: frame("MSH|^~\\&|A\rPID|1"))
                == .unreadable("MSA-1 is none of AA, AE, AR, CA, CE and CR"))
        #expect(
            try await failure(answering: frame("thanks"))
                == .unreadable("MSH: the message does not begin with an MSH segment"))
        #expect(
            try await failure(answering: [0x0B] + [UInt8](repeating: 0x41, count: 2 << 20))
                == .answerTooLarge(limit: 1 << 20))
        #expect(try await failure(answering: frame("MSH|^~\\&|A\rMSA|AA|1")) == nil)
    }

    @Test("nobody there")
    func unreachable() async throws {
        let listener = try await MLLPListener.bind(loopback(), door: RecordingDoor().door, logger: Logger(label: "t"))
        let port = listener.port
        await listener.close()
        let message = try result("1")
        let failure = await #expect(throws: MLLPFailure.self) {
            try await MLLPClient(host: "127.0.0.1", port: port).send(message)
        }
        guard case .unreachable? = failure else {
            Issue.record("not unreachable")
            return
        }
    }

    @Test("MLLPS: encrypted both ways; who does not trust the certificate, or speaks plainly, is not served")
    func tls() async throws {
        let files = try Certificate()
        defer { files.remove() }
        let chain = try NIOSSLCertificate.fromPEMFile(files.certificate)
        var options = loopback()
        options.messageTimeout = .seconds(2)
        options.tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem)))
        let door = RecordingDoor()
        try await withListener(options, door) { port, _ in
            var trusting = TLSConfiguration.makeClientConfiguration()
            trusting.trustRoots = .certificates(chain)
            for host in ["localhost", "127.0.0.1"] {
                let answer = try await MLLPClient(host: host, port: port, tls: trusting).send(try result("1"))
                #expect(answer.isPositive)
            }
            let message = try result("2")
            let doubting = MLLPClient(host: "localhost", port: port, tls: .makeClientConfiguration())
            await #expect(throws: MLLPFailure.self) { try await doubting.send(message) }
            let plain = MLLPClient(host: "127.0.0.1", port: port)
            await #expect(throws: MLLPFailure.self) { try await plain.send(message) }
            // Who opens a connection and does not shake hands does not keep it.
            try await RawConnection.open(port: port) { dialogue in
                let answer = try await dialogue.receive()
                #expect(answer == nil)
            }
        }
        #expect(door.messages.map(\.message.controlID) == ["1", "1"])
    }
}

/// Answers what comes with fixed bytes: none closes, nil says nothing.
private final class Parrot: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let answer: [UInt8]?

    init(_ answer: [UInt8]?) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let answer else { return }
        if answer.isEmpty {
            context.close(promise: nil)
        } else {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: answer)), promise: nil)
        }
    }
}
