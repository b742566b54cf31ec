// What this archive serves over DIMSE: the table that negotiates, and from which the conformance statement is written.

package import DICOMCore

/// The query/retrieve information models (PS3.4 Section C.6).
package enum InformationModel: Sendable {
    case patientRoot, studyRoot
}

/// What a presentation context is for.
package enum DIMSEService: Sendable, Equatable {
    case verification
    case storage
    case find(InformationModel)
    case move(InformationModel)
    case get(InformationModel)
    case worklist
    case performedStep
    case performedStepRetrieve
    case commitment
}

extension DIMSEService {
    /// Whether we are a user of it as well.
    var isAlsoAsked: Bool {
        switch self {
        case .verification, .storage, .find(.studyRoot), .move(.studyRoot), .get(.studyRoot), .commitment: true
        case .find, .move, .get, .worklist, .performedStep, .performedStepRetrieve: false
        }
    }
}

/// The services by SOP class.
package enum ServiceTable {
    /// Every SOP class that is not storage (PS3.4 Annexes A, C, F, J and K).
    package static let services: [(uid: String, name: String, service: DIMSEService)] = [
        ("1.2.840.10008.1.1", "Verification", .verification),
        ("1.2.840.10008.5.1.4.1.2.1.1", "Patient Root Query/Retrieve Information Model - FIND", .find(.patientRoot)),
        ("1.2.840.10008.5.1.4.1.2.1.2", "Patient Root Query/Retrieve Information Model - MOVE", .move(.patientRoot)),
        ("1.2.840.10008.5.1.4.1.2.1.3", "Patient Root Query/Retrieve Information Model - GET", .get(.patientRoot)),
        ("1.2.840.10008.5.1.4.1.2.2.1", "Study Root Query/Retrieve Information Model - FIND", .find(.studyRoot)),
        ("1.2.840.10008.5.1.4.1.2.2.2", "Study Root Query/Retrieve Information Model - MOVE", .move(.studyRoot)),
        ("1.2.840.10008.5.1.4.1.2.2.3", "Study Root Query/Retrieve Information Model - GET", .get(.studyRoot)),
        ("1.2.840.10008.5.1.4.31", "Modality Worklist Information Model - FIND", .worklist),
        ("1.2.840.10008.3.1.2.3.3", "Modality Performed Procedure Step", .performedStep),
        ("1.2.840.10008.3.1.2.3.4", "Modality Performed Procedure Step Retrieve", .performedStepRetrieve),
        (StorageCommitment.sopClassUID, "Storage Commitment Push Model", .commitment),
    ]

    private static let byUID = Dictionary(uniqueKeysWithValues: services.map { ($0.uid, $0.service) })

    /// Transfer syntaxes for everything but storage, most wanted first: messages there carry no pixels.
    package static let messageTransferSyntaxes: [TransferSyntax] = [
        .explicitVRLittleEndian, .implicitVRLittleEndian, .explicitVRBigEndian,
    ]

    /// The root under which the standard defines its own classes.
    private static let standardRoot = "1.2.840.10008."
    /// The branch of composite storage classes: one not in our table is a newer edition's.
    private static let storageBranch = "1.2.840.10008.5.1.4.1.1."

    /// What an abstract syntax asks for; nil when it is nothing that is served here.
    /// - Parameter acceptsUnknown: whether private and future classes are taken for storage.
    package static func service(for abstractSyntax: String, acceptsUnknown: Bool) -> DIMSEService? {
        if let service = byUID[abstractSyntax] { return service }
        if SOPClass.isStorage(abstractSyntax) { return .storage }
        guard acceptsUnknown, UID.isValid(abstractSyntax) else { return nil }
        let isForeign = !abstractSyntax.hasPrefix(standardRoot)
        return isForeign || abstractSyntax.hasPrefix(storageBranch) ? .storage : nil
    }

    /// The syntax chosen among those proposed for storage: the caller's first, but one that keeps value representations
    /// and little-endian order where there is a choice (PS3.5 Annex A).
    package static func storageSyntax(among proposed: [String]) -> String? {
        let lastResorts = [TransferSyntax.implicitVRLittleEndian.uid, TransferSyntax.explicitVRBigEndian.uid]
        return proposed.first { !lastResorts.contains($0) } ?? lastResorts.first { proposed.contains($0) }
    }
}
