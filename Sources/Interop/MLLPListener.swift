// The MLLP edge: takes connections, reads messages, asks the door, and writes what it says as acknowledgements.

package import Logging
import Metrics
import NIOCore
import NIOExtras
import NIOPosix
package import NIOSSL
import ServiceLifecycle

/// The listener's settings.
package struct MLLPOptions: Sendable {
    package var host: String
    /// 0 picks a free one.
    package var port: Int
    /// With it connections are TLS (MLLPS).
    package var tls: TLSConfiguration?
    package var maxConnections = 64
    package var maxConnectionsPerAddress = 16
    /// Of one message.
    package var maxMessageBytes = 4 << 20
    /// Of all messages that are arriving or being answered.
    package var maxBytesInHand = 32 << 20
    /// After which a connection that says nothing is closed; HL7 connections are kept open for long.
    package var idleTimeout = Duration.seconds(600)
    /// From the first byte of a message to its last.
    package var messageTimeout = Duration.seconds(60)
    /// Who may connect; everybody when empty.
    package var allowed: [AddressRange] = []

    package init(host: String, port: Int, tls: TLSConfiguration? = nil) {
        self.host = host
        self.port = port
        self.tls = tls
    }
}

/// Takes messages until the service group shuts down.
package struct MLLPListener: Service {
    /// Why it cannot listen; the text is for the person who starts the server.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    private let server: any Channel
    private let quiescing: ServerQuiescingHelper
    private let connections: AsyncStream<any Channel>
    private let noMore: AsyncStream<any Channel>.Continuation
    private let desk: MessageDesk
    private let logger: Logger

    /// Binds; connections are taken once the service runs.
    package static func bind(
        _ options: MLLPOptions, door: MessageDoor, stamps: MessageStamps = .system(), logger: Logger
    ) async throws(Failure) -> MLLPListener {
        let group = MultiThreadedEventLoopGroup.singleton
        let quiescing = ServerQuiescingHelper(group: group)
        let (connections, continuation) = AsyncStream.makeStream(of: (any Channel).self)
        let reception = Reception(options, connections: continuation, logger: logger)
        do {
            let encryption = try options.tls.map { try NIOSSLContext(configuration: $0) }
            let server = try await ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 64)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .serverChannelOption(.autoRead, value: false)
                .serverChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let handler = quiescing.makeServerChannelHandler(channel: channel)
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                }
                .childChannelOption(.autoRead, value: false)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelOption(.socketOption(.so_keepalive), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try reception.receive(channel, encryption) }
                }
                .bind(host: options.host, port: options.port).get()
            return MLLPListener(
                server: server, quiescing: quiescing, connections: connections, noMore: continuation,
                desk: MessageDesk(door: door, stamps: stamps, limit: options.maxMessageBytes, logger: logger),
                logger: logger)
        } catch {
            throw Failure(description: "HL7 on \(options.host) port \(options.port): \(error)")
        }
    }

    /// The port bound to.
    package var port: Int { server.localAddress?.port ?? 0 }

    /// Gives the port back when the service is not to run after all.
    package func close() async {
        noMore.finish()
        try? await server.close()
    }

    package func run() async throws {
        // However the listener ends, those who are connected are served to the end, and nobody comes any more.
        server.closeFuture.whenComplete { [noMore] _ in noMore.finish() }
        try await server.setOption(.autoRead, value: true).get()
        await withGracefulShutdownHandler {
            await withTaskCancellationHandler {
                await withDiscardingTaskGroup { group in
                    for await connection in connections {
                        group.addTask { await serve(connection) }
                    }
                }
            } onCancel: {
                server.close(promise: nil)
            }
        } onGracefulShutdown: {
            quiescing.initiateShutdown(promise: nil)
        }
        try? await server.close()
    }

    /// One connection: its messages one after the other.
    private func serve(_ channel: any Channel) async {
        do {
            let connection = try await channel.eventLoop.submit {
                let connection = try NIOAsyncChannel<Arrival, Answer>(
                    wrappingChannelSynchronously: channel,
                    configuration: .init(backPressureStrategy: .init(lowWatermark: 1, highWatermark: 2)))
                try channel.syncOptions?.setOption(.autoRead, value: true)
                return connection
            }.get()
            let peer = channel.remoteAddress?.ipAddress ?? ""
            try await connection.executeThenClose { arrivals, answers in
                for try await arrival in arrivals {
                    try await answers.write(await desk.answer(arrival, from: peer))
                }
            }
        } catch {
            // The other end went away, or its TLS does not fit: nothing is lost, what had no answer is sent again.
            logger.debug("an HL7 connection ended", metadata: ["why": "\(error)"])
            channel.close(promise: nil)
        }
    }
}

/// Sets connections up, or turns them away.
private struct Reception: Sendable {
    private static let accepted = Counter(label: "phim_hl7_connections_total")
    private static let refused = ["address", "full"].map {
        ($0, Counter(label: "phim_hl7_connections_refused_total", dimensions: [("why", $0)]))
    }

    private let options: MLLPOptions
    private let places: ConnectionPlaces
    private let memory: FrameMemory
    private let connections: AsyncStream<any Channel>.Continuation
    private let logger: Logger

    init(_ options: MLLPOptions, connections: AsyncStream<any Channel>.Continuation, logger: Logger) {
        self.options = options
        self.connections = connections
        self.logger = logger
        places = ConnectionPlaces(most: options.maxConnections, perAddress: options.maxConnectionsPerAddress)
        memory = FrameMemory(most: options.maxBytesInHand)
    }

    func receive(_ channel: any Channel, _ encryption: NIOSSLContext?) throws {
        let address = channel.remoteAddress?.ipAddress ?? ""
        guard options.allowed.isEmpty || options.allowed.contains(where: { $0.contains(address) }) else {
            return refuse(channel, "address", address)
        }
        guard places.enter(address) else { return refuse(channel, "full", address) }
        channel.closeFuture.whenComplete { [places] _ in places.leave(address) }
        let pipeline = channel.pipeline.syncOperations
        if let encryption { try pipeline.addHandler(NIOSSLServerHandler(context: encryption)) }
        let pace = ConnectionPace(
            idle: TimeAmount(options.idleTimeout), frame: TimeAmount(options.messageTimeout))
        try pipeline.addHandler(
            MLLPChannel(limit: options.maxMessageBytes, pace: pace, memory: memory, awaitsHandshake: encryption != nil))
        Self.accepted.increment()
        connections.yield(channel)
    }

    private func refuse(_ channel: any Channel, _ why: String, _ address: String) {
        Self.refused.first { $0.0 == why }?.1.increment()
        logger.warning("an HL7 connection is refused", metadata: ["why": "\(why)", "address": "\(address)"])
        channel.close(promise: nil)
    }
}
