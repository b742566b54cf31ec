// Finds out who presents a credential, and remembers it for a moment.

package import Logging
package import Records

/// Accounts and their credentials. What is not marked otherwise blocks: call it on plain threads.
package final class AccessControl: Sendable {
    package let records: RecordStore
    package let audit: AuditTrail
    package let policy: AccessPolicy
    let attempts: AttemptLimit
    let cache = CredentialCache()
    let passwordWork = PasswordWork()
    let logger: Logger
    /// What a name that does not exist is compared with, so that it takes as long as one that does.
    let decoy: PasswordRecord

    package init(records: RecordStore, audit: AuditTrail, policy: AccessPolicy = AccessPolicy(), logger: Logger) {
        self.records = records
        self.audit = audit
        self.policy = policy
        self.logger = logger
        attempts = AttemptLimit(most: policy.failuresPerAddress, seconds: policy.failureWindow)
        let cost = policy.passwordCost
        decoy = PasswordRecord(
            hash: [UInt8](repeating: 0, count: 32), salt: Secret.salt(), rounds: cost.rounds,
            blockSize: cost.blockSize, parallelism: cost.parallelism)
    }

    var now: Int64 { records.now() }

    /// The caller of a credential verified a moment ago; does not block. Nil: ask `caller(presenting:)`.
    package func knownCaller(presenting presented: Presented, from address: String) -> Caller? {
        cache.use(presented.key, at: now, trust: Int64(policy.trust) * 1_000_000)?.caller(from: address)
    }

    /// The caller of a credential; nil when it proves nothing (any more).
    /// - Parameter isUse: false to look without keeping an idle session alive.
    package func caller(
        presenting presented: Presented, from address: String, isUse: Bool = true
    ) throws(AccessFailure) -> Caller? {
        let key = presented.key
        let generation = cache.generation
        let verified: VerifiedCredential?
        do throws(RecordsError) {
            switch presented {
            case .token: verified = try token(key)
            case .session: verified = try session(key, isUse: isUse)
            }
        } catch { throw AccessFailure(error) }
        guard let verified else {
            cache.remove(key)
            return nil
        }
        cache.put(verified, for: key, of: generation)
        return verified.caller(from: address)
    }

    private func token(_ key: CredentialKey) throws(RecordsError) -> VerifiedCredential? {
        let now = now
        guard let token = try records.token(digest: key.digest), token.revokedAt == nil,
            token.expiresAt.map({ now < $0 }) ?? true,
            let account = try records.account(id: token.account), !account.isDisabled
        else { return nil }
        let held = Role.set(account.roles)
        let roles = token.roles.map { Role.set($0).filter { Rules.covers(held, $0) } } ?? held
        return try verified(account, roles: roles, .token(token.id), session: nil, expiresAt: token.expiresAt)
    }

    private func session(_ key: CredentialKey, isUse: Bool) throws(RecordsError) -> VerifiedCredential? {
        let now = now
        let idle = Int64(policy.idleTimeout) * 1_000_000
        guard let session = try records.session(digest: key.digest), now < session.expiresAt else { return nil }
        let lastUsedAt = max(session.lastUsedAt, cache.lastUse(key) ?? 0)
        guard now < lastUsedAt + idle, let account = try records.account(id: session.account), !account.isDisabled
        else {
            try records.removeSession(id: session.id)
            return nil
        }
        // Not with every request: one write in a while is enough to tell when it was used last.
        if isUse, now - session.lastUsedAt > min(idle / 4, 60_000_000) {
            try records.touchSession(id: session.id, at: now)
        }
        guard let number = session.link else {
            return try verified(
                account, roles: Role.set(account.roles), .session(session.id), session: session.id,
                expiresAt: session.expiresAt, lastUsedAt: isUse ? now : lastUsedAt, idle: idle)
        }
        guard let link = try records.link(id: number), link.revokedAt == nil, now < link.expiresAt,
            Rules.rights(of: Role.set(account.roles)).contains(Rules.right(toOpen: link.subject))
        else { return nil }
        return VerifiedCredential(
            account: account.name, accountID: account.id, roles: [], credential: .link(link.id),
            scope: .only(try records.studies(openedBy: link.subject)), subject: link.subject,
            mustChangePassword: false, session: session.id,
            expiresAt: min(session.expiresAt, link.expiresAt), verifiedAt: now,
            lastUsedAt: isUse ? now : lastUsedAt, idle: idle)
    }

    /// An account with the studies that it may see now.
    func verified(
        _ account: AccountRecord, roles: Set<Role>, _ credential: Credential, session: Int64?, expiresAt: Int64?,
        lastUsedAt: Int64? = nil, idle: Int64? = nil
    ) throws(RecordsError) -> VerifiedCredential {
        let now = now
        var expiresAt = expiresAt
        var granted: Set<String> = []
        if roles.isDisjoint(with: Rules.seeingAll) {
            let grants = try records.grantedStudies(account: account.id, at: now)
            granted = grants.studies
            // A grant that ends within the moment of trust ends the trust; the session itself is looked up again.
            if let until = grants.until, until < now + Int64(policy.trust) * 1_000_000 {
                expiresAt = min(expiresAt ?? until, until)
            }
        }
        return VerifiedCredential(
            account: account.name, accountID: account.id, roles: roles, credential: credential,
            scope: Rules.scope(of: roles, granted: granted),
            mustChangePassword: account.mustChangePassword && session != nil, session: session, expiresAt: expiresAt,
            verifiedAt: now, lastUsedAt: lastUsedAt ?? now, idle: idle)
    }
}

extension Role {
    /// Roles by their words; a word that only a later version knows means nothing.
    package static func set(_ words: Set<String>) -> Set<Role> { Set(words.compactMap(Role.init)) }
}

/// Who does something to accounts and rights, for the trail.
package struct Author: Sendable {
    package let account: String
    package let credential: Credential?
    package let address: String
    /// Roles that limit what may be given; nil for a person at the machine itself.
    package let roles: Set<Role>?

    package init(_ caller: Caller) {
        account = caller.account
        credential = caller.credential
        address = caller.address
        roles = caller.roles
    }

    /// Somebody with the rights of the operating system over the data directory.
    package init(operator name: String) {
        account = "operator:\(name)"
        credential = nil
        address = ""
        roles = nil
    }

    func event(_ kind: AuditEvent.Kind, study: String? = nil, _ detail: String) -> AuditEvent {
        AuditEvent(
            kind, account: account, credential: credential, address: address, studyInstanceUID: study, detail: detail)
    }
}
