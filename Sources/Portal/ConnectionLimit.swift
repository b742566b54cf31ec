// How many HTTP connections are open at once, in all and from one address.

import Hummingbird
import HummingbirdCore
import Logging
import Metrics
import NIOCore
import Synchronization

/// Lets no more than so many callers in; others wait in the listener's backlog.
struct ConnectionLimit: AvailableConnectionsDelegate {
    private let most: Int
    private var open = 0

    init(most: Int) { self.most = most }

    mutating func connectionOpened() { open += 1 }

    mutating func connectionClosed() { open -= 1 }

    func isAcceptingNewConnections() -> Bool { open < most }
}

/// The connections of each address: one host does not take all of them.
final class ConnectionShares: Sendable {
    private let open = Mutex<[String: Int]>([:])
    private let most: Int

    init(most: Int) { self.most = most }

    /// Whether there is a place for one more; what was taken is given back by `leave`.
    func enter(_ address: String) -> Bool {
        open.withLock { open in
            guard open[address, default: 0] < most else { return false }
            open[address, default: 0] += 1
            return true
        }
    }

    func leave(_ address: String) {
        open.withLock { open in
            let left = open[address, default: 1] - 1
            open[address] = left > 0 ? left : nil
        }
    }
}

/// A connection as its base sets it up, once it has been counted.
struct CountedChannel<Base: ServerChildChannel>: ServerChildChannel {
    let base: Base
    let shares: ConnectionShares
    let isPlain: Bool

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Base.Value> {
        let address = channel.remoteAddress?.ipAddress ?? ""
        let isAdmitted = shares.enter(address)
        if isAdmitted { channel.closeFuture.whenComplete { [shares] _ in shares.leave(address) } }
        return channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            if !isAdmitted {
                try pipeline.addHandler(Farewell(isPlain: isPlain))
            } else if isPlain {
                // Uploads come in large pieces; a connection that sends little soon takes little.
                try channel.syncOptions?.setOption(
                    .recvAllocator,
                    value: AdaptiveRecvByteBufferAllocator(minimum: 1 << 10, initial: 16 << 10, maximum: 256 << 10))
            }
        }.flatMap { base.setup(channel: channel, logger: logger) }
            .flatMapThrowing { value in
                if !isPlain, isAdmitted { try HandshakeDeadline.add(to: channel) }
                return value
            }
    }

    func handle(value: Base.Value, logger: Logger) async { await base.handle(value: value, logger: logger) }
}

/// Tells a caller whose address has all its connections open already to come later.
private final class Farewell: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let refused = Counter(label: "phim_http_connections_refused_total")
    private static let answer =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    private let isPlain: Bool

    init(isPlain: Bool) { self.isPlain = isPlain }

    func channelActive(context: ChannelHandlerContext) {
        Self.refused.increment()
        if isPlain { context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: Self.answer)), promise: nil) }
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
}
