// What a caller does here, as the audit trail tells it.

import Access
import DICOMNetwork

/// The trail of one association.
struct AssociationTrail: Sendable {
    private let audit: AuditTrail
    /// `dicom:` and the peer's name, or the title that a stranger gave: no account has such a name.
    private let account: String
    private let address: String

    init(_ audit: AuditTrail, peer: KnownPeer?, callingAETitle: String, address: String) {
        self.audit = audit
        self.address = address
        account = "dicom:" + (peer?.name ?? callingAETitle)
    }

    func note(_ kind: AuditEvent.Kind, study: String? = nil, detail: String = "") {
        audit.note(
            AuditEvent(
                kind, account: account, credential: nil, address: address, studyInstanceUID: study, detail: detail))
    }

    /// Why nothing may be told about patients now; nil when it may.
    ///
    /// Storing goes on: modalities cannot keep their images, and what came from whom is in the volumes as well.
    var obstacle: Outcome? {
        audit.isAccepting
            ? nil : Outcome(status: .refusedMatches, comment: "The audit trail cannot be written")
    }
}
