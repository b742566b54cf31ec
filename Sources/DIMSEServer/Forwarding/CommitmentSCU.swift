// Asks for storage commitment, and takes what is reported (PS3.4 Section J.3).

import Access
import DICOMCore
import DICOMNetwork
import Encounters
import Forwarding
import Foundation
import Logging
import Records

/// What an N-EVENT-REPORT tells (PS3.4 Table J.3-2), as strangers write it.
struct CommitmentEvent: Sendable {
    let answer: CommitmentAnswer

    /// Names of a hundred thousand instances.
    static let largestDataSet = 16 << 20

    init(_ bytes: [UInt8], transferSyntax: String) throws(CommitmentFault) {
        guard let header = try? HeaderReader.read(bytes, transferSyntax: TransferSyntax(transferSyntax)) else {
            throw .unreadable
        }
        let dataSet = header.dataSet
        guard let transaction = dataSet.string(.transactionUID), UID.isValid(transaction) else {
            throw .noTransactionUID
        }
        func uid(_ item: DataSet) throws(CommitmentFault) -> String {
            guard let uid = item.string(.referencedSOPInstanceUID), UID.isValid(uid) else { throw .badReference }
            return uid
        }
        var failed: [String: Int] = [:]
        for item in dataSet.items(.failedSOPSequence) {
            failed[try uid(item)] = item.string(.failureReason).flatMap { Int($0) } ?? 0x0110
        }
        var held: [String] = []
        for item in dataSet.items(.referencedSOPSequence) { held.append(try uid(item)) }
        guard !held.isEmpty || !failed.isEmpty else { throw .noReferences }
        // Who says both of an object has not promised it.
        answer = CommitmentAnswer(
            transactionUID: transaction, held: held.filter { failed[$0] == nil }, failed: failed)
    }
}

extension CommitmentAnswer {
    /// How many, and why not the others; no identifiers.
    var words: String {
        if failed.isEmpty { return "storage commitment of \(held.count) objects" }
        let reasons = Dictionary(grouping: failed.values, by: \.self).sorted { $0.key < $1.key }
            .map { "\($1.count) \(Self.meaning(of: $0))" }
        return "storage commitment of \(held.count) objects, not of \(reasons.joined(separator: ", "))"
    }

    /// PS3.3 Section C.14.1.1.
    private static func meaning(of reason: Int) -> String {
        switch reason {
        case 0x0110: "processing failure"
        case 0x0112: "no such object instance"
        case 0x0213: "resource limitation"
        case 0x0122: "SOP class not supported"
        case 0x0119: "class-instance conflict"
        case 0x0131: "duplicate transaction UID"
        default: "reason \(String(reason, radix: 16, uppercase: true))H"
        }
    }
}

/// Asks one peer to be responsible for what it was sent.
struct CommitmentSCU: Sendable {
    let peer: KnownPeer
    let dialing: PeerDialing
    let desk: CarrierDesk
    /// How long the report may take to come on the same association; later it comes on one of the peer's own. Where only
    /// this side can call, as behind a mobile network, it is the only way.
    var patience = Duration.seconds(30)

    private static let glance = 0.02

    /// Blocks.
    func ask(_ request: ProofRequest) -> ProofOutcome {
        // We are the SCU of what we request: the default roles (PS3.4 Section J.2).
        let context = ProposedContext(
            id: 1, abstractSyntax: StorageCommitment.sopClassUID,
            transferSyntaxes: ServiceTable.messageTransferSyntaxes.map(\.uid))
        var wasOpen = false
        do throws(NetworkError) {
            let association = try dialing.call(peer, contexts: [context], timeouts: CarrierDesk.timeouts)
            defer { association.abort() }
            guard let accepted = association.contexts[context.id] else {
                try? association.release()
                return .failed(.refused("\(peer.name) gives no storage commitment"))
            }
            wasOpen = true
            return try desk.during(association) { () throws(NetworkError) in
                let status = try action(request, association, accepted)
                guard status.isSuccess || status.isWarning else {
                    try? association.release()
                    return .failed(refusal(status))
                }
                // From here on the request stands with the peer, whatever becomes of this association.
                let answer = try? report(on: association, request)
                try? association.release()
                return answer ?? .pending
            }
        } catch {
            return .failed(desk.outcome(error, wasOpen: wasOpen))
        }
    }

    private func refusal(_ status: Status) -> DeliveryOutcome {
        let words = "\(peer.name) answered \(status) to the request for storage commitment"
        return status == .resourceLimitation || status == .processingFailure ? .failed(words) : .refused(words)
    }

