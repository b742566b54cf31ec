// Stands in the pipeline of a connection of MLLP: frames in, frames out, and an end to those who keep it for nothing.

import HL7
import Metrics
import NIOCore
import NIOExtras
import NIOTLS

/// What comes out of a connection, each answered by one `Answer`.
enum Arrival: Sendable {
    case frame([UInt8])
    case tooLarge(beginning: [UInt8])
}

/// The messages that answer one arrival: one, two in enhanced mode, or none.
struct Answer: Sendable {
    let messages: [[UInt8]]
}

/// How long a connection may say nothing, and a frame may take to come.
struct ConnectionPace: Sendable {
    let idle: TimeAmount
    let frame: TimeAmount
}

/// Divides the stream into frames and frames the answers. While an arrival waits for its answer nobody is idle.
final class MLLPChannel: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = Arrival
    typealias OutboundIn = Answer
    typealias OutboundOut = ByteBuffer

    /// How long what is in hand may take once the server is to stop.
    private static let farewell = TimeAmount.seconds(5)
    /// How long 1CH may be the last byte of a frame: then the sender leaves out 0DH.
    private static let lastByte = TimeAmount.milliseconds(500)
    private static let strayBytes = Counter(label: "phim_hl7_stray_bytes_total")
    private static let ended = ["idle", "slow frame", "memory"].map {
        ($0, Counter(label: "phim_hl7_connections_ended_total", dimensions: [("why", $0)]))
    }

    private let pace: ConnectionPace?
    private let memory: FrameMemory?
    private var decoder: MLLPDecoder
    /// Sizes of the arrivals that have no answer yet, in order.
    private var pending: CircularBuffer<Int> = []
    private var lastHeard = NIODeadline.now()
    private var frameBegan: NIODeadline?
    private var check: RepeatedTask?
    private var ending: Scheduled<Void>?
    private var held = 0
    private var stray = 0
    private var isClosing = false
    private var isGone = false

    /// - Parameters:
    ///   - limit: the most bytes of a frame.
    ///   - pace: nil for a connection whose other end we chose.
    ///   - awaitsHandshake: whether the connection begins with one of TLS, which may take as long as a frame.
    init(limit: Int, pace: ConnectionPace?, memory: FrameMemory?, awaitsHandshake: Bool = false) {
        decoder = MLLPDecoder(limit: limit)
        self.pace = pace
        self.memory = memory
        if awaitsHandshake { frameBegan = .now() }
    }

    func handlerAdded(context: ChannelHandlerContext) {
        lastHeard = .now()
        guard let pace else { return }
        let often = TimeAmount.nanoseconds(max(min(pace.idle, pace.frame).nanoseconds / 8, 20_000_000))
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        check = context.eventLoop.scheduleRepeatedTask(initialDelay: often, delay: often) { _ in
            let (channel, context) = bound.value
            channel.judge(context, pace)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        check?.cancel()
        ending?.cancel()
    }

    func channelInactive(context: ChannelHandlerContext) {
        check?.cancel()
        ending?.cancel()
        memory?.add(-held)
        isGone = true
        isClosing = true
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosing else { return }
        lastHeard = .now()
        let wasInside = decoder.isInside
        let buffer = unwrapInboundIn(data)
        let events = decoder.append(Array(buffer.readableBytesView))
        if decoder.strayBytes > stray {
            Self.strayBytes.increment(by: decoder.strayBytes - stray)
            stray = decoder.strayBytes
        }
        // A frame that was already there when this piece came keeps its time.
        frameBegan = decoder.isInside ? (wasInside && events.isEmpty ? frameBegan : .now()) : nil
        for event in events { deliver(event, context) }
        ending?.cancel()
        ending = decoder.isEnding ? expectEnd(context) : nil
        account(context)
    }

    private func deliver(_ event: MLLPDecoder.Event, _ context: ChannelHandlerContext) {
        switch event {
        case .frame(let bytes):
            pending.append(bytes.count)
            context.fireChannelRead(wrapInboundOut(.frame(bytes)))
        case .tooLarge(let beginning):
            pending.append(beginning.count)
            context.fireChannelRead(wrapInboundOut(.tooLarge(beginning: beginning)))
        }
    }

    /// Ends the frame when nothing comes after its 1CH.
    private func expectEnd(_ context: ChannelHandlerContext) -> Scheduled<Void> {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        return context.eventLoop.scheduleTask(in: Self.lastByte) {
            let (channel, context) = bound.value
            guard !channel.isClosing else { return }
            channel.frameBegan = nil
            guard let event = channel.decoder.finish() else { return }
            channel.deliver(event, context)
            channel.account(context)
            context.fireChannelReadComplete()
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let answer = unwrapOutboundIn(data)
        lastHeard = .now()
        if !pending.isEmpty { pending.removeFirst() }
        account(context)
        var buffer = context.channel.allocator.buffer(capacity: answer.messages.reduce(0) { $0 + $1.count + 3 })
        for message in answer.messages { buffer.writeBytes(MLLP.frame(message)) }
        context.write(wrapOutboundOut(buffer), promise: promise)
        if isClosing, pending.isEmpty {
            context.flush()
            context.close(promise: nil)
        }
    }

    /// The server stops: what is in hand is answered, nothing more is read.
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent { frameBegan = nil }
        guard event is ChannelShouldQuiesceEvent else {
            context.fireUserInboundEventTriggered(event)
            return
        }
        isClosing = true
        if pending.isEmpty {
            context.close(promise: nil)
        } else {
            let channel = context.channel
            context.eventLoop.scheduleTask(in: Self.farewell) { channel.close(promise: nil) }
        }
    }

    private func judge(_ context: ChannelHandlerContext, _ pace: ConnectionPace) {
        guard pending.isEmpty else { return }
        let now = NIODeadline.now()
        if let frameBegan, now - frameBegan > pace.frame {
            end(context, "slow frame")
        } else if now - lastHeard > pace.idle {
            end(context, "idle")
        }
    }

    private func account(_ context: ChannelHandlerContext) {
        guard let memory, !isGone else { return }
        let holds = decoder.heldBytes + pending.reduce(0, +)
        let isOver = memory.add(holds - held) && holds > held
        held = holds
        if isOver { end(context, "memory") }
    }

    private func end(_ context: ChannelHandlerContext, _ why: String) {
        Self.ended.first { $0.0 == why }?.1.increment()
        isClosing = true
        context.close(promise: nil)
    }
}
