// Sessions of browsers: begun with a password, a link or an identity, ended by signing out or by time.

import Logging
package import Records

/// A session that has just begun; the secret is told once.
package struct NewSession: Sendable {
    package let secret: String
    package let account: String
    package let roles: Set<Role>
    package let mustChangePassword: Bool
    /// Microseconds since 1970.
    package let expiresAt: Int64
}

extension AccessControl {
    /// Begins a session for a name and a password. Does not block: scrypt runs on threads of its own.
    /// - Parameter replacing: the session that the same browser had before; it ends, so that nobody else's goes on.
    package func signIn(
        name: String, password: String, from address: String, replacing: Caller? = nil
    ) async throws(AccessFailure) -> NewSession {
        try await passwordWork.run { () throws(AccessFailure) in
            let account = try self.verifyPassword(name: name, password, from: address)
            try self.end(replacing)
            return try self.beginSession(account, from: address, detail: "password")
        }
    }

    /// The account of a name and a password. Takes as long for a wrong name as for a wrong password.
    func verifyPassword(
        name: String, _ password: String, from address: String
    ) throws(AccessFailure) -> AccountRecord {
        let now = now
        if let seconds = attempts.wait(for: address, at: now) { throw .tooMany(seconds: seconds) }
        let account = try AccessFailure.wrap { try records.account(named: name) }
        let isRight = (account?.password ?? decoy).matches(password)
        guard let account else {
            attempts.noteFailure(of: address, at: now)
            // Not the name that was tried: people type passwords, and names of patients, into the wrong field.
            audit.note(
                AuditEvent(.refused, account: "", credential: nil, address: address, detail: "sign-in: no such account")
            )
            throw .wrongCredentials
        }
        func refuse(_ why: String) throws(AccessFailure) -> Never {
            attempts.noteFailure(of: address, at: now)
            audit.note(
                AuditEvent(
                    .refused, account: account.name, credential: nil, address: address, detail: "sign-in: \(why)"))
            throw .wrongCredentials
        }
        if account.isDisabled { try refuse("account disabled") }
        if let until = account.lockedUntil, now < until { try refuse("account locked") }
        guard account.password != nil, isRight else {
            let isLocked = try AccessFailure.wrap {
                try records.noteFailedAttempt(
                    account: account.id, most: policy.lockOutAfter,
                    lockingUntil: now + Int64(policy.lockOutTime) * 1_000_000)
            }
            if isLocked {
                logger.warning("an account is locked after failed sign-ins", metadata: ["from": "\(address)"])
            }
            try refuse(isLocked ? "wrong password, account locked now" : "wrong password")
        }
        if account.failedAttempts > 0 || account.lockedUntil != nil {
            try AccessFailure.wrap { try records.forgetFailedAttempts(account: account.id) }
        }
        if let kept = account.password, !kept.has(policy.passwordCost) {
            let renewed = PasswordRecord.make(password, cost: policy.passwordCost)
            try AccessFailure.wrap { try records.renewPassword(renewed, account: account.id) }
        }
        return account
    }

    /// Begins a session of an account that has proved itself. Blocks.
    func beginSession(
        _ account: AccountRecord, from address: String, detail: String
    ) throws(AccessFailure) -> NewSession {
        let secret = Secret.make()
        let expiresAt = now + Int64(policy.sessionLifetime) * 1_000_000
        let id = try AccessFailure.wrap {
            try records.addSession(
                digest: Secret.digest(secret.text), account: account.id, address: address, expiresAt: expiresAt)
        }
        try audit.record(
            AuditEvent(.signIn, account: account.name, credential: .session(id), address: address, detail: detail))
        return NewSession(
            secret: secret.text, account: account.name, roles: Role.set(account.roles),
            mustChangePassword: account.mustChangePassword, expiresAt: expiresAt)
    }

    /// Ends the session that a browser had before it began another; at once, whatever was verified a moment ago.
    func end(_ replaced: Caller?) throws(AccessFailure) {
        guard let session = replaced?.session else { return }
        try AccessFailure.wrap { try records.removeSession(id: session) }
        cache.removeAll()
    }

    /// Ends the session that a caller came with. Blocks.
    package func signOut(_ caller: Caller) throws(AccessFailure) {
        guard let session = caller.session else { return }
        try AccessFailure.wrap { try records.removeSession(id: session) }
        cache.removeAll()
        try audit.record(Author(caller).event(.signOut, ""))
    }

    /// Changes the caller's own password; its other sessions end. Does not block.
    package func changePassword(
        of caller: Caller, from current: String, to new: String
    ) async throws(AccessFailure) {
        try await passwordWork.run { () throws(AccessFailure) in
            let account = try self.verifyPassword(name: caller.account, current, from: caller.address)
            try PasswordRecord.check(new, account: account.name)
            guard current != new else { throw AccessFailure.invalid(field: "password", reason: "another than before") }
            let password = PasswordRecord.make(new, cost: self.policy.passwordCost)
            try self.audit.record(Author(caller).event(.administer, "password changed"))
            try AccessFailure.wrap {
                try self.records.setPassword(password, mustChange: false, account: account.id, keeping: caller.session)
            }
            self.cache.removeAll()
        }
    }

    /// Opens a link: counts the use and begins a session limited to what it leads to. Blocks.
    package func open(
        link text: String, from address: String
    ) throws(AccessFailure) -> (session: NewSession, subject: LinkSubject) {
        let found = try AccessFailure.wrap { try records.link(digest: Secret.digest(text)) }
        guard let found else {
            audit.note(AuditEvent(.refused, account: "", credential: nil, address: address, detail: "link: unknown"))
            throw .notFound
        }
        let account = try AccessFailure.wrap { try records.account(id: found.account) }
        func refuse() throws(AccessFailure) -> Never {
            audit.note(
                AuditEvent(
                    .refused, account: found.accountName, credential: .link(found.id), address: address,
                    studyInstanceUID: found.subject.studyInstanceUID, detail: "link: at its end"))
            throw .notFound
        }
        guard let account, !account.isDisabled,
            Rules.rights(of: Role.set(account.roles)).contains(Rules.right(toOpen: found.subject))
        else {
            try refuse()
        }
        guard try AccessFailure.wrap({ try records.useLink(id: found.id) }) else { try refuse() }
        let secret = Secret.make()
        let expiresAt = min(found.expiresAt, now + Int64(policy.sessionLifetime) * 1_000_000)
        _ = try AccessFailure.wrap {
            try records.addSession(
                digest: Secret.digest(secret.text), account: account.id, link: found.id, address: address,
                expiresAt: expiresAt)
        }
        try audit.record(
            AuditEvent(
                .signIn, account: account.name, credential: .link(found.id), address: address,
                studyInstanceUID: found.subject.studyInstanceUID, detail: "link"))
        let session = NewSession(
            secret: secret.text, account: account.name, roles: [], mustChangePassword: false, expiresAt: expiresAt)
        return (session, found.subject)
    }
}