    /// N-ACTION (PS3.4 Section J.3.2).
    private func action(
        _ request: ProofRequest, _ association: Association, _ context: NegotiatedContext
    ) throws(NetworkError) -> Status {
        var writer = DataSetWriter(transferSyntax: TransferSyntax(context.transferSyntax), characterSet: .ascii)
        writer.put(.transactionUID, request.transactionUID)
        writer.put(
            .referencedSOPSequence,
            items: request.objects.map {
                CommitmentReference(sopClassUID: $0.sopClassUID, sopInstanceUID: $0.sopInstanceUID).item(in: writer)
            })
        var command = CommandSet(.nActionRequest)
        command.messageID = association.nextMessageID()
        command.requestedSOPClassUID = StorageCommitment.sopClassUID
        command.requestedSOPInstanceUID = StorageCommitment.sopInstanceUID
        command.actionTypeID = StorageCommitment.requestAction
        try association.send(command, on: context.id, dataSet: writer.finish())
        var cancelled = false
        let response = try association.response(to: command.messageID, cancelled: &cancelled)
        try association.discardDataSet()
        return response.command.status
    }

    /// The report, when it comes on this association; nil when it does not, or is of another transaction.
    private func report(on association: Association, _ request: ProofRequest) throws(NetworkError) -> ProofOutcome? {
        let end = ContinuousClock.now + patience
        while !association.hasIncoming {
            guard ContinuousClock.now < end, !desk.isEnding else { return nil }
            Thread.sleep(forTimeInterval: Self.glance)
        }
        let message = try association.nextIncoming()
        guard message.command.field == .nEventReportRequest, message.hasDataSet else { return nil }
        let bytes = try association.readDataSet(limit: CommitmentEvent.largestDataSet)
        guard
            let answer = try? CommitmentEvent(bytes, transferSyntax: message.context.transferSyntax).answer,
            answer.transactionUID == request.transactionUID
        else {
            try association.send(
                CommandSet(answering: message.command, status: .invalidArgumentValue), on: message.contextID)
            return nil
        }
        try association.send(CommandSet(answering: message.command, status: .success), on: message.contextID)
        let asked = Set(request.objects.map(\.sopInstanceUID))
        return .answered(
            held: answer.held.filter(asked.contains), missing: answer.failed.keys.filter(asked.contains).sorted(),
            body: answer.failed.isEmpty ? "" : answer.words, words: answer.words)
    }
}

/// N-EVENT-REPORT of storage commitment on an association that the peer made (PS3.4 Section J.3.3).
struct CommitmentReportSCP {
    let answered: @Sendable (CommitmentAnswer, Set<String>) throws(ForwardingFailure) -> Void
    /// Names of the peers that the caller may be.
    let peers: Set<String>
    let trail: AssociationTrail
    let logger: Logger

    func serve(_ message: Message, on association: Association) throws(NetworkError) {
        let outcome = try take(message, association)
        if outcome.status.isFailure {
            logger.warning(
                "report of storage commitment refused",
                metadata: ["from": "\(association.request.remoteAddress)", "why": "\(outcome.comment ?? "")"])
        }
        try association.send(
            CommandSet(answering: message.command, status: outcome.status, comment: outcome.comment),
            on: message.contextID)
    }

    private func take(_ message: Message, _ association: Association) throws(NetworkError) -> Outcome {
        let bytes: [UInt8]
        do throws(NetworkError) {
            bytes = try association.readDataSet(limit: CommitmentEvent.largestDataSet)
        } catch {
            if let failure = association.failure { throw failure }
            return Outcome(status: .resourceLimitation, comment: CommitmentFault.tooLarge.comment)
        }
        guard message.command.affectedSOPInstanceUID == StorageCommitment.sopInstanceUID else {
            return Outcome(status: .noSuchSOPInstance, comment: nil)
        }
        // 1: all is safe; 2: something is not. The sequences say which (PS3.4 Section J.3.3.1).
        guard let type = message.command.eventTypeID, (1...2).contains(type) else {
            return Outcome(status: .noSuchEventType, comment: nil)
        }
        let answer: CommitmentAnswer
        do throws(CommitmentFault) {
            answer = try CommitmentEvent(bytes, transferSyntax: message.context.transferSyntax).answer
        } catch {
            return Outcome(status: .invalidArgumentValue, comment: error.comment)
        }
        do throws(ForwardingFailure) {
            try answered(answer, peers)
            trail.note(.store, detail: answer.words)
            return .success
        } catch {
            switch error {
            // Its sender has not heard that it came the first time.
            case .conflict: return .success
            case .unknown:
                return Outcome(
                    status: .invalidArgumentValue, comment: "Transaction UID is not of a request to this peer")
            case .invalid, .unavailable:
                return Outcome(status: .processingFailure, comment: "The report cannot be kept now; send again")
            }
        }
    }
}
