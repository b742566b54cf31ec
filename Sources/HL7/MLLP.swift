// How messages are divided on a connection: the minimal lower layer protocol (HL7 v2.5.1 Appendix C.4.3).

/// Frames of MLLP: 0BH, the message, 1CH 0DH.
package enum MLLP {
    static let start: UInt8 = 0x0B
    static let end: UInt8 = 0x1C
    static let final: UInt8 = 0x0D

    /// A message as it goes on the wire.
    package static func frame(_ message: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(message.count + 3)
        bytes.append(start)
        bytes += message
        bytes += [end, final]
        return bytes
    }
}

/// Puts frames together from pieces of any size. It keeps at most one frame, of at most the limit.
package struct MLLPDecoder: Sendable {
    /// What came out of a piece.
    package enum Event: Hashable, Sendable {
        case frame([UInt8])
        /// The frame that arrives is larger than the limit; what follows of it is passed over. Its beginning tells whose
        /// message it is.
        case tooLarge(beginning: [UInt8])
    }

    private enum State {
        case between
        case inside
        /// 1CH was the last byte: the end if 0DH follows.
        case ending
        case skipping
        case skippingEnd
    }

    package let limit: Int
    private var state = State.between
    private var frame: [UInt8] = []
    /// Bytes that stood between frames, line ends not counted.
    package private(set) var strayBytes = 0

    /// - Parameter limit: the most bytes of a message.
    package init(limit: Int) { self.limit = limit }

    /// Whether a frame has begun and not ended.
    package var isInside: Bool { state != .between }

    /// Whether 1CH was the last byte that came: the frame is whole if nothing but 0DH follows.
    package var isEnding: Bool { state == .ending || state == .skippingEnd }

    /// Ends a frame whose 1CH was followed by silence.
    package mutating func finish() -> Event? {
        guard isEnding else { return nil }
        let event: Event? = state == .ending ? .frame(frame) : nil
        frame = []
        state = .between
        return event
    }

    /// Bytes kept of the frame that arrives.
    package var heldBytes: Int { frame.count }

    /// Takes the next piece of the stream.
    package mutating func append(_ piece: [UInt8]) -> [Event] {
        var events: [Event] = []
        for byte in piece { take(byte, &events) }
        return events
    }

    private mutating func take(_ byte: UInt8, _ events: inout [Event]) {
        switch state {
        case .between:
            if byte == MLLP.start {
                state = .inside
            } else if byte != 0x0D, byte != 0x0A {
                strayBytes += 1
            }
        case .inside:
            if byte == MLLP.end { state = .ending } else { keep(byte, &events) }
        case .ending:
            if byte == MLLP.final {
                events.append(.frame(frame))
                frame = []
                state = .between
            } else if byte == MLLP.start {
                // Some senders leave the last byte out and go on with the next message.
                events.append(.frame(frame))
                frame = []
                state = .inside
            } else {
                state = .inside
                keep(MLLP.end, &events)
                if state == .inside, byte == MLLP.end {
                    state = .ending
                } else if state == .inside {
                    keep(byte, &events)
                } else if byte == MLLP.end {
                    state = .skippingEnd
                }
            }
        case .skipping:
            if byte == MLLP.end { state = .skippingEnd }
        case .skippingEnd:
            state = byte == MLLP.final ? .between : byte == MLLP.end ? .skippingEnd : .skipping
        }
    }

    private mutating func keep(_ byte: UInt8, _ events: inout [Event]) {
        guard frame.count < limit else {
            events.append(.tooLarge(beginning: Array(frame.prefix(4096))))
            frame = []
            state = .skipping
            return
        }
        frame.append(byte)
    }
}
