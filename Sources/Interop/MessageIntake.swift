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
    /// Whether it is the archive that failed, so that the sender keeps the message and sends it again.
    let isOurs: Bool

    init(_ code: ErrorCode, at location: Location? = nil, _ text: String, _ decision: Acknowledgement.Decision = .error)
    {
        self.decision = decision
        issue = Acknowledgement.Issue(code, at: location, text)
        isOurs = false
    }

    /// What the records refuse, at the place in the message that it came from.
    init(_ failure: EncounterFailure, at location: Location?) {
        let code: ErrorCode
        switch failure {
        case .unknown: (code, isOurs) = (.unknownKeyIdentifier, false)
        case .records(.busy), .records(.full): (code, isOurs) = (.recordLocked, true)
        case .records(.invalid), .invalid: (code, isOurs) = (.dataType, false)
        case .records(.notFound), .records(.nameTaken): (code, isOurs) = (.internalError, false)
        case .records: (code, isOurs) = (.internalError, true)
        case .conflict, .merged, .outdated, .unlawful: (code, isOurs) = (.tableValueNotFound, false)
        }
        decision = isOurs ? .reject : .error
        issue = Acknowledgement.Issue(code, at: location, failure.sentence)
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
        let outcome = attempt(by: heading.actor) { desk in
            // Looked up where it is applied: the same message may come on several connections at once.
            if !heading.controlID.isEmpty,
                try desk.records.acceptedMessage(
                    source: heading.source, controlID: heading.controlID, digest: digest) != nil
            {
                return Acknowledgement(.accept, isStored: true, text: "This message was applied before")
            }
            let warnings = try Application(message: message, desk: desk).run()
            try desk.records.keepMessage(
                source: heading.source, controlID: heading.controlID, type: heading.type, bytes: text.original,
                digest: digest, characterSet: text.encoding.description, code: "AA",
                reason: Self.reason(warnings))
            return Acknowledgement(.accept, isStored: true, issues: warnings + repaired(text))
        }
        switch outcome {
        case .success(let acknowledgement): return acknowledgement
        case .failure(let fault): return refuse(fault, heading, text, digest)
        }
    }

    /// Runs `body` in one transaction: all of it, or nothing and why.
    private func attempt<Value>(by actor: String, _ body: (Desk) throws -> Value) -> Result<Value, MessageFault> {
        var fault: MessageFault?
        do throws(EncounterFailure) {
            return .success(
                try encounters.change(by: actor) { desk in
                    do { return try body(desk) } catch let error as MessageFault {
                        fault = error
                        throw error
                    }
                })
        } catch {
            return .failure(fault ?? MessageFault(error, at: nil))
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

    private static func reason(_ warnings: [Acknowledgement.Issue]) -> String {
        warnings.map(sentence).joined(separator: "; ")
    }

    private static func sentence(_ issue: Acknowledgement.Issue) -> String {
        (issue.location.map { "\($0): " } ?? "") + issue.text
    }

    private func refuse(
        _ fault: MessageFault, _ heading: MessageHeading, _ text: DecodedText, _ digest: [UInt8]
    ) -> Acknowledgement {
        let sentence = Self.sentence(fault.issue)
        let isKept = keep(
            text.original, digest, heading, text.encoding.description, fault.decision, sentence)
        logger.warning(
            "a message is refused",
            metadata: [
                "type": "\(heading.type)", "where": "\(fault.issue.location?.description ?? "")",
                "code": "\(fault.issue.code)",
            ])
        // What failed here is kept for whoever looks, and stays the sender's to send again: it does not count as stored.
        return Acknowledgement(
            fault.decision, isStored: isKept && !fault.isOurs, text: sentence, issues: [fault.issue])
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
                try desk.records.keepMessage(
                    source: heading.source, controlID: heading.controlID, type: heading.type, bytes: bytes,
                    digest: digest, characterSet: characterSet, code: decision == .reject ? "AR" : "AE", reason: reason)
            }
            return true
        } catch {
            logger.error("a refused message could not be kept", metadata: ["failure": "\(error.sentence)"])
            return false
        }
    }

    /// Applies a refused message once more, as it came or repaired; the outcome takes the place of the earlier one, in
    /// the transaction that applies it.
    /// - Parameter repaired: other bytes to apply in its place; those that came stay as they are.
    /// - Throws: `.conflict` for a message that was accepted.
    package func replay(_ id: Int64, repaired: [UInt8]? = nil, by actor: String) throws(EncounterFailure)
        -> Acknowledgement
    {
        let kept = try encounters.look { try Self.refusedMessage(id, $0) }
        let message: Message
        do throws(HL7Failure) { message = try Message.read(repaired ?? kept.bytes).message } catch {
            let answer = Acknowledgement(error, isStored: true)
            try note(answer, Self.reason(answer.issues), id, by: actor)
            return answer
        }
        let outcome = attempt(by: actor) { desk in
            _ = try Application.at(nil) { try Self.refusedMessage(id, desk.records) }
            let warnings = try Application(message: message, desk: desk).run()
            try desk.records.setOutcome(code: "AA", reason: Self.reason(warnings), message: id)
            return Acknowledgement(.accept, isStored: true, issues: warnings)
        }
        switch outcome {
        case .success(let answer): return answer
        case .failure(let fault):
            let answer = Acknowledgement(
                fault.decision, isStored: true, text: fault.issue.text, issues: [fault.issue])
            try note(answer, Self.sentence(fault.issue), id, by: actor)
            return answer
        }
    }

    /// The message of that number, as long as it is not applied.
    private static func refusedMessage(_ id: Int64, _ records: RecordTransaction) throws -> MessageRecord {
        let kept = try records.message(id: id)
        guard kept.code != "AA" else {
            throw EncounterFailure.conflict(reason: "This message was accepted; it is not applied again")
        }
        return kept
    }

    /// Notes another refusal, unless somebody applied the message meanwhile.
    private func note(
        _ answer: Acknowledgement, _ reason: String, _ id: Int64, by actor: String
    ) throws(EncounterFailure) {
        try encounters.change(by: actor) { desk in
            guard try desk.records.message(id: id).code != "AA" else { return }
            try desk.records.setOutcome(
                code: answer.decision == .reject ? "AR" : "AE", reason: reason, message: id)
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
        source = String((sender.isEmpty ? peer : sender).unicodeScalars.prefix(200))
        controlID = String(message.controlID.unicodeScalars.prefix(200))
        // Only what has the form of a type: this is logged, and anything may stand in MSH-9.
        let isType =
            message.code.wholeMatch(of: /[A-Z]{3}/) != nil && message.trigger.wholeMatch(of: /([A-Z][0-9]{2})?/) != nil
        type = isType ? "\(message.code)^\(message.trigger)" : ""
    }

    /// Who is said to have made the change.
    var actor: String { "HL7 \(source)" }
}
