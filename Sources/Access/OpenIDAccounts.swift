// Accounts of people whom the identity provider vouches for.

import Foundation
import Records

extension AccessControl {
    /// Begins a session for somebody whom the provider vouches for; what they are here follows from what it says now.
    /// Blocks.
    /// - Parameter replacing: the session that the same browser had before; it ends.
    package func signIn(
        identity: OpenIDIdentity, from address: String, replacing: Caller? = nil
    ) throws(OpenIDFailure) -> NewSession {
        do {
            let account = try keepRoles(identity.roles, of: try account(of: identity, from: address), from: address)
            try refuseDisabled(account, from: address)
            guard !identity.roles.isEmpty else {
                noteRefusal("no role from the identity provider", account: account.name, from: address)
                throw OpenIDFailure.noRole
            }
            try end(replacing)
            return try beginSession(account, from: address, detail: "identity provider")
        } catch { throw OpenIDFailure(error) }
    }

    /// The caller of a good access token, remembered like every verified credential. Its roles are those that the token
    /// brings: another token of the same person may bring others. Blocks.
    package func caller(
        bearer: OpenIDBearer, presenting presented: Presented, from address: String
    ) throws(OpenIDFailure) -> Caller {
        do {
            let generation = cache.generation
            let account = try account(of: bearer.identity, from: address)
            try refuseDisabled(account, from: address)
            let credential = Credential.identityToken(account.id)
            if bearer.isNew {
                try audit.record(
                    AuditEvent(
                        .signIn, account: account.name, credential: credential, address: address,
                        detail: "token of the identity provider"))
            }
            let verified = try verified(
                account, roles: bearer.identity.roles, credential, session: nil, expiresAt: bearer.expiresAt)
            cache.put(verified, for: presented.key, of: generation)
            return verified.caller(from: address)
        } catch { throw OpenIDFailure(error) }
    }

    /// Turns away an address that failed too often.
    package func checkAttempts(from address: String) throws(OpenIDFailure) {
        if let seconds = attempts.wait(for: address, at: now) { throw .tooMany(seconds: seconds) }
    }

    /// Writes down that a sign-in at the provider, or one of its tokens, came to nothing.
    /// - Parameter isAttempt: whether it counts against the address. A program's token that has run out does not: others
    ///   behind the same address must not be turned away for it.
    package func noteFailure(_ failure: OpenIDFailure, from address: String, isAttempt: Bool) {
        let why: String
        switch failure {
        case .providerRefused(let code): why = "the provider says \(code)"
        case .wrongState: why = "no such sign-in"
        case .token(let fault): why = "token: \(fault.rawValue)"
        // These are no attempts of anybody, or are written down where they are found.
        case .providerAway, .noRole, .disabled, .tooMany, .access: return
        }
        if isAttempt { attempts.noteFailure(of: address, at: now) }
        noteRefusal(why, account: "", from: address)
    }

    private func noteRefusal(_ why: String, account: String, from address: String) {
        audit.note(
            AuditEvent(
                .refused, account: account, credential: nil, address: address, detail: "identity provider: \(why)"))
    }

    private func refuseDisabled(_ account: AccountRecord, from address: String) throws {
        guard account.isDisabled else { return }
        noteRefusal("account disabled", account: account.name, from: address)
        throw OpenIDFailure.disabled
    }

    /// The account of an identity, made when it comes for the first time.
    private func account(of identity: OpenIDIdentity, from address: String) throws -> AccountRecord {
        let (issuer, subject) = (identity.issuer, identity.subject)
        if let account = try records.account(issuer: issuer, subject: subject) { return account }
        for name in Self.names(for: identity) where try records.account(named: name) == nil {
            do {
                let account = try records.addAccount(
                    name: name, roles: Set(identity.roles.map(\.rawValue)), password: nil,
                    identity: (issuer: issuer, subject: subject))
                try audit.record(
                    AuditEvent(
                        .administer, account: name, credential: nil, address: address,
                        detail: "account \(name) made for the identity provider: \(Self.words(identity.roles))"))
                return account
            } catch let error as RecordsError {
                // Another request of the same person was faster, or somebody took the name.
                if let account = try records.account(issuer: issuer, subject: subject) { return account }
                guard error == .nameTaken else { throw error }
            }
        }
        throw AccessFailure.nameTaken
    }

    /// Names for a new account, the best first. One that is here already is never taken over: a local account belongs to
    /// who has its password, another identity's to that identity.
    static func names(for identity: OpenIDIdentity) -> [String] {
        let host = URL(string: identity.issuer)?.host ?? ""
        let mark = Secret.digest("\(identity.issuer)\n\(identity.subject)").prefix(6)
            .map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        return [identity.name, "\(identity.name)@\(host)", "\(identity.name.prefix(50)) \(mark)"]
            .filter(AccountRecord.isName)
    }

    private func keepRoles(
        _ roles: Set<Role>, of account: AccountRecord, from address: String
    ) throws -> AccountRecord {
        let words = Set(roles.map(\.rawValue))
        guard account.roles != words else { return account }
        let author = Author(account: account.name, address: address)
        try change("account \(account.name): roles \(Self.words(roles)), says the identity provider", author) {
            try self.records.setRoles(words, account: account.id)
        }
        return try self.account(named: account.name)
    }
}

extension Author {
    /// An account that changes by what the identity provider says of it.
    fileprivate init(account: String, address: String) {
        self.account = account
        self.address = address
        credential = nil
        roles = nil
    }
}

extension OpenIDFailure {
    /// What the records or the rules throw, as ours.
    fileprivate init(_ error: any Error) {
        switch error {
        case let error as OpenIDFailure: self = error
        case let error as AccessFailure: self = .access(error)
        case let error as RecordsError: self = .access(AccessFailure(error))
        default: self = .access(.records(.failed(code: -1)))
        }
    }
}
