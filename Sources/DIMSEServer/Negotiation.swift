// Answers an association request: who is calling, for what, in which form (PS3.8 Section 7.1, PS3.7 Annex D).

import DICOMCore
import DICOMNetwork

/// What was agreed for one SOP class by extended negotiation (PS3.4 Section C.5).
package struct QueryAgreement: Sendable, Equatable {
    /// Queries and retrievals need no unique keys of the levels above.
    package var isRelational = false
    /// Date and time keys are matched as one point in time.
    package var combinesDateTime = false

    /// - Parameter information: service class application information as proposed (PS3.4 Table C.5-1).
    init(proposed information: [UInt8]) {
        isRelational = information.first == 1
        combinesDateTime = information.count > 1 && information[1] == 1
    }

    /// What was agreed for one SOP class.
    init(_ agreed: [ExtendedNegotiation], for sopClassUID: String) {
        self.init(proposed: agreed.first { $0.sopClassUID == sopClassUID }?.information ?? [])
    }

    /// What we answer: relational, combined date-time and fuzzy person names as asked; no timezone adjustment.
    static func answer(to information: [UInt8]) -> [UInt8] {
        information.enumerated().map { index, byte in index < 3 ? byte & 1 : 0 }
    }
}

enum Negotiation {
    /// The answer to a caller that is admitted.
    static func answer(_ request: AssociationRequest, acceptsUnknown: Bool) -> NegotiationAnswer {
        let contexts = request.contexts.map { context -> AcceptedContext in
            guard let service = ServiceTable.service(for: context.abstractSyntax, acceptsUnknown: acceptsUnknown) else {
                return AcceptedContext(id: context.id, refusal: .abstractSyntaxNotSupported)
            }
            guard let syntax = transferSyntax(for: service, among: context.transferSyntaxes) else {
                return AcceptedContext(id: context.id, refusal: .transferSyntaxesNotSupported)
            }
            // Both roles are played here: SCP to those who send, SCU towards those who fetch by C-GET.
            return AcceptedContext(
                id: context.id, transferSyntax: syntax, scuRole: context.scuRole, scpRole: context.scpRole)
        }
        let extended = request.extendedNegotiation.compactMap { item -> ExtendedNegotiation? in
            switch ServiceTable.service(for: item.sopClassUID, acceptsUnknown: false) {
            case .find, .move, .get:
                ExtendedNegotiation(
                    sopClassUID: item.sopClassUID, information: QueryAgreement.answer(to: item.information))
            case .verification, .storage, .worklist, .performedStep, .performedStepRetrieve, .commitment, nil: nil
            }
        }
        return .accept(contexts, extendedNegotiation: extended)
    }

    private static func transferSyntax(for service: DIMSEService, among proposed: [String]) -> String? {
        switch service {
        case .storage: ServiceTable.storageSyntax(among: proposed)
        case .verification, .find, .move, .get, .worklist, .performedStep, .performedStepRetrieve, .commitment:
            ServiceTable.messageTransferSyntaxes.map(\.uid).first { proposed.contains($0) }
        }
    }
}
