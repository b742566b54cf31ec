// Images opened to others: a grant of a study to an account, or a link for whoever holds it.

package import Records

/// A link that has just been made; the secret is told once.
package struct NewLink: Sendable {
    package let id: Int64
    /// What stands behind `/link/`.
    package let secret: String
    /// Microseconds since 1970.
    package let expiresAt: Int64
}

extension AccessControl {
    package func grants(study: String) throws(AccessFailure) -> [GrantRecord] {
        try AccessFailure.wrap { try records.grants(studyInstanceUID: study) }
    }

    /// Lets an account see a study. - Parameter expiresAt: microseconds since 1970; nil for as long as it is not revoked.
    package func grant(
        study: String, to name: String, expiresAt: Int64?, by author: Author
    ) throws(AccessFailure) {
        if let expiresAt, expiresAt <= now { throw .invalid(field: "until", reason: "a time to come") }
        let account = try account(named: name)
        try change("granted to account \(account.name)", kind: .share, study: study, author) {
            try self.records.addGrant(
                account: account.id, studyInstanceUID: study, grantedBy: author.account, expiresAt: expiresAt)
        }
    }

    package func withdrawGrant(study: String, from name: String, by author: Author) throws(AccessFailure) {
        let account = try account(named: name)
        try change("grant to account \(account.name) withdrawn", kind: .share, study: study, author) {
            try self.records.removeGrant(account: account.id, studyInstanceUID: study)
        }
    }

    package func links(study: String? = nil) throws(AccessFailure) -> [LinkRecord] {
        try AccessFailure.wrap { try records.links(studyInstanceUID: study) }
    }

    package func link(_ id: Int64) throws(AccessFailure) -> LinkRecord {
        let link = try AccessFailure.wrap { try records.link(id: id) }
        guard let link else { throw .notFound }
        return link
    }

    /// Makes a link, vouched for by an account that may open what it leads to.
    /// - Parameter seconds: how long it can be opened, and how long a session from it lasts at most.
    package func makeLink(
        to subject: LinkSubject, seconds: Int, mostUses: Int?, account name: String, by author: Author
    ) throws(AccessFailure) -> NewLink {
        guard (60...policy.longestLink).contains(seconds) else {
            throw .invalid(field: "seconds", reason: "from 60 to \(policy.longestLink)")
        }
        guard mostUses.map({ (1...1_000_000).contains($0) }) ?? true else {
            throw .invalid(field: "mostUses", reason: "from 1 to 1000000")
        }
        let account = try account(named: name)
        guard Rules.rights(of: Role.set(account.roles)).contains(Rules.right(toOpen: subject)) else {
            throw .notCovered
        }
        let secret = Secret.make()
        let expiresAt = now + Int64(seconds) * 1_000_000
        try audit.record(
            author.event(.share, study: subject.studyInstanceUID, "link to \(subject.words) for \(seconds) s"))
        let id = try AccessFailure.wrap {
            try records.addLink(
                digest: Secret.digest(secret.text), subject: subject, account: account.id, expiresAt: expiresAt,
                mostUses: mostUses)
        }
        return NewLink(id: id, secret: secret.text, expiresAt: expiresAt)
    }

    /// Ends a link and every session that it began.
    package func revokeLink(_ id: Int64, by author: Author) throws(AccessFailure) {
        let link = try link(id)
        try change("link \(id) revoked", kind: .share, study: link.subject.studyInstanceUID, author) {
            try self.records.revokeLink(id: id)
        }
    }
}

extension LinkSubject {
    /// As the audit trail shows it: of visits and orders the number of their row.
    var words: String {
        switch self {
        case .study: "the study"
        case .encounter(let id): "visit \(id)"
        case .procedure(let id): "order \(id)"
        }
    }
}
