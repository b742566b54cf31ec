// From the bytes of a frame to the bytes of its answer.

import HL7
import Logging
import Metrics
import NIOPosix

/// Reads messages, asks the door, writes acknowledgements.
struct MessageDesk: Sendable {
    private static let counters = ["AA", "AE", "AR"].map {
        ($0, Counter(label: "phim_hl7_messages_total", dimensions: [("answer", $0)]))
    }
    private static let repaired = Counter(label: "phim_hl7_messages_repaired_total")

    let door: MessageDoor
    let stamps: MessageStamps
    let limit: Int
    let logger: Logger

    func answer(_ arrival: Arrival, from peer: String) async -> Answer {
        switch arrival {
        case .tooLarge(let beginning):
            return await refuse(beginning, .tooLarge(limit: limit), peer)
        case .frame(let bytes):
            let limit = limit
            // Reading megabytes takes long: not on the threads that everything else waits for. Only a connection that
            // is being ended has no answer.
            guard let reading = try? await NIOThreadPool.singleton.runIfActive({ Self.read(bytes, limit: limit) })
            else { return Answer(messages: []) }
            switch reading {
            case .success(let (message, text)):
                return await take(ReceivedMessage(message: message, text: text, peer: peer))
            case .failure(let failure):
                return await refuse(bytes, failure, peer)
            }
        }
    }

    private static func read(_ bytes: [UInt8], limit: Int) -> Result<(Message, DecodedText), HL7Failure> {
        var limits = ReadingLimits()
        limits.bytes = limit
        do throws(HL7Failure) {
            let (message, text) = try Message.read(bytes, limits: limits)
            return .success((message, text))
        } catch {
            return .failure(error)
        }
    }

    private func take(_ received: ReceivedMessage) async -> Answer {
        if received.text.isRepaired { Self.repaired.increment() }
        let acknowledgement = await door.receive(received)
        count(acknowledgement.decision)
        let replies = acknowledgement.replies(
            to: received.message, time: stamps.now(), controlID: stamps.controlID)
        return Answer(messages: replies.map(\.bytes))
    }

    private func refuse(_ bytes: [UInt8], _ failure: HL7Failure, _ peer: String) async -> Answer {
        count(.reject)
        logger.warning(
            "an HL7 message cannot be read", metadata: ["why": "\(failure)", "address": "\(peer)"])
        await door.keep(UnreadableMessage(bytes: bytes, failure: failure, peer: peer))
        let reply = Acknowledgement.rejection(
            of: bytes, failure, time: stamps.now(), controlID: stamps.controlID())
        return Answer(messages: [reply.bytes])
    }

    private func count(_ decision: Acknowledgement.Decision) {
        let name =
            switch decision {
            case .accept: "AA"
            case .error: "AE"
            case .reject: "AR"
            }
        Self.counters.first { $0.0 == name }?.1.increment()
    }
}
