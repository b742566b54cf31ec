// Sign-in at the identity provider: the way there, the way back, and access tokens that programs bring.

import Crypto
import Foundation
package import Logging
import Records
import Synchronization

/// Somebody whom the provider vouches for.
package struct OpenIDIdentity: Sendable, Hashable {
    /// Issuer and subject name a person for ever (OpenID Connect Core 1.0 Section 5.7); a name may change hands.
    package let issuer: String
    package let subject: String
    /// What an account made for it is called.
    package let name: String
    package let roles: Set<Role>

    package init(issuer: String, subject: String, name: String, roles: Set<Role>) {
        self.issuer = issuer
        self.subject = subject
        self.name = name
        self.roles = roles
    }

    /// Whether a claim can name an account. A colon is for those who act on the machine itself, such as `operator:root`.
    static func canName(_ text: String) -> Bool { AccountRecord.isName(text) && !text.contains(":") }
}

/// An access token that is good now.
package struct OpenIDBearer: Sendable, Hashable {
    package let identity: OpenIDIdentity
    /// Microseconds since 1970.
    package let expiresAt: Int64
    /// Whether it is seen for the first time in a while.
    package let isNew: Bool

    package init(identity: OpenIDIdentity, expiresAt: Int64, isNew: Bool) {
        self.identity = identity
        self.expiresAt = expiresAt
        self.isNew = isNew
    }
}

/// The way to the provider.
package struct OpenIDDeparture: Sendable {
    /// Where the browser goes.
    package let url: String
    /// What the browser keeps until it is back: sealed, so that it can neither be read nor made elsewhere.
    package let pending: String
}

/// The provider's answer as the browser brings it.
package struct OpenIDReturn: Sendable {
    package var code: String?
    package var state: String?
    package var error: String?
    package var issuer: String?
    /// What the browser kept.
    package var pending: String?

    package init() {}
}

