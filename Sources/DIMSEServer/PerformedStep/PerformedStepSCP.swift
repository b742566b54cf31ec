// Modality Performed Procedure Step: N-CREATE and N-SET, and N-GET of the retrieve class (PS3.4 Section F.7, PS3.7
// Section 10.1).

import Access
import DICOMCore
import DICOMNetwork
import Encounters
import Logging
import Records

struct PerformedStepSCP {
    let encounters: Encounters
    /// Who reports.
    let peer: String
    let trail: AssociationTrail
    let logger: Logger

    /// A step refers to every image that it made: room for a hundred thousand.
    static let largestDataSet = 16 << 20

    /// N-CREATE: the modality began.
    func create(_ message: Message, on association: Association) throws(NetworkError) {
        var command = message.command
        // Without a UID the provider gives one (PS3.7 Section 10.1.5.1.4).
        let uid = command.affectedSOPInstanceUID ?? UID.generate()
        command.affectedSOPInstanceUID = uid
        try report(message, answering: command, uid, association) { desk, step in
            try desk.create(uid, step, peer: peer)
        }
    }

    /// N-SET: it goes on, or has ended.
    func set(_ message: Message, on association: Association) throws(NetworkError) {
        let uid = message.command.requestedSOPInstanceUID ?? ""
        try report(message, answering: message.command, uid, association) { desk, step in try desk.set(uid, step) }
    }

    /// N-GET: what is known of a step (PS3.4 Section F.8).
    func get(_ message: Message, on association: Association) throws(NetworkError) {
        try association.discardDataSet()
        let uid = message.command.requestedSOPInstanceUID ?? ""
        var response = CommandSet(answering: message.command, status: .success)
        var answer: [UInt8]?
        if let obstacle = trail.obstacle {
            response.status = .processingFailure
            response.errorComment = obstacle.comment
        } else {
            do throws(EncounterFailure) {
                let known = try encounters.look { try $0.performedStep(uid) }
                if let known, let step = try? PerformedStep(stored: known.dataSet) {
                    trail.note(.read, study: known.studyInstanceUID, detail: "performed procedure step")
                    answer = Self.selected(step.dataSet, message)
                } else {
                    response.status = known == nil ? .noSuchSOPInstance : .processingFailure
                }
            } catch {
                response.status = Self.status(error)
                response.errorComment = error.sentence
            }
        }
        try association.send(response, on: message.contextID, dataSet: answer)
    }

    // MARK: Parts

    private typealias Work = (PerformedStepDesk, PerformedStep) throws -> Result<
        PerformedStepOutcome, PerformedStepFault
    >

    /// Reads the data set, does the work in one transaction, which is durable before the answer.
    private func report(
        _ message: Message, answering command: CommandSet, _ uid: String, _ association: Association, _ work: Work
    ) throws(NetworkError) {
        var response = CommandSet(answering: command, status: .success)
        do throws(PerformedStepFault) {
            if let outcome = try take(message, uid, association, work, &response) { note(outcome, command) }
        } catch {
            response.set(error)
        }
        if let failure = association.failure { throw failure }
        if response.status.isFailure {
            logger.warning(
                "performed procedure step refused",
                metadata: [
                    "from": "\(association.request.remoteAddress)", "status": "\(response.status)",
                    "why": "\(response.errorComment ?? "")",
                ])
        }
        try association.send(response, on: message.contextID)
    }

    private func take(
        _ message: Message, _ uid: String, _ association: Association, _ work: Work, _ response: inout CommandSet
    ) throws(PerformedStepFault) -> PerformedStepOutcome? {
        let bytes: [UInt8]
        do throws(NetworkError) { bytes = try association.readDataSet(limit: Self.largestDataSet) } catch {
            response.status = .resourceLimitation
            response.errorComment = "Data set is too large"
            return nil
        }
        guard UID.isValid(uid) else {
            response.status = .invalidSOPInstance
            response.errorComment = "SOP Instance UID is absent or not a UID"
            return nil
        }
        let step = try PerformedStep(bytes, transferSyntax: message.context.transferSyntax)
        let result: Result<PerformedStepOutcome, PerformedStepFault>
        do throws(EncounterFailure) {
            result = try encounters.change(by: peer) { desk in try work(desk.performedSteps, step) }
        } catch {
            response.status = Self.status(error)
            response.errorComment = error.sentence
            return nil
        }
        return try result.get()
    }

    private func note(_ outcome: PerformedStepOutcome, _ command: CommandSet) {
        trail.note(
            .store, study: outcome.studyInstanceUID,
            detail: "performed procedure step \(command.field == .nCreateRequest ? "begun" : "changed")")
        let metadata: Logger.Metadata = ["step": "\(outcome.sopInstanceUID.prefix(24))…"]
        if outcome.procedures.isEmpty {
            logger.notice("a performed procedure step belongs to no order", metadata: metadata)
        }
        for procedure in outcome.ofOthers {
            logger.warning(
                "a performed procedure step names the order of another patient; the order stays as it is",
                metadata: metadata.merging(["order": "\(procedure.id)"]) { $1 })
        }
        for procedure in outcome.unmoved {
            logger.notice(
                "a performed procedure step does not fit the state of its order",
                metadata: metadata.merging(["order": "\(procedure.id)", "state": "\(procedure.state)"]) { $1 })
        }
    }

    private static func status(_ failure: EncounterFailure) -> Status {
        failure.isPassing ? .resourceLimitation : .processingFailure
    }

    /// The attributes that were named in Attribute Identifier List (0000,1005); all when none was.
    private static func selected(_ dataSet: DataSet, _ message: Message) -> [UInt8] {
        let wanted = message.command.attributeIdentifiers
        var writer = DataSetWriter(
            transferSyntax: TransferSyntax(message.context.transferSyntax), characterSet: .utf8)
        for element in dataSet.elements where wanted.isEmpty || wanted.contains(element.tag.rawValue) {
            writer.put(element, from: dataSet)
        }
        return writer.finish()
    }
}

extension CommandSet {
    /// The answer to a step that is not kept (PS3.4 Table F.7.2-2, PS3.7 Annex C).
    mutating func set(_ fault: PerformedStepFault) {
        switch fault {
        case .unreadable:
            status = .processingFailure
            errorComment = "Data set cannot be read"
        case .duplicate: status = .duplicateSOPInstance
        case .unknown: status = .noSuchSOPInstance
        case .final:
            status = .processingFailure
            errorComment = "Performed Procedure Step Object may no longer be updated"
            errorID = 0xA710
        case .missing(let tags):
            status = .missingAttribute
            attributeIdentifiers = tags.map(\.rawValue)
            errorComment = tags.compactMap(\.keyword).joined(separator: " ")
        case .withoutValue(let tags):
            status = .missingAttributeValue
            attributeIdentifiers = tags.map(\.rawValue)
            errorComment = tags.compactMap(\.keyword).joined(separator: " ")
        case .invalid(let tag):
            status = .invalidAttributeValue
            attributeIdentifiers = [tag.rawValue]
            errorComment = tag.keyword
        }
    }
}
