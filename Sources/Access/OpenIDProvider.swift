// The identity provider as we see it: where its resources are, its keys, the exchange of a code (RFC 6749, RFC 8414).

import Foundation
package import Logging

/// What is asked of the provider.
package struct OpenIDRequest: Sendable, Hashable {
    package let url: String
    /// Fields of a form to post; nil to get.
    package let form: [String: String]?
    /// The whole value of the Authorization field.
    package let authorization: String?

    package init(url: String, form: [String: String]? = nil, authorization: String? = nil) {
        self.url = url
        self.form = form
        self.authorization = authorization
    }
}

/// What the provider answers.
package struct OpenIDAnswer: Sendable, Hashable {
    package let isSuccess: Bool
    package let body: [UInt8]
    /// Seconds that the answer may be kept, where the provider says so.
    package let lifetime: Int?

    package init(isSuccess: Bool, body: [UInt8], lifetime: Int? = nil) {
        self.isSuccess = isSuccess
        self.body = body
        self.lifetime = lifetime
    }
}

/// Asks the provider, within limits of time and size. An edge gives it; nothing in this room knows how.
package typealias OpenIDFetch = @Sendable (OpenIDRequest) async throws(OpenIDFailure) -> OpenIDAnswer

/// Where the provider's resources are (OpenID Connect Discovery 1.0 Section 3).
struct OpenIDMetadata: Sendable, Hashable, Decodable {
    let issuer: String
    let authorizationEndpoint: String
    let tokenEndpoint: String
    let keys: String
    let userInfoEndpoint: String?
    let tokenEndpointMethods: [String]?
    /// Whether every answer names its issuer (RFC 9207 Section 3).
    let namesIssuer: Bool?

    private enum CodingKeys: String, CodingKey {
        case issuer
        case authorizationEndpoint = "authorization_endpoint"
        case tokenEndpoint = "token_endpoint"
        case keys = "jwks_uri"
        case userInfoEndpoint = "userinfo_endpoint"
        case tokenEndpointMethods = "token_endpoint_auth_methods_supported"
        case namesIssuer = "authorization_response_iss_parameter_supported"
    }
}

/// What came for a code.
struct OpenIDTokens: Sendable, Decodable {
    let idToken: String
    let accessToken: String?

    private enum CodingKeys: String, CodingKey {
        case idToken = "id_token"
        case accessToken = "access_token"
    }
}

