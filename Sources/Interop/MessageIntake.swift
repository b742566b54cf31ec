// Messages of the hospital's system: kept as they came, applied in one transaction, answered with one sentence.

import Crypto
package import Encounters
package import HL7
package import Logging
import Records

/// Why a message is not applied: where in it, and one sentence.
struct MessageFault: Error {
    let decision: Acknowledgement.Decision
    let issue: Acknowledgement.Issue

    init(_ code: ErrorCode, at location: Location? = nil, _ text: String, _ decision: Acknowledgement.Decision = .error)
    {
        self.decision = decision
        issue = Acknowledgement.Issue(code, at: location, text)
    }

    /// What the records refuse, at the place in the message that it came from.
    init(_ failure: EncounterFailure, at location: Location?) {
        let code: ErrorCode =
            switch failure {
            case .unknown: .unknownKeyIdentifier
            case .records(.busy), .records(.full): .recordLocked
            case .records(.invalid), .invalid: .dataType
            case .records: .internalError
            case .conflict, .merged, .outdated, .unlawful: .tableValueNotFound
            }
        self.init(code, at: location, failure.sentence, failure.isPassing ? .reject : .error)
    }
}

/// Receives messages. Calls block: make them on plain threads.
package struct MessageIntake: Sendable {
    private let encounters: Encounters
    private let logger: Logger

    package init(encounters: Encounters, logger: Logger) {
        self.encounters = encounters
        self.logger = logger
    }

    /// Keeps and applies a message. When this returns what the answer says is durable.
    ///
    /// A message that was accepted before, byte by byte, is answered as it was and not applied again; one that was
    /// refused is tried anew.
    /// - Parameter peer: who is connected; part of the name under which the message is kept.
    package func receive(_ message: Message, _ text: DecodedText, from peer: String) -> Acknowledgement {
        let digest = Array(SHA256.hash(data: text.original))
        let heading = MessageHeading(message, peer: peer)
        do throws(EncounterFailure) {
            let known = try encounters.look { records in
                try records.acceptedMessage(source: heading.source, controlID: heading.controlID, digest: digest)
            }
            if known != nil { return Acknowledgement(.accept, isStored: true, text: "This message was applied before") }
            return try apply(message, heading, text, digest)
        } catch {
            return refuse(MessageFault(error, at: nil), heading, text, digest)
        }
    }

    private func apply(
        _ message: Message, _ heading: MessageHeading, _ text: DecodedText, _ digest: [UInt8]
    ) throws(EncounterFailure) -> Acknowledgement {
        var fault: MessageFault?
        do throws(EncounterFailure) {
            let warnings = try encounters.change(by: heading.actor) { desk in
                do {
                    let warnings = try Application(message: message, desk: desk).run()
                    _ = try desk.records.addMessage(
                        source: heading.source, controlID: heading.controlID, type: heading.type, bytes: text.original,
                        digest: digest, characterSet: text.encoding.description, code: "AA",
                        reason: warnings.map(\.text).joined(separator: "; "))
                    return warnings
                } catch let error as MessageFault {
                    fault = error
                    throw error
                }
            }
            return Acknowledgement(.accept, isStored: true, issues: warnings + repaired(text))
        } catch {
            guard let fault else { throw error }
            return refuse(fault, heading, text, digest)
        }
    }

    /// Text that was read otherwise than declared is worth a look.
    private func repaired(_ text: DecodedText) -> [Acknowledgement.Issue] {
        guard text.isRepaired else { return [] }
        return [
            Acknowledgement.Issue(
                .dataType, at: Location("MSH", 18),
                "The text is not what MSH-18 declares; it was read as \(text.encoding)", isWarning: true)
        ]
    }

    private func refuse(
        _ fault: MessageFault, _ heading: MessageHeading, _ text: DecodedText, _ digest: [UInt8]
    ) -> Acknowledgement {
        let sentence = (fault.issue.location.map { "\($0): " } ?? "") + fault.issue.text
        let isKept = keep(
            text.original, digest, heading, text.encoding.description, fault.decision, sentence)
        logger.warning(
            "a message is refused",
            metadata: [
                "type": "\(heading.type)", "where": "\(fault.issue.location?.description ?? "")",
                "code": "\(fault.issue.code)",
            ])
        return Acknowledgement(fault.decision, isStored: isKept, text: sentence, issues: [fault.issue])
    }

    /// Keeps bytes that are no message, for repair.
    /// - Returns: whether they are on stable storage.
    package func keep(_ bytes: [UInt8], _ failure: HL7Failure, from peer: String) -> Bool {
        let digest = Array(SHA256.hash(data: bytes))
        return keep(bytes, digest, MessageHeading(source: peer), "unread", .reject, "\(failure)")
    }

    /// Keeps what was not applied, for repair.
    private func keep(
        _ bytes: [UInt8], _ digest: [UInt8], _ heading: MessageHeading, _ characterSet: String,
        _ decision: Acknowledgement.Decision, _ reason: String
    ) -> Bool {
        do throws(EncounterFailure) {
            try encounters.change(by: heading.actor) { desk in
                _ = try desk.records.addMessage(
                    source: heading.source, controlID: heading.controlID, type: heading.type, bytes: bytes,
                    digest: digest, characterSet: characterSet, code: decision == .reject ? "AR" : "AE", reason: reason)
            }
            return true
        } catch {
            logger.error("a refused message could not be kept", metadata: ["failure": "\(error.sentence)"])
            return false
        }
    }

    /// Applies a kept message once more, as it came or repaired; the outcome takes the place of the earlier one.
    /// - Parameter repaired: other bytes to apply in its place; those that came stay as they are.
    package func replay(_ id: Int64, repaired: [UInt8]? = nil, by actor: String) throws(EncounterFailure)
        -> Acknowledgement
    {
        let kept = try encounters.look { try $0.message(id: id) }
        let answer: Acknowledgement
        do throws(HL7Failure) {
            let (message, _) = try Message.read(repaired ?? kept.bytes)
            answer = again(message, by: actor)
        } catch {
            answer = Acknowledgement(error, isStored: true)
        }
        let code =
            switch answer.decision {
            case .accept: "AA"
            case .error: "AE"
            case .reject: "AR"
            }
        let reason = answer.text ?? answer.issues.map(\.text).joined(separator: "; ")
        try encounters.change(by: actor) { try $0.records.setOutcome(code: code, reason: reason, message: id) }
        return answer
    }

    private func again(_ message: Message, by actor: String) -> Acknowledgement {
        var fault: MessageFault?
        do throws(EncounterFailure) {
            let warnings = try encounters.change(by: actor) { desk in
                do { return try Application(message: message, desk: desk).run() } catch let error as MessageFault {
                    fault = error
                    throw error
                }
            }
            return Acknowledgement(.accept, isStored: true, issues: warnings)
        } catch {
            let fault = fault ?? MessageFault(error, at: nil)
            return Acknowledgement(fault.decision, isStored: true, text: fault.issue.text, issues: [fault.issue])
        }
    }
}

/// What a message is kept under.
struct MessageHeading {
    let source: String
    let controlID: String
    let type: String

    /// Of a message that cannot be read.
    init(source: String) {
        self.source = source
        controlID = ""
        type = ""
    }

    init(_ message: Message, peer: String) {
        let sender = [message.sendingApplication?.namespace, message.sendingFacility?.namespace]
            .compactMap { $0 }.joined(separator: "|")
        source = String((sender.isEmpty ? peer : sender).prefix(200))
        controlID = String(message.controlID.prefix(200))
        type = "\(message.code)^\(message.trigger)"
    }

    /// Who is said to have made the change.
    var actor: String { "HL7 \(source)" }
}
