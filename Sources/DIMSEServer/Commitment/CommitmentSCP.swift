// N-ACTION of Storage Commitment: kept, answered, verified, and reported where the caller waits for it (PS3.4 J.3.2).

import Access
import DICOMCore
import DICOMNetwork
import Foundation
import Logging
import Records

struct CommitmentSCP {
    let desk: CommitmentDesk
    let callingAETitle: String
    /// Name of the peer that calls; empty where it is none.
    let peer: String
    let trail: AssociationTrail
    let logger: Logger

    /// Names of a hundred thousand instances.
    private static let largestDataSet = 16 << 20
    /// While this association is at it nobody else reports, however long it verifies; a start lets go of everything. Telling
    /// takes less, and is made good sooner. Microseconds.
    private static let hold: Int64 = 86_400_000_000
    private static let reporting: Int64 = 600_000_000
    /// A caller that says nothing for so long waits for the report on its own association.
    private static let patience = (pieces: 20, seconds: 0.05)

    func serve(_ message: Message, on association: Association) throws(NetworkError) {
        let record: CommitmentRecord
        switch try taken(message, association) {
        case .refused(let refusal):
            logger.warning(
                "storage commitment refused",
                metadata: ["from": "\(association.request.remoteAddress)", "why": "\(refusal.comment ?? "")"])
            return try association.send(
                CommandSet(answering: message.command, status: refusal.status, comment: refusal.comment),
                on: message.contextID)
        case .kept(let kept): record = kept
        }
        try association.send(CommandSet(answering: message.command, status: .success), on: message.contextID)
        try report(record, message.context, association)
    }

    private enum Taken {
        case kept(CommitmentRecord)
        case refused(Outcome)
    }

    /// Reads a request and keeps it, durably.
    private func taken(
        _ message: Message, _ association: Association
    ) throws(NetworkError) -> Taken {
        let bytes: [UInt8]
        do throws(NetworkError) { bytes = try association.readDataSet(limit: Self.largestDataSet) } catch {
            if let failure = association.failure { throw failure }
            return .refused(Outcome(status: .resourceLimitation, comment: CommitmentFault.tooLarge.comment))
        }
        guard message.command.requestedSOPInstanceUID == StorageCommitment.sopInstanceUID else {
            return .refused(Outcome(status: .noSuchSOPInstance, comment: nil))
        }
        guard message.command.actionTypeID == StorageCommitment.requestAction else {
            return .refused(Outcome(status: .noSuchActionType, comment: nil))
        }
        let request: CommitmentRequest
        do throws(CommitmentFault) {
            request = try CommitmentRequest(bytes, transferSyntax: message.context.transferSyntax)
        } catch {
            return .refused(Outcome(status: .invalidArgumentValue, comment: error.comment))
        }
        do {
            // A way that leads back here: what one archive says of itself is no second copy.
            guard try desk.records.view({ try $0.receipt(transactionUID: request.transactionUID) }) == nil else {
                return .refused(
                    Outcome(status: .invalidArgumentValue, comment: "Transaction UID is of this archive's own request"))
            }
            let record = try desk.records.addCommitment(
                aeTitle: callingAETitle, peer: peer, transactionUID: request.transactionUID, request: request.encoded(),
                nextAt: desk.records.now() + Self.hold)
            trail.note(.read, detail: "storage commitment of \(request.references.count) instances")
            return .kept(record)
        } catch {
            return .refused(Outcome(status: .resourceLimitation, comment: "The request cannot be kept now"))
        }
    }

    /// Verifies, then reports on this association when the caller has neither released nor asked for more. Otherwise, and
    /// when the report is not acknowledged, it is sent on an association of our own.
    private func report(
        _ record: CommitmentRecord, _ context: NegotiatedContext, _ association: Association
    ) throws(NetworkError) {
        let report: [UInt8]
        do { report = try desk.verify(record, hold: Self.reporting) } catch {
            // What cannot be read now may be later.
            return later(record, "instances cannot be verified now")
        }
        for _ in 0..<Self.patience.pieces {
            if association.hasIncoming { return later(record, "") }
            Thread.sleep(forTimeInterval: Self.patience.seconds)
        }
        do throws(NetworkError) {
            let status = try desk.send(report, on: association, context)
            guard status.isSuccess || status.isWarning else { return later(record, "the peer answered \(status)") }
        } catch {
            later(record, error.words)
            throw error
        }
        // Unknown to us that it has the report, it would only be told again.
        try? desk.records.setAcknowledged(commitment: record.id)
    }

    private func later(_ record: CommitmentRecord, _ why: String) {
        try? desk.records.setUnreported(commitment: record.id, failure: why, nextAt: desk.records.now())
    }
}
