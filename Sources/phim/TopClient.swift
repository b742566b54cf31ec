// Asks a running server for its metrics over HTTP: one question, one connection.

import Archive
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Telemetry

/// Why there are no metrics; the text is for the person at the terminal.
enum MetricsFault: Error, CustomStringConvertible {
    case noAnswer(host: String, port: Int)
    case status(UInt)
    case notMetrics

    var description: String {
        switch self {
        case .noAnswer(let host, let port): "no answer from HTTP on \(host) port \(port)"
        case .status(401): "the server asks for a token: give it by --token-file, or as PHIM_TOKEN"
        case .status(let code): "the server answers /metrics with HTTP status \(code)"
        case .notMetrics: "what the server answers to /metrics cannot be read"
        }
    }
}

/// Where a server's metrics are read.
struct MetricsClient: Sendable {
    /// What a server has for an answer, in time and bytes.
    private static let patience = TimeAmount.seconds(5)
    private static let largestAnswer = 16 << 20

    let host: String
    let port: Int
    let isEncrypted: Bool
    /// What proves that the metrics may be read; nil where the server knows this machine.
    private let token: String?

    init(_ server: RunningServer, token: String? = nil) {
        self.token = token
        // An address that stands for all of the machine's is reached from here by loopback.
        switch server.httpHost {
        case "0.0.0.0": host = "127.0.0.1"
        case "::": host = "::1"
        default: host = server.httpHost
        }
        port = server.httpPort
        isEncrypted = server.httpScheme == "https"
    }

    func read() async throws -> MetricsReading {
        do {
            return try MetricsReading(exposition: try await get("/metrics"))
        } catch is NotExposition {
            throw MetricsFault.notMetrics
        } catch let fault as MetricsFault {
            throw fault
        } catch {
            throw MetricsFault.noAnswer(host: host, port: port)
        }
    }

    private func get(_ path: String) async throws -> String {
        let connection = try await connect()
        // A server that says nothing is hung up on.
        let loop = connection.channel.eventLoop
        let hangUp = loop.scheduleTask(in: Self.patience) { connection.channel.close(promise: nil) }
        defer { hangUp.cancel() }
        return try await connection.executeThenClose { answers, questions in
            let name = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
            var head = HTTPRequestHead(
                version: .http1_1, method: .GET, uri: path, headers: ["host": name, "connection": "close"])
            if let token { head.headers.add(name: "authorization", value: "Bearer \(token)") }
            try await questions.write(contentsOf: [.head(head), .end(nil)])
            for try await answer in answers {
                guard answer.head.status == .ok else { throw MetricsFault.status(answer.head.status.code) }
                return answer.body.map { String(buffer: $0) } ?? ""
            }
            throw MetricsFault.noAnswer(host: host, port: port)
        }
    }

    /// The server is on this machine and told us its port in the data directory: its certificate has another name.
    private static func encryption() throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        return try NIOSSLContext(configuration: configuration)
    }

    private func connect() async throws -> NIOAsyncChannel<NIOHTTPClientResponseFull, HTTPClientRequestPart> {
        let encryption = isEncrypted ? try Self.encryption() : nil
        return try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connectTimeout(Self.patience)
            .connect(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let encryption {
                        try pipeline.addHandler(NIOSSLClientHandler(context: encryption, serverHostname: nil))
                    }
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(NIOHTTPClientResponseAggregator(maxContentLength: Self.largestAnswer))
                    return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
                }
            }
    }
}
