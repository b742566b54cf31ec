// A provider made of answers, a clock that stands still, and tokens signed here.

import Access
import Crypto
import Foundation
import Synchronization

let issuer = "https://id.example.org/realms/hospital"

/// A clock that tests set.
final class StoppedClock: Sendable {
    private let seconds: Mutex<Double>

    init(_ start: Double = 1_800_000_000) { seconds = Mutex(start) }

    var now: Double { seconds.withLock { $0 } }

    func advance(_ by: Double) { seconds.withLock { $0 += by } }
}

/// A key of the provider.
struct SigningKey: Sendable {
    let kid: String
    let key = P256.Signing.PrivateKey()

    var published: String {
        let raw = [UInt8](key.publicKey.rawRepresentation)
        let (x, y) = (Secret.base64URL(Array(raw.prefix(32))), Secret.base64URL(Array(raw.suffix(32))))
        return #"{"kty":"EC","crv":"P-256","kid":"\#(kid)","x":"\#(x)","y":"\#(y)"}"#
    }

    func token(_ claims: [String: ClaimValue], header: String? = nil) throws -> String {
        let header = header ?? #"{"alg":"ES256","kid":"\#(kid)"}"#
        let payload = try JSONEncoder().encode(OpenIDClaims(claims))
        let text = "\(Secret.base64URL(Array(header.utf8))).\(Secret.base64URL([UInt8](payload)))"
        let signature = try key.signature(for: Data(text.utf8))
        return "\(text).\(Secret.base64URL([UInt8](signature.rawRepresentation)))"
    }
}

/// The provider's resources; counts what is asked.
final class StandInProvider: Sendable {
    private struct State {
        var keys: [String]
        var isAway = false
        var asked: [String: Int] = [:]
        var token: String?
    }

    private let state: Mutex<State>

    init(_ keys: [SigningKey]) { state = Mutex(State(keys: keys.map(\.published))) }

    func publish(_ keys: [SigningKey]) { state.withLock { $0.keys = keys.map(\.published) } }

    func set(away: Bool) { state.withLock { $0.isAway = away } }

    /// The identity token of the next exchange.
    func set(token: String) { state.withLock { $0.token = token } }

    func asked(_ name: String) -> Int { state.withLock { $0.asked[name] ?? 0 } }

    @Sendable func fetch(_ request: OpenIDRequest) async throws(OpenIDFailure) -> OpenIDAnswer {
        let name = request.url.split(separator: "/").last.map(String.init) ?? ""
        let (isAway, keys, token) = state.withLock { state in
            state.asked[name, default: 0] += 1
            return (state.isAway, state.keys, state.token)
        }
        if isAway { throw .providerAway("away") }
        let body: String
        switch name {
        case "openid-configuration":
            body = """
                {"issuer": "\(issuer)", "authorization_endpoint": "\(issuer)/authorize",
                 "token_endpoint": "\(issuer)/token", "jwks_uri": "\(issuer)/keys"}
                """
        case "keys": body = #"{"keys": [{"kty": 7}, \#(keys.joined(separator: ","))]}"#
        case "token": body = #"{"id_token": "\#(token ?? "")", "access_token": "a"}"#
        default: return OpenIDAnswer(isSuccess: false, body: [])
        }
        return OpenIDAnswer(isSuccess: true, body: Array(body.utf8), lifetime: 600)
    }
}

func settings() -> OpenIDSettings {
    var settings = OpenIDSettings(issuer: issuer, clientID: "phim")
    settings.roles = ["radiology": .radiologist, "emr": .integration]
    settings.audience = "phim-api"
    return settings
}
