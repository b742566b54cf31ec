// Who did what to which study, when and from where.

/// One thing that happened to patient data, or to the right to see it.
package struct AuditEvent: Sendable, Hashable {
    /// What was done; `read` covers every form of a study's contents.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        case search, read, store, delete, share, signIn, signOut, refused, administer, export
    }

    package let kind: Kind
    package let account: String
    package let credential: Credential?
    package let address: String
    package let studyInstanceUID: String?
    /// More words, without names or values of a data set.
    package let detail: String

    package init(
        _ kind: Kind, account: String, credential: Credential?, address: String, studyInstanceUID: String? = nil,
        detail: String = ""
    ) {
        self.kind = kind
        self.account = account
        self.credential = credential
        self.address = address
        self.studyInstanceUID = studyInstanceUID
        self.detail = detail
    }
}

/// The trail of one archive.
package final class AuditTrail: Sendable {
    package init() {}

    /// Takes an event without blocking; it is durable soon after.
    package func note(_ event: AuditEvent) {}
}
