// Association negotiation as plain values: what is proposed, and what is answered.

/// A presentation context in a request (PS3.8 Section 9.3.2.2).
package struct ProposedContext: Sendable, Equatable {
    package var id: UInt8
    package var abstractSyntax: String
    /// In the order of the requestor's preference.
    package var transferSyntaxes: [String]
    /// Role selection as proposed (PS3.7 Annex D.3.3.4); nil when not present.
    package var scuRole: Bool?
    package var scpRole: Bool?

    package init(
        id: UInt8, abstractSyntax: String, transferSyntaxes: [String], scuRole: Bool? = nil, scpRole: Bool? = nil
    ) {
        self.id = id
        self.abstractSyntax = abstractSyntax
        self.transferSyntaxes = transferSyntaxes
        self.scuRole = scuRole
        self.scpRole = scpRole
    }
}

/// SOP class extended negotiation (PS3.7 Annex D.3.3.5); what the bytes mean is the service class's matter.
package struct ExtendedNegotiation: Sendable, Equatable {
    package var sopClassUID: String
    package var information: [UInt8]

    package init(sopClassUID: String, information: [UInt8]) {
        self.sopClassUID = sopClassUID
        self.information = information
    }
}

/// An A-ASSOCIATE-RQ. Everything in it is the peer's claim, except the address.
package struct AssociationRequest: Sendable, Equatable {
    package var callingAETitle: String
    package var calledAETitle: String
    /// Numeric address of the peer.
    package var remoteAddress: String
    /// What the requestor can receive; 0 means any size.
    package var maxPDU: UInt32
    package var implementationClassUID: String
    package var implementationVersionName: String
    package var contexts: [ProposedContext]
    package var extendedNegotiation: [ExtendedNegotiation]
}

/// Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 Table 9-21).
package struct AssociationRejection: Sendable, Hashable, CustomStringConvertible {
    package let result: UInt8
    package let source: UInt8
    package let reason: UInt8

    package init(result: UInt8, source: UInt8, reason: UInt8) {
        self.result = result
        self.source = source
        self.reason = reason
    }

    package static let noReasonGiven = AssociationRejection(result: 1, source: 1, reason: 1)
    package static let applicationContextNotSupported = AssociationRejection(result: 1, source: 1, reason: 2)
    package static let callingAETitleNotRecognized = AssociationRejection(result: 1, source: 1, reason: 3)
    package static let calledAETitleNotRecognized = AssociationRejection(result: 1, source: 1, reason: 7)
    package static let protocolVersionNotSupported = AssociationRejection(result: 1, source: 2, reason: 2)
    package static let temporaryCongestion = AssociationRejection(result: 2, source: 3, reason: 1)
    package static let localLimitExceeded = AssociationRejection(result: 2, source: 3, reason: 2)

    package var description: String {
        switch (source, reason) {
        case (1, 2): "application context name not supported"
        case (1, 3): "calling AE title not recognized"
        case (1, 7): "called AE title not recognized"
        case (2, 2): "protocol version not supported"
        case (3, 1): "temporary congestion"
        case (3, 2): "local limit exceeded"
        default: "no reason given"
        }
    }
}

/// Why a presentation context is refused (PS3.8 Table 9-18).
package enum ContextRefusal: UInt8, Sendable {
    case user = 1
    case noReason = 2
    case abstractSyntaxNotSupported = 3
    case transferSyntaxesNotSupported = 4
}

/// The answer to one proposed context.
package struct AcceptedContext: Sendable, Equatable {
    package var id: UInt8
    /// The chosen transfer syntax; nil when refused.
    package var transferSyntax: String?
    package var refusal: ContextRefusal
    /// Role selection as answered; nil leaves the item out, which means the default roles.
    package var scuRole: Bool?
    package var scpRole: Bool?

    /// Accepts a context.
    package init(id: UInt8, transferSyntax: String, scuRole: Bool? = nil, scpRole: Bool? = nil) {
        self.id = id
        self.transferSyntax = transferSyntax
        self.refusal = .noReason
        self.scuRole = scuRole
        self.scpRole = scpRole
    }

    /// Refuses a context.
    package init(id: UInt8, refusal: ContextRefusal) {
        self.id = id
        self.refusal = refusal
    }
}

/// What the acceptor decides. Proposed contexts without an answer are refused without a reason.
package enum NegotiationAnswer: Sendable, Equatable {
    case accept([AcceptedContext], extendedNegotiation: [ExtendedNegotiation] = [])
    case reject(AssociationRejection)
}

/// A context both sides agreed on.
package struct NegotiatedContext: Sendable, Equatable {
    package let id: UInt8
    package let abstractSyntax: String
    package let transferSyntax: String
    /// Whether the requestor may act as SCU, and as SCP, of the abstract syntax.
    package let requestorIsSCU: Bool
    package let requestorIsSCP: Bool
}