/// Sign-in at one provider with the authorization code flow, PKCE, state and nonce (RFC 9700 Section 2.1).
package final class OpenIDSignOn: Sendable {
    /// A sign-in that waits for the browser to come back.
    private struct Pending: Codable {
        let state: String
        let nonce: String
        let verifier: String
        let callback: String
        let destination: String
        /// Seconds since 1970.
        let expiresAt: Double
    }

    /// Seconds that somebody has to sign in at the provider.
    package static let patience = 600
    /// Seconds that a verified access token is believed without its signature being verified again.
    private static let bearerTrust: Double = 300
    private static let mostRemembered = 10_000

    package let settings: OpenIDSettings
    private let provider: OpenIDProvider
    private let now: @Sendable () -> Double
    /// Of this process: a restart ends what is pending.
    private let key = SymmetricKey(size: .bits256)
    /// States that have come back, until they would have expired: each counts once.
    private let used = Mutex<[String: Double]>([:])
    private let bearers = Mutex<[[UInt8]: (identity: OpenIDIdentity, until: Double, expiresAt: Double)]>([:])

    /// - Parameter now: seconds since 1970.
    package init(
        settings: OpenIDSettings, now: @escaping @Sendable () -> Double, logger: Logger, fetch: @escaping OpenIDFetch
    ) {
        self.settings = settings
        self.now = now
        provider = OpenIDProvider(settings: settings, now: now, logger: logger, fetch: fetch)
    }

    /// Begins a sign-in.
    /// - Parameters:
    ///   - destination: the path here that the browser wants to reach.
    ///   - callback: the address here to which the provider sends the browser back.
    package func depart(to destination: String, callback: String) async throws(OpenIDFailure) -> OpenIDDeparture {
        let metadata = try await provider.discovered()
        let pending = Pending(
            state: Secret.make().text, nonce: Secret.make().text, verifier: Secret.make().text, callback: callback,
            destination: LocalPath.checked(destination), expiresAt: now() + Double(Self.patience))
        let query = FormText.encode([
            "response_type": "code", "client_id": settings.clientID, "redirect_uri": callback,
            "scope": settings.scopes.joined(separator: " "), "state": pending.state, "nonce": pending.nonce,
            "code_challenge": Secret.base64URL(Secret.digest(pending.verifier)), "code_challenge_method": "S256",
        ])
        let separator = metadata.authorizationEndpoint.contains("?") ? "&" : "?"
        return OpenIDDeparture(url: metadata.authorizationEndpoint + separator + query, pending: try seal(pending))
    }

    /// Ends a sign-in: who it is, and where the browser wanted to go.
    package func arrive(_ answer: OpenIDReturn) async throws(OpenIDFailure) -> (OpenIDIdentity, destination: String) {
        guard let sealed = answer.pending, let pending = open(sealed), let state = answer.state,
            Secret.areEqual(state, pending.state), now() < pending.expiresAt, use(pending)
        else { throw .wrongState }
        let namesIssuer = try await provider.discovered().namesIssuer ?? false
        // An answer that another provider made (RFC 9207 Section 2.4).
        guard answer.issuer.map({ $0 == settings.issuer }) ?? !namesIssuer else { throw .token(.issuer) }
        if let error = answer.error { throw .providerRefused(FormText.code(error)) }
        guard let code = answer.code, !code.isEmpty else { throw .wrongState }
        let tokens = try await provider.exchange(code: code, verifier: pending.verifier, callback: pending.callback)
        let signed = try await provider.verify(tokens.idToken)
        do {
            try signed.checkIdentity(
                settings, nonce: pending.nonce, accessToken: tokens.accessToken, now: now())
        } catch { throw .token(error) }
        let claims = try await completed(signed.claims, accessToken: tokens.accessToken)
        return (try identity(claims), pending.destination)
    }

    /// Who holds an access token; nil when tokens of the provider are not taken here.
    package func bearer(_ token: String) async throws(OpenIDFailure) -> OpenIDBearer? {
        guard settings.audience != nil, OpenIDKeySet.isToken(token) else { return nil }
        let digest = Secret.digest(token)
        let time = now()
        if let known = bearers.withLock({ $0[digest] }), time < known.until {
            return OpenIDBearer(
                identity: known.identity, expiresAt: Int64(known.expiresAt * 1_000_000), isNew: false)
        }
        let signed = try await provider.verify(token)
        let expiresAt: Double
        do throws(TokenFault) {
            try signed.checkAccess(settings, now: time)
            expiresAt = min(try signed.claims.time("exp") ?? 0, time + 86_400) + Double(settings.clockSkew)
        } catch { throw .token(error) }
        let identity = try identity(signed.claims)
        bearers.withLock { bearers in
            if bearers.count >= Self.mostRemembered { bearers.removeAll(keepingCapacity: true) }
            bearers[digest] = (identity, min(expiresAt, time + Self.bearerTrust), expiresAt)
        }
        return OpenIDBearer(identity: identity, expiresAt: Int64(expiresAt * 1_000_000), isNew: true)
    }

    /// What the identity token leaves out is asked of the userinfo resource, which must speak of the same person
    /// (OpenID Connect Core 1.0 Section 5.3.2).
    private func completed(
        _ claims: OpenIDClaims, accessToken: String?
    ) async throws(OpenIDFailure) -> OpenIDClaims {
        let isComplete = claims.texts(settings.rolesClaim) != nil && claims.text(settings.accountClaim) != nil
        guard !isComplete, let accessToken, let more = try await provider.userInfo(accessToken: accessToken) else {
            return claims
        }
        guard more.text("sub") == claims.text("sub") else { throw .token(.subject) }
        return claims.filled(from: more)
    }

    private func identity(_ claims: OpenIDClaims) throws(OpenIDFailure) -> OpenIDIdentity {
        guard let subject = claims.text("sub") else { throw .token(.subject) }
        let email = claims.fields["email_verified"] == .flag(false) ? nil : claims.text("email")
        let names = [claims.text(settings.accountClaim), email, subject]
        let name = names.compactMap { $0 }.first(where: OpenIDIdentity.canName) ?? "account of the identity provider"
        let words = claims.texts(settings.rolesClaim) ?? []
        return OpenIDIdentity(
            issuer: settings.issuer, subject: subject, name: name,
            roles: settings.defaultRoles.union(words.compactMap { settings.roles[$0] }))
    }

    /// Whether a pending sign-in comes back for the first time.
    private func use(_ pending: Pending) -> Bool {
        let time = now()
        return used.withLock { used in
            guard used[pending.state] == nil else { return false }
            if used.count >= Self.mostRemembered { used = used.filter { time < $0.value } }
            if used.count >= Self.mostRemembered, let oldest = used.min(by: { $0.value < $1.value }) {
                // A flood: the provider takes every code once anyway.
                used[oldest.key] = nil
            }
            used[pending.state] = pending.expiresAt
            return true
        }
    }

    private func seal(_ pending: Pending) throws(OpenIDFailure) -> String {
        guard let plain = try? JSONEncoder().encode(pending),
            let sealed = try? AES.GCM.seal(plain, using: key).combined
        else { throw .wrongState }
        return Secret.base64URL([UInt8](sealed))
    }

    private func open(_ text: String) -> Pending? {
        guard text.utf8.count <= 8 << 10, let bytes = Secret.bytes(base64URL: text),
            let box = try? AES.GCM.SealedBox(combined: bytes), let plain = try? AES.GCM.open(box, using: key)
        else { return nil }
        return try? JSONDecoder().decode(Pending.self, from: plain)
    }
}
