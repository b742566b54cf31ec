// Sends messages to another system and waits for what it says.

package import HL7
import NIOCore
import NIOPosix
package import NIOSSL
import Synchronization

/// Why a message is not known to have arrived. It may have: it is sent again with the same control ID.
package enum MLLPFailure: Error, Hashable, Sendable, CustomStringConvertible {
    case unreachable(String)
    case closed
    case noAnswer(after: Duration)
    case answerTooLarge(limit: Int)
    /// What came is no acknowledgement.
    case unreadable(String)
    /// The answer is to another message.
    case otherControlID

    package var description: String {
        switch self {
        case .unreachable(let why): "no connection: \(why)"
        case .closed: "the other end closed the connection without an answer"
        case .noAnswer(let time): "no answer within \(time)"
        case .answerTooLarge(let limit): "the answer is larger than \(limit) bytes"
        case .unreadable(let why): "the answer is no acknowledgement: \(why)"
        case .otherControlID: "the answer is for another message (MSA-2)"
        }
    }
}

/// Where messages are sent to.
package struct MLLPClient: Sendable {
    package var host: String
    package var port: Int
    /// With it the connection is TLS, and the certificate is checked for `host`.
    package var tls: TLSConfiguration?
    package var connectTimeout = Duration.seconds(10)
    package var replyTimeout = Duration.seconds(30)
    private static let largestAnswer = 1 << 20

    package init(host: String, port: Int, tls: TLSConfiguration? = nil) {
        self.host = host
        self.port = port
        self.tls = tls
    }

    /// Sends one message over a connection of its own.
    package func send(_ message: Message) async throws(MLLPFailure) -> ReceivedAcknowledgement {
        guard let answer = try await send([message]).first else { throw .closed }
        return answer
    }

    /// Sends messages one after the other over one connection, each once the one before has its answer.
    ///
    /// - Returns: an answer for each message; fewer, where a message was answered negatively: what comes behind it has
    ///   not been sent.
    package func send(_ messages: [Message]) async throws(MLLPFailure) -> [ReceivedAcknowledgement] {
        let connection = try await connect()
        let replyTimeout = replyTimeout
        let isLate = Flag()
        do {
            return try await connection.executeThenClose { arrivals, output in
                var iterator = arrivals.makeAsyncIterator()
                var answers: [ReceivedAcknowledgement] = []
                for message in messages {
                    let channel = connection.channel
                    let hangUp = channel.eventLoop.scheduleTask(in: TimeAmount(replyTimeout)) {
                        isLate.set()
                        channel.close(promise: nil)
                    }
                    defer { hangUp.cancel() }
                    try await output.write(Answer(messages: [message.bytes]))
                    var answer: ReceivedAcknowledgement
                    repeat {
                        guard let arrival = try await iterator.next() else { throw MLLPFailure.closed }
                        answer = try Self.read(arrival)
                        // In enhanced mode the message before may have a second answer.
                    } while answers.contains { $0.controlID == answer.controlID }
                    guard answer.controlID == message.controlID else { throw MLLPFailure.otherControlID }
                    answers.append(answer)
                    guard answer.isPositive else { break }
                }
                return answers
            }
        } catch let failure as MLLPFailure {
            throw isLate.isSet ? .noAnswer(after: replyTimeout) : failure
        } catch {
            throw isLate.isSet ? .noAnswer(after: replyTimeout) : .closed
        }
    }

    private static func read(_ arrival: Arrival) throws -> ReceivedAcknowledgement {
        switch arrival {
        case .tooLarge: throw MLLPFailure.answerTooLarge(limit: largestAnswer)
        case .frame(let bytes):
            let message: Message
            do throws(HL7Failure) { message = try Message.read(bytes).message } catch {
                throw MLLPFailure.unreadable(error.description)
            }
            guard let answer = ReceivedAcknowledgement(message) else {
                throw MLLPFailure.unreadable("MSA-1 is none of AA, AE, AR, CA, CE and CR")
            }
            return answer
        }
    }

    private func connect() async throws(MLLPFailure) -> NIOAsyncChannel<Arrival, Answer> {
        do {
            let encryption = try tls.map { try NIOSSLContext(configuration: $0) }
            // A name is checked against the certificate; a number has no place in the handshake.
            let isNumber = (try? SocketAddress(ipAddress: host, port: 0)) != nil
            let serverName = isNumber ? nil : host
            return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(TimeAmount(connectTimeout))
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .connect(host: host, port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let pipeline = channel.pipeline.syncOperations
                        if let encryption {
                            try pipeline.addHandler(
                                NIOSSLClientHandler(context: encryption, serverHostname: serverName))
                        }
                        try pipeline.addHandler(MLLPChannel(limit: Self.largestAnswer, pace: nil, memory: nil))
                        return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
                    }
                }
        } catch {
            throw .unreachable("\(error)")
        }
    }

    private final class Flag: Sendable {
        private let value = Atomic(false)

        var isSet: Bool { value.load(ordering: .acquiring) }

        func set() { value.store(true, ordering: .releasing) }
    }
}
