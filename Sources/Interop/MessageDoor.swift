// What the listener asks of the rest of the archive, and the answers it makes of that.

import Foundation
package import HL7
import Synchronization

/// A message that came, with the text as it was decoded and its bytes as they were (`text.original`).
package struct ReceivedMessage: Sendable {
    package let message: Message
    package let text: DecodedText
    /// The address that it came from.
    package let peer: String
}

/// Bytes that came in a frame and cannot be read.
package struct UnreadableMessage: Sendable {
    /// As they came; the first 4096 only where the frame was too large.
    package let bytes: [UInt8]
    package let failure: HL7Failure
    package let peer: String
}

/// Where messages go.
package struct MessageDoor: Sendable {
    /// Takes a message and says how; positively only when it is on stable storage. Called for one message of a
    /// connection at a time, in their order.
    package let receive: @Sendable (ReceivedMessage) async -> Acknowledgement
    /// Keeps for repair what cannot be read. The sender has its AR whether or not that works.
    package let keep: @Sendable (UnreadableMessage) async -> Void

    package init(
        receive: @escaping @Sendable (ReceivedMessage) async -> Acknowledgement,
        keep: @escaping @Sendable (UnreadableMessage) async -> Void
    ) {
        self.receive = receive
        self.keep = keep
    }
}

/// The times and control IDs of what is sent from here.
package struct MessageStamps: Sendable {
    package let now: @Sendable () -> TimeStamp
    package let controlID: @Sendable () -> String

    package init(now: @escaping @Sendable () -> TimeStamp, controlID: @escaping @Sendable () -> String) {
        self.now = now
        self.controlID = controlID
    }

    /// This machine's clock and zone; control IDs of at most 20 characters, new with every start.
    package static func system() -> MessageStamps {
        let start = String(UInt64(max(0, Date().timeIntervalSince1970 * 1_000_000)), radix: 36, uppercase: true)
        let last = Serial()
        return MessageStamps(now: localTime) { "\(start)-\(last.next())" }
    }

    private static func localTime() -> TimeStamp {
        let (now, zone) = (Date(), TimeZone.current)
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = zone
        let parts = calendar.dateComponents([.year, .month, .day, .hour, .minute, .second], from: now)
        return TimeStamp(
            year: parts.year ?? 1970, month: parts.month ?? 1, day: parts.day ?? 1, hour: parts.hour ?? 0,
            minute: parts.minute ?? 0, second: parts.second ?? 0, zone: zone.secondsFromGMT(for: now) / 60)
    }

    /// Counts from 1.
    private final class Serial: Sendable {
        private let last = Atomic<UInt64>(0)

        func next() -> UInt64 { last.add(1, ordering: .relaxed).newValue }
    }
}
