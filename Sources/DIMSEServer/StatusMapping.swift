// The one place where failures of the services become DIMSE statuses (PS3.7 Annex C, PS3.4 Annexes B and C).

import Catalog
import DICOMNetwork
import Encounters
import Ingest
import Records
import Retrieval

/// A status and the words that go with it in ErrorComment (0000,0902).
struct Outcome: Sendable, Equatable {
    let status: Status
    let comment: String?

    static let success = Outcome(status: .success, comment: nil)

    init(status: Status, comment: String?) {
        self.status = status
        self.comment = comment
    }
}

extension Outcome {
    /// C-STORE (PS3.4 Table B.2-1).
    init(_ failure: IngestFailure) {
        switch failure {
        case .outOfSpace: self.init(status: .outOfResources, comment: "Storage is full")
        case .busy: self.init(status: .outOfResources, comment: "Too busy, try again")
        case .stopped: self.init(status: .outOfResources, comment: "Server is stopping")
        case .unreadable: self.init(status: .cannotUnderstand, comment: "Data set cannot be read")
        case .invalidIdentifier(let attribute):
            self.init(status: .invalidSOPInstance, comment: "\(attribute) is absent or not a UID")
        case .identifierMismatch(let attribute):
            self.init(
                status: .dataSetDoesNotMatchSOPClass, comment: "\(attribute) differs between command and data set")
        case .refused(let reason): self.init(status: .sopClassNotSupported, comment: reason)
        case .tooLarge: self.init(status: .outOfResources, comment: "Object is too large")
        case .storage: self.init(status: .outOfResources, comment: "Storage failed")
        }
    }

    /// C-FIND (A700H is in A7xxH), C-MOVE and C-GET when the catalogue does not answer (PS3.4 Tables C.4-1 to C.4-3).
    init(_ failure: CatalogError) {
        switch failure {
        case .busy: self.init(status: .refusedMatches, comment: "Too busy, try again")
        case .full, .corrupt, .newerSchema, .notFound, .withdrawn, .failed:
            self.init(status: .unableToProcess, comment: "Catalogue failed")
        }
    }

    /// A worklist query that the records do not answer (PS3.4 Table K.4.1-1: A700H, C000H), and a step that they do not
    /// keep (PS3.7 Section 10.1.5.1.6).
    init(_ failure: EncounterFailure) {
        switch failure {
        case .records(.busy): self.init(status: .outOfResources, comment: "Too busy, try again")
        case .records(.full): self.init(status: .outOfResources, comment: "Storage is full")
        case .records: self.init(status: .unableToProcess, comment: "Records failed")
        case .invalid, .unknown, .outdated, .merged, .conflict, .unlawful:
            self.init(status: .unableToProcess, comment: failure.sentence)
        }
    }

    /// A worklist query that cannot be read (PS3.4 Table K.4.1-1).
    init(_ fault: WorklistQuery.Fault) {
        self.init(status: .identifierDoesNotMatch, comment: fault.comment)
    }

    /// An identifier that breaks the rules of its information model.
    init(_ fault: IdentifierFault) {
        self.init(status: .identifierDoesNotMatch, comment: fault.comment)
    }
}

extension RetrievalFailure {
    /// Why one sub-operation failed, for ErrorComment and the log; no patient data.
    var comment: String {
        switch self {
        case .absent: "Instance is gone"
        case .notConvertible(let from, let reason): "Transfer syntax \(from) not accepted: \(reason)"
        case .unreadable(let reason): "Instance cannot be read: \(reason)"
        case .outOfSpace: "No room on the disk to convert the instance"
        case .busy: "All codecs are busy"
        }
    }
}
