// C-STORE: carries the data set into the archive and tells the sender when it is safe (PS3.7 Section 9.3.1, PS3.4 Annex B).

import Access
import Catalog
import DICOMCore
import DICOMNetwork
import Ingest
import Logging

struct StoreSCP {
    let ingest: IngestPipeline
    /// Of all that the caller sends; nil when each request says for itself.
    let callerPriority: IngestPriority?
    /// Nil where whoever fetches notes it.
    let trail: AssociationTrail?
    let logger: Logger
    /// What was asked for, where the called side sends: C-GET.
    var expected: ExpectedObjects?

    func serve(_ message: Message, on association: Association) throws(NetworkError) {
        let command = message.command
        let outcome = try receive(message, association)
        try association.send(
            CommandSet(answering: command, status: outcome.status, comment: outcome.comment), on: message.contextID)
    }

    /// Takes the object of a request in; what to answer.
    func receive(_ message: Message, _ association: Association) throws(NetworkError) -> Outcome {
        let command = message.command
        guard message.hasDataSet, let sopClassUID = command.affectedSOPClassUID
        else {
            ingest.noteRefusal(.unreadable(reason: "no data set or no SOP class"), from: source(association))
            return Outcome(status: .cannotUnderstand, comment: "No data set or no SOP class")
        }
        guard let sopInstanceUID = command.affectedSOPInstanceUID, UID.isValid(sopInstanceUID),
            UID.isValid(sopClassUID)
        else {
            try association.discardDataSet()
            return refuseUnread(.invalidIdentifier(attribute: "AffectedSOPInstanceUID"), association)
        }
        guard sopClassUID == message.context.abstractSyntax else {
            try association.discardDataSet()
            return refuseUnread(.identifierMismatch(attribute: "AffectedSOPClassUID"), association)
        }
        if let expected, !expected.sopInstanceUIDs.contains(sopInstanceUID) {
            try association.discardDataSet()
            return refuseUnread(.identifierMismatch(attribute: "AffectedSOPInstanceUID"), association)
        }
        let priority = callerPriority ?? IngestPriority(command.priority)
        DIMSEMetrics.toStore(priority)
        let origin = Origin(
            source: source(association),
            announced: AnnouncedIdentity(
                sopClassUID: sopClassUID, sopInstanceUID: sopInstanceUID,
                transferSyntaxUID: message.context.transferSyntax),
            priority: priority)
        var arrival = ingest.begin(origin)
        do {
            // When the sink refuses, the rest is read and dropped: the association stays usable for the next object.
            try unsafe association.readDataSet { fragment in try unsafe arrival.append(fragment) }
        } catch let refusal as IngestFailure {
            return refuse(refusal, association)
        } catch let failure as NetworkError {
            throw failure
        } catch {
            throw .failed("reading the data set failed")
        }
        do throws(IngestFailure) {
            let receipt = try ingest.accept(arrival) { facts throws(IngestFailure) in try expected?.admit(facts) }
            trail?.note(.store, study: receipt.studyInstanceUID)
            note(receipt)
            return .success
        } catch {
            return refuse(error, association)
        }
    }

    private func source(_ association: Association) -> String {
        expected?.source ?? association.request.callingAETitle.trimmingSpaces
    }

    /// What the request alone says is wrong; the line does not see such an object, and so does not count it.
    private func refuseUnread(_ failure: IngestFailure, _ association: Association) -> Outcome {
        ingest.noteRefusal(failure, from: source(association))
        return refuse(failure, association)
    }

    private func refuse(_ failure: IngestFailure, _ association: Association) -> Outcome {
        let outcome = Outcome(failure)
        logger.warning(
            "C-STORE refused",
            metadata: [
                "from": "\(association.request.remoteAddress)", "status": "\(outcome.status)", "why": "\(failure)",
            ])
        return outcome
    }

    private func note(_ receipt: Receipt) {
        if receipt.outcome == .conflict {
            logger.warning(
                "another object has this SOP Instance UID; both are kept",
                metadata: ["sopInstance": "\(receipt.sopInstanceUID.prefix(24))…"])
        }
        if !receipt.flaws.isEmpty {
            logger.notice("kept with flaws", metadata: ["flaws": "\(receipt.flaws.prefix(4).joined(separator: "; "))"])
        }
    }
}

/// The objects of a study that were asked for; what else comes is not taken in.
struct ExpectedObjects {
    /// Who sends them.
    let source: String
    let studyInstanceUID: String
    let sopInstanceUIDs: Set<String>

    func admit(_ facts: InstanceFacts) throws(IngestFailure) {
        guard facts.studyInstanceUID == studyInstanceUID else {
            throw .identifierMismatch(attribute: "StudyInstanceUID")
        }
        guard sopInstanceUIDs.contains(facts.sopInstanceUID) else {
            throw .identifierMismatch(attribute: "SOPInstanceUID")
        }
    }
}

extension IngestPriority {
    /// What Priority (0000,0700) of a C-STORE request asks for (PS3.7 Section 9.3.1.1).
    ///
    /// LOW is no sign of a migration: widely used senders say LOW whatever they send.
    init(_ priority: CommandSet.Priority) {
        switch priority {
        case .high: self = .stat
        case .medium, .low: self = .routine
        }
    }
}