/// One provider. Nothing is asked of it before it is needed, so that the archive starts and serves without it.
package actor OpenIDProvider {
    /// Something fetched, kept for as long as it may be; an old one serves on while the provider is away.
    private struct Kept<Value: Sendable>: Sendable {
        let value: Value
        let freshUntil: Double
    }

    /// Seconds. Keys and addresses are kept for at least a minute and at most a day, an hour when nothing is said.
    private static let lifetimes = 60.0...86_400.0
    private static let standardLifetime = 3_600.0
    /// Seconds between two fetches of the keys for a key that is not there: bad tokens must not become requests.
    static let keyRefreshInterval = 60.0
    /// Seconds after a failed attempt before the next.
    static let pause = 5.0

    nonisolated let settings: OpenIDSettings
    private let fetch: OpenIDFetch
    private let now: @Sendable () -> Double
    private let logger: Logger
    private var metadata: Kept<OpenIDMetadata>?
    private var keys: Kept<OpenIDKeySet>?
    private var keysFetchedAt = -Double.infinity
    private var failure: (at: Double, what: OpenIDFailure)?
    /// One at a time; who comes meanwhile waits for it.
    private var refresh: Task<Result<OpenIDKeySet, OpenIDFailure>, Never>?
    private var discovery: Task<Result<OpenIDMetadata, OpenIDFailure>, Never>?

    /// - Parameter now: seconds since 1970.
    package init(
        settings: OpenIDSettings, now: @escaping @Sendable () -> Double, logger: Logger, fetch: @escaping OpenIDFetch
    ) {
        self.settings = settings
        self.now = now
        self.logger = logger
        self.fetch = fetch
    }

    /// The claims of a token whose signature is the provider's.
    package func verify(_ token: String) async throws(OpenIDFailure) -> SignedClaims {
        let known = try await currentKeys()
        do throws(TokenFault) { return try await known.verify(token) } catch {
            guard error == .unknownKey, now() >= keysFetchedAt + Self.keyRefreshInterval else { throw .token(error) }
        }
        let renewed = try await fetchKeys()
        do throws(TokenFault) { return try await renewed.verify(token) } catch { throw .token(error) }
    }

    /// The provider's addresses.
    func discovered() async throws(OpenIDFailure) -> OpenIDMetadata {
        if let metadata, now() < metadata.freshUntil { return metadata.value }
        let task = discovery ?? Task { await self.discover() }
        discovery = task
        let result = await task.value
        if discovery == task { discovery = nil }
        if case .failure = result, let metadata { return metadata.value }
        return try result.get()
    }

    /// Exchanges a code for tokens (RFC 6749 Section 4.1.3, RFC 7636 Section 4.5).
    func exchange(code: String, verifier: String, callback: String) async throws(OpenIDFailure) -> OpenIDTokens {
        let metadata = try await discovered()
        var form = [
            "grant_type": "authorization_code", "code": code, "redirect_uri": callback, "code_verifier": verifier,
        ]
        var authorization: String?
        // Without a list, the name and the secret go into the header (OpenID Connect Discovery 1.0 Section 3).
        let methods = metadata.tokenEndpointMethods ?? ["client_secret_basic"]
        if let secret = settings.clientSecret, methods.contains("client_secret_basic") {
            let pair = "\(FormText.escape(settings.clientID)):\(FormText.escape(secret))"
            authorization = "Basic " + Data(pair.utf8).base64EncodedString()
        } else {
            form["client_id"] = settings.clientID
            form["client_secret"] = settings.clientSecret
        }
        let answer = try await fetch(
            OpenIDRequest(url: metadata.tokenEndpoint, form: form, authorization: authorization))
        guard answer.isSuccess else {
            let code = Self.errorCode(answer.body)
            // A wrong secret, or an address that is not registered: for the technician, not for who signs in.
            logger.warning("the identity provider takes no code of ours", metadata: ["error": "\(code)"])
            throw .providerRefused(code)
        }
        return try Self.decode(OpenIDTokens.self, answer.body, "the tokens")
    }

    /// What the userinfo resource says of the holder of an access token; nil where there is none.
    func userInfo(accessToken: String) async throws(OpenIDFailure) -> OpenIDClaims? {
        guard let url = try await discovered().userInfoEndpoint else { return nil }
        let answer = try await fetch(OpenIDRequest(url: url, authorization: "Bearer \(accessToken)"))
        guard answer.isSuccess else { throw .providerAway("the userinfo resource refuses") }
        return try Self.decode(OpenIDClaims.self, answer.body, "the userinfo")
    }

    private func currentKeys() async throws(OpenIDFailure) -> OpenIDKeySet {
        if let keys, now() < keys.freshUntil { return keys.value }
        do throws(OpenIDFailure) { return try await fetchKeys() } catch {
            guard let keys else { throw error }
            return keys.value
        }
    }

    private func fetchKeys() async throws(OpenIDFailure) -> OpenIDKeySet {
        let task = refresh ?? Task { await self.loadKeys() }
        refresh = task
        let result = await task.value
        if refresh == task { refresh = nil }
        return try result.get()
    }

    private func loadKeys() async -> Result<OpenIDKeySet, OpenIDFailure> {
        do throws(OpenIDFailure) {
            let answer = try await get(try await discovered().keys)
            let value = try Self.decode(OpenIDKeySet.self, answer.body, "the keys")
            keysFetchedAt = now()
            keys = Kept(value: value, freshUntil: freshUntil(answer))
            return .success(value)
        } catch {
            // Also a failed attempt is one: what cannot be had is not asked for with every token.
            if keys != nil { keysFetchedAt = now() }
            return .failure(error)
        }
    }

    private func discover() async -> Result<OpenIDMetadata, OpenIDFailure> {
        do throws(OpenIDFailure) {
            let base = settings.issuer.hasSuffix("/") ? String(settings.issuer.dropLast()) : settings.issuer
            let answer = try await get(base + "/.well-known/openid-configuration")
            let value = try Self.decode(OpenIDMetadata.self, answer.body, "the discovery document")
            guard value.issuer == settings.issuer else {
                throw .providerAway("the discovery document is of another issuer")
            }
            let urls = [value.authorizationEndpoint, value.tokenEndpoint, value.keys, value.userInfoEndpoint]
            guard urls.allSatisfy({ $0.map(settings.allows) ?? true }) else {
                throw .providerAway("the discovery document names addresses that are not https")
            }
            metadata = Kept(value: value, freshUntil: freshUntil(answer))
            return .success(value)
        } catch {
            return .failure(error)
        }
    }

    /// A resource that must be there; after a failure it is not asked for again at once.
    private func get(_ url: String) async throws(OpenIDFailure) -> OpenIDAnswer {
        if let failure, now() < failure.at + Self.pause { throw failure.what }
        do throws(OpenIDFailure) {
            let answer = try await fetch(OpenIDRequest(url: url))
            guard answer.isSuccess else { throw .providerAway("it refuses what anybody may read") }
            if failure != nil { logger.notice("the identity provider answers again") }
            failure = nil
            return answer
        } catch {
            if failure == nil { logger.warning("the identity provider fails", metadata: ["why": "\(error)"]) }
            failure = (now(), error)
            throw error
        }
    }

    private func freshUntil(_ answer: OpenIDAnswer) -> Double {
        let lifetime = answer.lifetime.map(Double.init) ?? Self.standardLifetime
        return now() + min(max(lifetime, Self.lifetimes.lowerBound), Self.lifetimes.upperBound)
    }

    private static func decode<Value: Decodable>(
        _ type: Value.Type, _ body: [UInt8], _ what: String
    ) throws(OpenIDFailure) -> Value {
        do { return try JSONDecoder().decode(type, from: Data(body)) } catch {
            throw .providerAway("\(what) cannot be read")
        }
    }

    private struct Refusal: Decodable { let error: String }

    /// The error code of a refusal, if it is one: letters and underscores, never text that somebody else wrote.
    private static func errorCode(_ body: [UInt8]) -> String {
        let refusal = try? JSONDecoder().decode(Refusal.self, from: Data(body))
        return FormText.code(refusal?.error)
    }
}
