// Storage commitment as values: what is asked, what is found, what is reported (PS3.4 Annex J).

import DICOMCore

/// The Storage Commitment Push Model SOP Class and its one instance (PS3.4 Sections J.3.5 and J.4).
enum StorageCommitment {
    static let sopClassUID = "1.2.840.10008.1.20.1"
    static let sopInstanceUID = "1.2.840.10008.1.20.1.1"
    /// Request Storage Commitment (PS3.4 Table J.3-1).
    static let requestAction: UInt16 = 1
}

/// An instance that somebody wants to be sure of.
struct CommitmentReference: Hashable, Sendable {
    let sopClassUID: String
    let sopInstanceUID: String

    func item(in writer: DataSetWriter) -> DataSetWriter {
        var item = writer.makeItem()
        item.put(.referencedSOPClassUID, sopClassUID)
        item.put(.referencedSOPInstanceUID, sopInstanceUID)
        return item
    }
}

/// Why a request cannot be taken.
enum CommitmentFault: Error, Hashable, Sendable {
    case tooLarge
    case unreadable
    case noTransactionUID
    case noReferences
    case badReference

    /// For ErrorComment (0000,0902).
    var comment: String {
        switch self {
        case .tooLarge: "Data set is too large"
        case .unreadable: "Data set cannot be read"
        case .noTransactionUID: "Transaction UID is absent or not a UID"
        case .noReferences: "Referenced SOP Sequence is absent or empty"
        case .badReference: "Referenced SOP Sequence has an item without UIDs"
        }
    }
}

/// What an N-ACTION asks for (PS3.4 Table J.3-1).
struct CommitmentRequest: Hashable, Sendable {
    let transactionUID: String
    let references: [CommitmentReference]

    /// From the data set of an N-ACTION, or from `encoded`.
    init(_ bytes: [UInt8], transferSyntax: String) throws(CommitmentFault) {
        guard let header = try? HeaderReader.read(bytes, transferSyntax: TransferSyntax(transferSyntax)) else {
            throw .unreadable
        }
        let dataSet = header.dataSet
        guard let transaction = dataSet.string(.transactionUID), UID.isValid(transaction) else {
            throw .noTransactionUID
        }
        transactionUID = transaction
        let items = dataSet.items(.referencedSOPSequence)
        guard !items.isEmpty else { throw .noReferences }
        var references: [CommitmentReference] = []
        for item in items {
            guard let sopClass = item.string(.referencedSOPClassUID), UID.isValid(sopClass),
                let instance = item.string(.referencedSOPInstanceUID), UID.isValid(instance)
            else { throw .badReference }
            references.append(CommitmentReference(sopClassUID: sopClass, sopInstanceUID: instance))
        }
        self.references = references
    }

    /// Explicit VR Little Endian.
    func encoded() -> [UInt8] {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .ascii)
        writer.put(.transactionUID, transactionUID)
        writer.put(.referencedSOPSequence, items: references.map { $0.item(in: writer) })
        return writer.finish()
    }
}

/// Failure Reason (0008,1197) of PS3.3 Section C.14.1.1.
enum CommitmentFailure: Int, Error, Sendable {
    case processing = 0x0110
    case noSuchInstance = 0x0112
    case resourceLimitation = 0x0213
    case classInstanceConflict = 0x0119
}

/// What an N-EVENT-REPORT tells (PS3.4 Table J.3-2).
struct CommitmentReport: Sendable {
    let transactionUID: String
    let retrieveAETitle: String
    let committed: [CommitmentReference]
    let failed: [(reference: CommitmentReference, reason: CommitmentFailure)]

    /// Explicit VR Little Endian.
    func encoded() -> [UInt8] {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .ascii)
        writer.put(.transactionUID, transactionUID)
        writer.put(.retrieveAETitle, retrieveAETitle)
        // Each sequence is there only when there is something to say in it.
        if !failed.isEmpty {
            writer.put(
                .failedSOPSequence,
                items: failed.map { reference, reason in
                    var item = reference.item(in: writer)
                    item.put(.failureReason, .US, ints: [reason.rawValue])
                    return item
                })
        }
        if !committed.isEmpty {
            writer.put(.referencedSOPSequence, items: committed.map { $0.item(in: writer) })
        }
        return writer.finish()
    }
}
