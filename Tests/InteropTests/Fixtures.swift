// A listener with a door that remembers, raw connections, and a certificate for the length of a test.

import Foundation
import HL7
import Interop
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import Testing

/// A door that keeps what it is given and answers as it is told.
final class RecordingDoor: Sendable {
    private struct State {
        var messages: [ReceivedMessage] = []
        var unreadable: [UnreadableMessage] = []
    }

    private let state = Mutex(State())
    private let answer: @Sendable (ReceivedMessage) async -> Acknowledgement

    init(
        answer: @escaping @Sendable (ReceivedMessage) async -> Acknowledgement = { _ in .init(.accept, isStored: true) }
    ) {
        self.answer = answer
    }

    var messages: [ReceivedMessage] { state.withLock { $0.messages } }
    var unreadable: [UnreadableMessage] { state.withLock { $0.unreadable } }

    var door: MessageDoor {
        MessageDoor(
            receive: { received in
                self.state.withLock { $0.messages.append(received) }
                return await self.answer(received)
            },
            keep: { message in self.state.withLock { $0.unreadable.append(message) } })
    }
}

/// The same stamps every time.
let fixedStamps = MessageStamps(
    now: { TimeStamp(year: 2026, month: 11, day: 21, hour: 17, minute: 50, second: 51, zone: 420) },
    controlID: { "R1" })

/// A loopback listener on a free port.
func loopback() -> MLLPOptions { MLLPOptions(host: "127.0.0.1", port: 0) }

/// Runs a listener in a service group while the body does.
func withListener(
    _ options: MLLPOptions, _ door: RecordingDoor, _ body: (Int, ServiceGroup) async throws -> Void
) async throws {
    let logger = Logger(label: "hl7-tests", factory: { _ in SwiftLogNoOpLogHandler() })
    let listener = try await MLLPListener.bind(options, door: door.door, stamps: fixedStamps, logger: logger)
    let group = ServiceGroup(services: [listener], logger: logger)
    let port = listener.port
    try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        do { try await body(port, group) } catch {
            await group.triggerGracefulShutdown()
            throw error
        }
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
    }
}

/// A connection that sends whatever it is told.
enum RawConnection {
    /// Opens a connection while the body runs; after ten seconds it is closed, so that no test waits for ever.
    static func open<Result: Sendable>(
        port: Int, _ body: (inout RawDialogue) async throws -> Result
    ) async throws -> Result {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let end = channel.channel.eventLoop.scheduleTask(in: .seconds(10)) { channel.channel.close(promise: nil) }
        defer { end.cancel() }
        return try await channel.executeThenClose { inbound, outbound in
            var dialogue = RawDialogue(input: inbound.makeAsyncIterator(), output: outbound)
            return try await body(&dialogue)
        }
    }
}

/// What is said on a raw connection.
struct RawDialogue {
    private var input: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let output: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var decoder = MLLPDecoder(limit: 1 << 20)
    private var frames: [String] = []

    fileprivate init(
        input: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
        output: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) {
        self.input = input
        self.output = output
    }

    func send(_ bytes: [UInt8]) async throws { try await output.write(ByteBuffer(bytes: bytes)) }

    func send(_ message: String) async throws { try await send(MLLP.frame(Array(message.utf8))) }

    /// The next frame that comes, nil when the other end closes.
    mutating func receive() async throws -> String? {
        while frames.isEmpty {
            let piece: ByteBuffer?
            // A reset is an end as well.
            do { piece = try await input.next(isolation: #isolation) } catch { return nil }
            guard let piece else { return nil }
            for case .frame(let bytes) in decoder.append(Array(piece.readableBytesView)) {
                frames.append(String(decoding: bytes, as: UTF8.self))
            }
        }
        return frames.removeFirst()
    }
}

/// A key and a certificate for `localhost`, in files that go with the test.
struct Certificate {
    let certificate: String
    let key: String
    private let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("hl7-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        certificate = folder.appendingPathComponent("server.pem").path
        key = folder.appendingPathComponent("server.key").path
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out",
            certificate,
        ]
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }

    func remove() { try? FileManager.default.removeItem(at: folder) }
}

let admission =
    "MSH|^~\\&|HIS|BM|PHIM|BM|20261121||ADT^A01^ADT_A01|77|P|2.5.1||||||UNICODE UTF-8\rPID|1||5||NGUYỄN^AN\r"
