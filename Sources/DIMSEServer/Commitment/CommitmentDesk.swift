// Looks after what was promised: every byte is read again before anything is called committed (PS3.4 Section J.3).

import Catalog
import DICOMCore
import DICOMNetwork
import Foundation
import Records
import Retrieval

/// What the two ways of reporting share. Calls block.
struct CommitmentDesk: Sendable {
    let catalog: CatalogStore
    let retrieval: InstanceRetrieval
    let records: RecordStore
    /// Our own title, under which the instances can be retrieved.
    let aeTitle: String

    /// Reads every instance that a request names, and keeps what was found as the report, to be sent `hold` microseconds
    /// after that.
    func verify(_ record: CommitmentRecord, hold: Int64) throws -> [UInt8] {
        let request = try CommitmentRequest(
            record.request, transferSyntax: TransferSyntax.explicitVRLittleEndian.uid)
        var committed: [CommitmentReference] = []
        var failed: [(reference: CommitmentReference, reason: CommitmentFailure)] = []
        var studies: Set<String> = []
        for reference in request.references {
            switch try verdict(of: reference) {
            case .success(let study):
                committed.append(reference)
                studies.insert(study)
            case .failure(let reason): failed.append((reference, reason))
            }
        }
        // Who is told may give up its own: written down first. What is being given up here cannot be promised.
        guard try records.transaction({ try $0.promise(studies: studies, to: record.aeTitle, .commitment) }) else {
            throw CatalogError.busy
        }
        let report = CommitmentReport(
            transactionUID: request.transactionUID, retrieveAETitle: aeTitle, committed: committed, failed: failed
        ).encoded()
        try records.setReport(report, ofCommitment: record.id, nextAt: records.now() + hold)
        return report
    }

    /// The study of an instance whose bytes are what came, on stable storage; otherwise why it cannot be committed to.
    private func verdict(of reference: CommitmentReference) throws(CatalogError) -> Result<String, CommitmentFailure> {
        guard let instance = try catalog.primary(sopInstanceUID: reference.sopInstanceUID) else {
            return .failure(.noSuchInstance)
        }
        guard instance.sopClassUID == reference.sopClassUID else { return .failure(.classInstanceConflict) }
        do throws(RetrievalFailure) {
            let isWhole = try retrieval.stored(instance).isWhole()
            return isWhole ? .success(instance.studyInstanceUID) : .failure(.processing)
        } catch {
            return .failure(error == .absent ? .noSuchInstance : .processing)
        }
    }

    /// Sends a report as N-EVENT-REPORT and waits for the answer (PS3.7 Section 10.1.1).
    /// - Returns: The peer's status; with success it has the report.
    func send(
        _ report: [UInt8], on association: Association, _ context: NegotiatedContext
    ) throws(NetworkError) -> Status {
        guard let header = try? HeaderReader.read(report, transferSyntax: .explicitVRLittleEndian) else {
            throw .failed("the report cannot be read")
        }
        let dataSet = header.dataSet
        var writer = DataSetWriter(
            transferSyntax: TransferSyntax(context.transferSyntax), characterSet: .ascii)
        for element in dataSet.elements { writer.put(element, from: dataSet) }
        var command = CommandSet(.nEventReportRequest)
        command.messageID = association.nextMessageID()
        command.affectedSOPClassUID = StorageCommitment.sopClassUID
        command.affectedSOPInstanceUID = StorageCommitment.sopInstanceUID
        // 1: all is safe; 2: something is not (PS3.4 Section J.3.3.1).
        command.eventTypeID = dataSet[.failedSOPSequence] == nil ? 1 : 2
        try association.send(command, on: context.id, dataSet: writer.finish())
        var cancelled = false
        let answer = try association.response(to: command.messageID, cancelled: &cancelled).command
        try association.discardDataSet()
        return answer.status
    }
}
