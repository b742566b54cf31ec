// C-MOVE and C-GET: select instances, send each as a C-STORE sub-operation, report progress (PS3.4 Sections C.4.2, C.4.3).

import Access
import Catalog
import DICOMCore
import DICOMNetwork
import Forwarding
import Logging
import Retrieval

/// Counts of sub-operations, as responses carry them (PS3.7 Section 9.1.4.1).
struct SubOperationTally: Equatable {
    var remaining: Int
    var completed = 0
    var failed = 0
    var warning = 0
    var failedSOPInstanceUIDs: [String] = []
    /// Why the first failure happened: the final response has room for one sentence.
    var firstFailure: String?

    init(remaining: Int) { self.remaining = remaining }

    mutating func count(_ result: SubOperationResult, sopInstanceUID: String) {
        remaining -= 1
        switch result {
        case .completed: completed += 1
        case .warning: warning += 1
        case .failed(let why):
            failed += 1
            failedSOPInstanceUIDs.append(sopInstanceUID)
            firstFailure = firstFailure ?? why
        }
    }

    /// The final status (PS3.4 Tables C.4-2 and C.4-3).
    func ending(isCancelled: Bool) -> Outcome {
        if isCancelled { return Outcome(status: .cancel, comment: nil) }
        if failed == 0, warning == 0 { return .success }
        let status: Status = completed + warning == 0 ? .refusedSubOperations : .subOperationsFailed
        return Outcome(status: status, comment: firstFailure)
    }
}

struct RetrieveSCP {
    let catalog: CatalogStore
    let retrieval: InstanceRetrieval
    let callers: Callers
    let dialing: PeerDialing
    let trail: AssociationTrail
    let logger: Logger

    /// C-GET: sub-operations on this association, in the contexts where the caller plays SCP.
    func serveGet(_ message: Message, _ model: InformationModel, on association: Association) throws(NetworkError) {
        try serve(message, model, association, "C-GET") { instances, _ throws(NetworkError) in
            let sender = InstanceSender(
                association: association, contexts: association.contexts.values.filter(\.requestorIsSCP),
                forms: OutgoingForms(retrieval: retrieval), cancelling: message.command.messageID)
            return try run(instances, message, association) { instance, cancelled throws(NetworkError) in
                SubOperationResult(try sender.send(instance, cancelled: &cancelled))
            }
        }
    }

    /// C-MOVE: sub-operations on associations of our own with the destination.
    func serveMove(_ message: Message, _ model: InformationModel, on association: Association) throws(NetworkError) {
        let title = message.command.moveDestination?.trimmingSpaces ?? ""
        guard let destination = callers.destination(aeTitle: title) else {
            try association.discardDataSet()
            logger.warning("C-MOVE to an unknown destination", metadata: ["destination": "\(title)"])
            let comment = "Move destination unknown: phim peer add NAME --ae-title AET …"
            return try answer(
                message, association, Outcome(status: .moveDestinationUnknown, comment: comment), nil)
        }
        try serve(message, model, association, "C-MOVE to \(destination.name)") {
            instances, originator throws(NetworkError) in
            let courier = Courier(
                destination: destination, dialing: dialing, retrieval: retrieval, originator: originator)
            defer { courier.close() }
            courier.plan(instances)
            return try run(instances, message, association) { instance, _ throws(NetworkError) in
                courier.send(instance)
            }
        }
    }

    private typealias Run = (
        _ instances: [StoredInstance], _ originator: MoveOriginator
    ) throws(NetworkError) -> (SubOperationTally, isCancelled: Bool)

    private func serve(
        _ message: Message, _ model: InformationModel, _ association: Association, _ detail: String, _ perform: Run
    ) throws(NetworkError) {
        let bytes = try association.readDataSet(limit: FindSCP.largestIdentifier)
        if let obstacle = trail.obstacle { return try answer(message, association, obstacle, nil) }
        let instances: [StoredInstance]
        do {
            let identifier = try Identifier(bytes, transferSyntax: message.context.transferSyntax, model: model)
            instances = try catalog.instances(identifier.selection())
        } catch let fault as IdentifierFault {
            return try answer(message, association, Outcome(fault), nil)
        } catch {
            let failure = error as? CatalogError
            return try answer(
                message, association, failure.map { Outcome($0) } ?? Outcome(status: .unableToProcess, comment: nil),
                nil)
        }
        let originator = MoveOriginator(
            aeTitle: association.request.callingAETitle.trimmingSpaces, messageID: message.command.messageID)
        for study in Set(instances.map(\.studyInstanceUID)).sorted() {
            trail.note(.export, study: study, detail: detail)
        }
        let (tally, isCancelled) = try perform(instances, originator)
        let ending = tally.ending(isCancelled: isCancelled)
        logger.info(
            "retrieval ended",
            metadata: [
                "status": "\(ending.status)", "completed": "\(tally.completed)", "failed": "\(tally.failed)",
                "why": "\(tally.firstFailure ?? "")",
            ])
        try answer(message, association, ending, tally)
    }

    /// Sends one after the other with a pending response in between, until done or cancelled.
    private func run(
        _ instances: [StoredInstance], _ message: Message, _ association: Association,
        _ send: (StoredInstance, _ cancelled: inout Bool) throws(NetworkError) -> SubOperationResult
    ) throws(NetworkError) -> (SubOperationTally, isCancelled: Bool) {
        var tally = SubOperationTally(remaining: instances.count)
        var isCancelled = false
        for instance in instances {
            if !isCancelled { isCancelled = try association.pollCancel(message.command.messageID) }
            if isCancelled { return (tally, true) }
            var pending = CommandSet(answering: message.command, status: .pending)
            pending.set(tally)
            try association.send(pending, on: message.contextID)
            let result = try send(instance, &isCancelled)
            if case .failed(let why) = result {
                logger.warning(
                    "sub-operation failed",
                    metadata: ["sopInstance": "\(instance.sopInstanceUID.prefix(24))…", "why": "\(why)"])
            }
            tally.count(result, sopInstanceUID: instance.sopInstanceUID)
        }
        return (tally, false)
    }

    /// The final response; with failures it carries Failed SOP Instance UID List (PS3.4 Section C.4.2.1.4.2).
    private func answer(
        _ message: Message, _ association: Association, _ ending: Outcome, _ tally: SubOperationTally?
    ) throws(NetworkError) {
        var response = CommandSet(answering: message.command, status: ending.status, comment: ending.comment)
        guard let tally else { return try association.send(response, on: message.contextID) }
        response.set(tally)
        if ending.status != .cancel { response.remainingSubOperations = nil }
        guard !tally.failedSOPInstanceUIDs.isEmpty else {
            return try association.send(response, on: message.contextID)
        }
        var writer = DataSetWriter(transferSyntax: TransferSyntax(message.context.transferSyntax), characterSet: .ascii)
        writer.put(.failedSOPInstanceUIDList, .UI, tally.failedSOPInstanceUIDs)
        try association.send(response, on: message.contextID, dataSet: writer.finish())
    }
}

extension CommandSet {
    mutating func set(_ tally: SubOperationTally) {
        // The fields are of sixteen bits: a larger number is told as the largest.
        remainingSubOperations = UInt16(clamping: tally.remaining)
        completedSubOperations = UInt16(clamping: tally.completed)
        failedSubOperations = UInt16(clamping: tally.failed)
        warningSubOperations = UInt16(clamping: tally.warning)
    }
}
