// Modality Worklist: answers a query with one pending response per scheduled step (PS3.4 Annex K).

import Access
import DICOMCore
import DICOMNetwork
import Encounters
import Logging

struct WorklistSCP {
    let encounters: Encounters
    let policy: WorklistPolicy
    /// Who asks.
    let callingAETitle: String
    let characterSet: OutputCharacterSet
    let trail: AssociationTrail
    let logger: Logger

    func serve(_ message: Message, on association: Association) throws(NetworkError) {
        let bytes = try association.readDataSet(limit: FindSCP.largestIdentifier)
        let ending: Outcome
        do throws(WorklistQuery.Fault) {
            let query = try WorklistQuery(bytes, transferSyntax: message.context.transferSyntax)
            ending = find(query, message, association)
        } catch {
            ending = Outcome(error)
        }
        if let failure = association.failure { throw failure }
        if ending.status.isFailure {
            logger.warning(
                "worklist query failed", metadata: ["status": "\(ending.status)", "why": "\(ending.comment ?? "")"])
        }
        try association.send(
            CommandSet(answering: message.command, status: ending.status, comment: ending.comment),
            on: message.contextID)
    }

    private func find(_ query: WorklistQuery, _ message: Message, _ association: Association) -> Outcome {
        if let obstacle = trail.obstacle { return obstacle }
        trail.note(.search, detail: "worklist")
        let worklist = Worklist(
            encounters: encounters, policy: policy, callingAETitle: callingAETitle, characterSet: characterSet)
        let pending = CommandSet(answering: message.command, status: query.ignoresKeys ? .pendingWarning : .pending)
        var isCancelled = false
        do throws(EncounterFailure) {
            let isWhole = try worklist.forEach(query) { item in
                do throws(NetworkError) {
                    isCancelled = try association.pollCancel(message.command.messageID)
                    guard !isCancelled else { return false }
                    let answer = worklist.dataSet(item, query, transferSyntax: message.context.transferSyntax)
                    try association.send(pending, on: message.contextID, dataSet: answer)
                    return true
                } catch {
                    // The association remembers its failure; the caller asks it.
                    return false
                }
            }
            if !isWhole {
                logger.warning(
                    "a worklist was cut short", metadata: ["to": "\(callingAETitle)", "limit": "\(policy.limit)"])
            }
        } catch {
            return Outcome(error)
        }
        return isCancelled ? Outcome(status: .cancel, comment: nil) : .success
    }
}
