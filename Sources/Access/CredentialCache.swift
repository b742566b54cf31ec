// Credentials verified a moment ago: a request for a frame asks no table.

import Records
import Synchronization

/// What a request presents.
package enum Presented: Sendable, Hashable {
    /// `Authorization: Bearer`
    case token(String)
    /// The cookie of a browser.
    case session(String)

    var digest: [UInt8] {
        switch self {
        case .token(let text), .session(let text): Secret.digest(text)
        }
    }

    /// A token is no session even if somebody puts it into the cookie.
    var key: CredentialKey {
        switch self {
        case .token: CredentialKey(isToken: true, digest: digest)
        case .session: CredentialKey(isToken: false, digest: digest)
        }
    }
}

struct CredentialKey: Sendable, Hashable {
    let isToken: Bool
    let digest: [UInt8]
}

/// A credential as the records knew it. Times in microseconds since 1970.
struct VerifiedCredential: Sendable {
    let account: String
    let accountID: Int64
    let roles: Set<Role>
    let credential: Credential
    let scope: StudyScope
    /// What a link opens.
    var subject: LinkSubject?
    let mustChangePassword: Bool
    /// Of the session behind it, a link's as well.
    let session: Int64?
    /// Nil: without end.
    let expiresAt: Int64?
    let verifiedAt: Int64
    /// Of sessions: in this process.
    var lastUsedAt: Int64
    /// Microseconds without use that end it; nil: none.
    let idle: Int64?

    func isAlive(at now: Int64) -> Bool {
        if let expiresAt, now >= expiresAt { return false }
        if let idle, now >= lastUsedAt + idle { return false }
        return true
    }

    func caller(from address: String) -> Caller {
        Caller(
            account: account, accountID: accountID, roles: roles, credential: credential, scope: scope,
            subject: subject, address: address, session: session, mustChangePassword: mustChangePassword)
    }
}

final class CredentialCache: Sendable {
    private static let mostEntries = 10_000

    private struct State {
        var entries: [CredentialKey: VerifiedCredential] = [:]
        /// How often everything was forgotten.
        var generation = 0
    }

    private let state = Mutex(State())

    /// A credential verified not longer ago than `trust` microseconds; using it counts as use.
    func use(_ key: CredentialKey, at now: Int64, trust: Int64) -> VerifiedCredential? {
        state.withLock { state in
            guard let entry = state.entries[key], now < entry.verifiedAt + trust, now >= entry.verifiedAt
            else { return nil }
            guard entry.isAlive(at: now) else {
                state.entries[key] = nil
                return nil
            }
            state.entries[key]?.lastUsedAt = now
            return entry
        }
    }

    /// When a credential was used last here, also when its verification is too old to be believed.
    func lastUse(_ key: CredentialKey) -> Int64? { state.withLock { $0.entries[key]?.lastUsedAt } }

    /// To be asked before the records are.
    var generation: Int { state.withLock { $0.generation } }

    /// Keeps what the records said, unless something was changed since they were asked.
    func put(_ entry: VerifiedCredential, for key: CredentialKey, of generation: Int) {
        state.withLock { state in
            guard state.generation == generation else { return }
            if state.entries.count >= Self.mostEntries { state.entries.removeAll(keepingCapacity: true) }
            state.entries[key] = entry
        }
    }

    func remove(_ key: CredentialKey) { state.withLock { $0.entries[key] = nil } }

    /// After a change to accounts, credentials or grants.
    func removeAll() {
        state.withLock { state in
            state.generation += 1
            state.entries.removeAll()
        }
    }
}
