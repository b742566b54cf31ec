// C-FIND: answers a query with one pending response per match (PS3.4 Section C.4.1).

import Access
import Catalog
import DICOMCore
import DICOMNetwork
import Logging
import Retrieval

struct FindSCP {
    let catalog: CatalogStore
    let retrieval: InstanceRetrieval
    let aeTitle: String
    let characterSet: OutputCharacterSet
    let trail: AssociationTrail
    let logger: Logger

    /// Larger identifiers are refused.
    static let largestIdentifier = 1 << 20

    func serve(_ message: Message, _ model: InformationModel, on association: Association) throws(NetworkError) {
        let bytes = try association.readDataSet(limit: Self.largestIdentifier)
        let ending: Outcome
        do throws(IdentifierFault) {
            let identifier = try Identifier(bytes, transferSyntax: message.context.transferSyntax, model: model)
            let agreement = QueryAgreement(
                association.acceptedExtendedNegotiation, for: message.context.abstractSyntax)
            try identifier.checkHierarchy(isRelational: agreement.isRelational)
            ending = find(identifier, agreement, message, association)
        } catch {
            ending = Outcome(error)
        }
        if let failure = association.failure { throw failure }
        if ending.status.isFailure {
            logger.warning("C-FIND failed", metadata: ["status": "\(ending.status)", "why": "\(ending.comment ?? "")"])
        }
        try association.send(
            CommandSet(answering: message.command, status: ending.status, comment: ending.comment),
            on: message.contextID)
    }

    private func find(
        _ identifier: Identifier, _ agreement: QueryAgreement, _ message: Message, _ association: Association
    ) -> Outcome {
        if let obstacle = trail.obstacle { return obstacle }
        trail.note(.search)
        let query = Query(
            identifier: identifier.dataSet, level: identifier.level, isRelational: agreement.isRelational,
            combinesDateAndTime: agreement.combinesDateTime)
        let answer = FindAnswer(identifier: identifier, aeTitle: aeTitle, characterSet: characterSet)
        let pending = CommandSet(
            answering: message.command, status: answer.ignoresKeys ? .pendingWarning : .pending)
        var isCancelled = false
        do throws(CatalogError) {
            try catalog.find(query) { match in
                do throws(NetworkError) {
                    isCancelled = try association.pollCancel(message.command.messageID)
                    guard !isCancelled else { return false }
                    let header = match.representative.flatMap { try? retrieval.header(of: $0) }
                    let dataSet = answer.dataSet(match, header, transferSyntax: message.context.transferSyntax)
                    try association.send(pending, on: message.contextID, dataSet: dataSet)
                    return true
                } catch {
                    // The association remembers its failure; the caller asks it.
                    return false
                }
            }
        } catch {
            return Outcome(error)
        }
        return isCancelled ? Outcome(status: .cancel, comment: nil) : .success
    }
}
