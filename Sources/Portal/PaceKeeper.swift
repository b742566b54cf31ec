// Stands in the pipeline of every connection: counts its bytes, ends those that are too slow, and answers what is no HTTP.

import HTTPTypes
import Metrics
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// Keeps the pace of one connection of HTTP/1.1, or of one stream of HTTP/2.
final class PaceKeeper: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let limits: PaceLimits
    private var pace: ClientPace
    private var check: RepeatedTask?
    private var isClosing = false

    private static let received = Counter(label: "phim_http_received_bytes_total")
    private static let sent = Counter(label: "phim_http_sent_bytes_total")
    private static let ended = [ClientPace.Verdict.idle, .slow, .hopeless].map {
        Counter(label: "phim_http_connections_ended_total", dimensions: [("why", "\($0)")])
    }
    /// Where other archives send objects.
    private static let exchange = "/api/v1/exchange/"
    /// How long what is in hand may take once the server is to stop.
    static let farewell = TimeAmount.seconds(6)

    init(_ limits: PaceLimits) {
        self.limits = limits
        pace = ClientPace(limits, now: .now())
    }

    func handlerAdded(context: ChannelHandlerContext) {
        pace = ClientPace(limits, now: .now())
        let bound = NIOLoopBound((keeper: self, context: context), eventLoop: context.eventLoop)
        let often = TimeAmount.nanoseconds(max(limits.window.nanoseconds / 10, 50_000_000))
        check = context.eventLoop.scheduleRepeatedTask(initialDelay: often, delay: often) { _ in
            bound.value.keeper.judge(bound.value.context)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { check?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        check?.cancel()
        context.fireChannelInactive()
    }

    func read(context: ChannelHandlerContext) {
        pace.demanded(at: .now())
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosing else { return }
        switch unwrapInboundIn(data) {
        case .head(let request):
            pace.began(
                at: .now(), isPatient: request.method == .patch && request.path?.hasPrefix(Self.exchange) == true)
            if request.headerFields[.expect]?.lowercased() == "100-continue" {
                context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
            }
        case .body(let bytes):
            pace.receivedBody(bytes.readableBytes, at: .now())
            Self.received.increment(by: bytes.readableBytes)
            if pace.isAnswered { judge(context) }
        case .end: pace.ended(at: .now())
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let response): if response.status.kind != .informational { pace.beganAnswer() }
        case .body(let bytes): Self.sent.increment(by: bytes.readableBytes)
        case .end: pace.answered(at: .now())
        }
        context.write(data, promise: promise)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        pace.becameWritable(context.channel.isWritable, at: .now())
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent {
            let channel = context.channel
            context.eventLoop.scheduleTask(in: Self.farewell) { channel.close(promise: nil) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Between requests nobody but us can say that what came was none.
        guard let error = error as? HTTPParserError, pace.isIdle, !isClosing else {
            return context.fireErrorCaught(error)
        }
        if error == .headerOverflow {
            end(context, .requestHeaderFieldsTooLarge, "The header of the request is too large.")
        } else {
            end(context, .badRequest, "This is not HTTP.")
        }
    }

    private func judge(_ context: ChannelHandlerContext) {
        guard !isClosing else { return }
        let verdict = pace.verdict(at: .now())
        switch verdict {
        case .fine: return
        case .idle: Self.ended[0].increment()
        case .slow: Self.ended[1].increment()
        case .hopeless: Self.ended[2].increment()
        }
        if verdict == .slow, pace.canAnswer {
            end(context, .requestTimeout, "The body came too slowly.")
        } else {
            isClosing = true
            context.close(promise: nil)
        }
    }

    /// Says why, and closes.
    private func end(_ context: ChannelHandlerContext, _ status: HTTPResponse.Status, _ sentence: String) {
        isClosing = true
        let body = "{\"detail\":\"\(sentence)\",\"status\":\(status.code),\"type\":\"about:blank\"}"
        let headers: HTTPFields = [
            .contentType: "application/problem+json", .contentLength: "\(body.utf8.count)", .connection: "close",
        ]
        context.write(wrapOutboundOut(.head(HTTPResponse(status: status, headerFields: headers))), promise: nil)
        context.write(wrapOutboundOut(.body(ByteBuffer(string: body))), promise: nil)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in bound.value.close(promise: nil) }
    }
}
