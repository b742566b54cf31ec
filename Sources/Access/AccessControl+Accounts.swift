// Accounts and tokens: made, changed and ended. Every change is in the trail before it is done.

package import Records

/// A token that has just been made; the secret is told once.
package struct NewToken: Sendable {
    package let id: Int64
    package let secret: String
}

extension AccessControl {
    /// The account that a first start makes.
    package static let firstAccount = "administrator"

    /// Makes the administrator where there is no account yet.
    /// - Returns: its password, to be shown once; nil when there are accounts.
    package func makeFirstAccount() throws(AccessFailure) -> String? {
        guard try accounts().isEmpty else { return nil }
        let password = Secret.makePassword()
        try addAccount(
            name: Self.firstAccount, roles: [.administrator], password: password, mustChangePassword: false,
            by: Author(operator: "first start"))
        return password
    }

    package func accounts() throws(AccessFailure) -> [AccountRecord] {
        try AccessFailure.wrap { try records.accounts() }
    }

    package func account(named name: String) throws(AccessFailure) -> AccountRecord {
        let account = try AccessFailure.wrap { try records.account(named: name) }
        guard let account else { throw .notFound }
        return account
    }

    /// Adds an account. - Parameter password: nil for one that comes with tokens or an identity only.
    @discardableResult
    package func addAccount(
        name: String, roles: Set<Role>, password: String?, mustChangePassword: Bool, by author: Author
    ) throws(AccessFailure) -> AccountRecord {
        guard AccountRecord.isName(name) else {
            throw .invalid(field: "name", reason: "1 to 64 characters, no control characters, no spaces around")
        }
        guard !roles.isEmpty else { throw .invalid(field: "roles", reason: "at least one") }
        let isTaken = try AccessFailure.wrap { try records.account(named: name) != nil }
        guard !isTaken else { throw .nameTaken }
        var kept: PasswordRecord?
        if let password {
            try PasswordRecord.check(password, account: name)
            kept = .make(password, cost: policy.passwordCost)
        }
        try audit.record(author.event(.administer, "account \(name) added: \(Self.words(roles))"))
        return try AccessFailure.wrap {
            try records.addAccount(
                name: name, roles: Set(roles.map(\.rawValue)), password: kept, mustChangePassword: mustChangePassword)
        }
    }

    package func setRoles(_ roles: Set<Role>, of name: String, by author: Author) throws(AccessFailure) {
        guard !roles.isEmpty else { throw .invalid(field: "roles", reason: "at least one") }
        let account = try account(named: name)
        if !roles.contains(.administrator) { try keepAnAdministrator(without: account) }
        try change("account \(account.name): roles \(Self.words(roles))", author) {
            try self.records.setRoles(Set(roles.map(\.rawValue)), account: account.id)
        }
    }

    /// Disables an account, which ends its sessions, or enables it, which also unlocks it.
    package func setDisabled(_ isDisabled: Bool, of name: String, by author: Author) throws(AccessFailure) {
        let account = try account(named: name)
        if isDisabled { try keepAnAdministrator(without: account) }
        try change("account \(account.name) \(isDisabled ? "disabled" : "enabled")", author) {
            try self.records.setDisabled(isDisabled, account: account.id)
        }
    }

    /// Sets somebody's password; their sessions end.
    package func setPassword(
        _ password: String, mustChange: Bool, of name: String, by author: Author
    ) throws(AccessFailure) {
        let account = try account(named: name)
        try PasswordRecord.check(password, account: account.name)
        let kept = PasswordRecord.make(password, cost: policy.passwordCost)
        try change("account \(account.name): password set", author) {
            try self.records.setPassword(kept, mustChange: mustChange, account: account.id)
        }
    }

    package func removeAccount(_ name: String, by author: Author) throws(AccessFailure) {
        let account = try account(named: name)
        try keepAnAdministrator(without: account)
        try change("account \(account.name) removed", author) {
            try self.records.removeAccount(id: account.id)
        }
    }

    private func keepAnAdministrator(without account: AccountRecord) throws(AccessFailure) {
        let others = try accounts().filter {
            $0.id != account.id && !$0.isDisabled && Role.set($0.roles).contains(.administrator)
        }
        guard !others.isEmpty || !Role.set(account.roles).contains(.administrator) || account.isDisabled else {
            throw .lastAdministrator
        }
    }

    /// Makes a token.
    /// - Parameters:
    ///   - roles: nil for those that the account has, now and later.
    ///   - expiresAt: microseconds since 1970; nil for one that lasts until it is revoked.
    package func issueToken(
        account name: String, label: String, roles: Set<Role>?, expiresAt: Int64?, by author: Author
    ) throws(AccessFailure) -> NewToken {
        let account = try account(named: name)
        guard !account.isDisabled else { throw .invalid(field: "account", reason: "one that is not disabled") }
        guard label.count <= 100 else { throw .invalid(field: "name", reason: "at most 100 characters") }
        if let expiresAt, expiresAt <= now { throw .invalid(field: "expiry", reason: "a time to come") }
        let held = Role.set(account.roles)
        guard (roles ?? []).allSatisfy({ Rules.covers(held, $0) }) else { throw .notCovered }
        let secret = Secret.makeToken()
        let words = roles.map(Self.words) ?? "all roles"
        try audit.record(author.event(.administer, "token for account \(account.name) issued: \(words)"))
        let id = try AccessFailure.wrap {
            try records.addToken(
                digest: Secret.digest(secret.text), account: account.id, name: label,
                roles: roles.map { Set($0.map(\.rawValue)) }, expiresAt: expiresAt)
        }
        return NewToken(id: id, secret: secret.text)
    }

    /// Every token, or those of one account.
    package func tokens(account: Int64? = nil) throws(AccessFailure) -> [TokenRecord] {
        try AccessFailure.wrap { try records.tokens(account: account) }
    }

    package func token(_ id: Int64) throws(AccessFailure) -> TokenRecord {
        let token = try AccessFailure.wrap { try records.token(id: id) }
        guard let token else { throw .notFound }
        return token
    }

    package func revokeToken(_ id: Int64, by author: Author) throws(AccessFailure) {
        let token = try token(id)
        try change("token \(id) of account \(token.accountName) revoked", author) {
            try self.records.revokeToken(id: id)
        }
    }

    static func words(_ roles: Set<Role>) -> String { roles.map(\.rawValue).sorted().joined(separator: ", ") }

    /// Writes into the trail, then does it, then forgets what was verified before.
    func change(
        _ detail: String, kind: AuditEvent.Kind = .administer, study: String? = nil, _ author: Author,
        _ body: () throws -> Void
    ) throws(AccessFailure) {
        try audit.record(author.event(kind, study: study, detail))
        defer { cache.removeAll() }
        try AccessFailure.wrap(body)
    }
}
