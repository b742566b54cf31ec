// Who asks, with what credential, for which studies: the value that every edge hands to the rules.

package import Records

/// What a person or a program may be here. One account may have several.
package enum Role: String, Sendable, Hashable, CaseIterable, Codable {
    /// Accounts, configuration, deletion, the audit trail.
    case administrator
    /// Reads, reports and shares every study.
    case radiologist
    /// Sends, reads and corrects every study; the person at the modality.
    case technician
    /// Reads the studies that were granted, no other.
    case referringPhysician = "referring-physician"
    /// A program of the hospital, such as the EMR: searches, reads and stores, and enters patients, visits and orders.
    case integration
    /// The person at the registration desk: patients, visits and orders, no images.
    case clerk
    /// Another archive that sends to this one: hands over studies and asks what is here of them, and no more.
    case station
}

/// What is asked for; the rules say which role may.
package enum Action: String, Sendable, Hashable, CaseIterable {
    /// Search for studies; what is found is limited to the caller's scope.
    case search
    /// Read pixels, metadata or documents of one study.
    case read
    /// Add instances.
    case store
    /// Remove instances.
    case delete
    /// Grant one study to others: a link, or a grant to an account.
    case share
    /// Read and change accounts, tokens and configuration.
    case administer
    /// Read the audit trail.
    case readAudit
    /// Read patients, visits and orders; of those limited to single studies only what these belong to.
    case readOrders
    /// Enter and change patients, visits and orders.
    case register
    /// Decide what belongs together: a study and its order, two rows of one person.
    case reconcile
    /// Open the images of one visit or one order to whoever holds a link.
    case invite
    /// Hand over studies as another archive does, and get receipts for them.
    case exchange
    /// Send studies on and fetch them from other archives; see and change what waits for that. Destinations are
    /// the administrator's.
    case forward
}

/// The studies that a caller may see.
package enum StudyScope: Sendable, Hashable {
    case all
    case only(Set<String>)

    /// Whether a Study Instance UID is inside.
    package func contains(_ studyInstanceUID: String) -> Bool {
        switch self {
        case .all: true
        case .only(let studies): studies.contains(studyInstanceUID)
        }
    }
}

/// What proved who calls. The numbers name a row of the records, never a secret.
package enum Credential: Sendable, Hashable {
    case session(Int64)
    case token(Int64)
    /// A link to one study, one visit or one order.
    case link(Int64)
    /// A token of the identity provider; the number is the account's.
    case identityToken(Int64)

    /// Whether the records know it: whatever the identity provider has made, they do not.
    package var isOurs: Bool {
        if case .identityToken = self { return false }
        return true
    }

    /// As the audit trail shows it.
    package var words: String {
        switch self {
        case .session(let number): "session \(number)"
        case .token(let number): "token \(number)"
        case .link(let number): "link \(number)"
        case .identityToken(let number): "identity token of account \(number)"
        }
    }
}

/// An authenticated caller for the time of one request.
package struct Caller: Sendable {
    /// The account's name; of a link the account that shared it.
    package let account: String
    /// The account's number in the records.
    package let accountID: Int64
    package let roles: Set<Role>
    package let credential: Credential
    package let scope: StudyScope
    /// What a link opens; its studies are in the scope. Nil for everybody else.
    package let subject: LinkSubject?
    /// Numeric address that the request came from.
    package let address: String
    /// The session behind the request, also of a link; nil for tokens.
    package let session: Int64?
    /// Nothing may be done before the password is changed.
    package let mustChangePassword: Bool

    package init(
        account: String, accountID: Int64 = 0, roles: Set<Role>, credential: Credential, scope: StudyScope,
        subject: LinkSubject? = nil, address: String, session: Int64? = nil, mustChangePassword: Bool = false
    ) {
        self.account = account
        self.accountID = accountID
        self.roles = roles
        self.credential = credential
        self.scope = scope
        self.subject = subject
        self.address = address
        self.session = session
        self.mustChangePassword = mustChangePassword
    }

    /// What this caller may do; of which studies is another question.
    package var rights: Set<Action> {
        if case .link = credential { return Rules.linkRights }
        return Rules.rights(of: roles)
    }
}
