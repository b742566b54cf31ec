// What a token says, and the rules by which it is believed (OpenID Connect Core 1.0 Section 3.1.3.7, RFC 9068).

import Crypto
import Foundation

/// A value of a claim.
package enum ClaimValue: Sendable, Hashable, Codable {
    case text(String)
    case number(Double)
    case flag(Bool)
    case list([ClaimValue])
    case object([String: ClaimValue])
    case null

    package init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let flag = try? value.decode(Bool.self) {
            self = .flag(flag)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let text = try? value.decode(String.self) {
            self = .text(text)
        } else if let list = try? value.decode([ClaimValue].self) {
            self = .list(list)
        } else {
            self = .object(try value.decode([String: ClaimValue].self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        switch self {
        case .text(let text): try value.encode(text)
        case .number(let number): try value.encode(number)
        case .flag(let flag): try value.encode(flag)
        case .list(let list): try value.encode(list)
        case .object(let object): try value.encode(object)
        case .null: try value.encodeNil()
        }
    }
}

/// The claims of a token, or of the answer of the provider's userinfo resource.
package struct OpenIDClaims: Sendable, Hashable, Codable {
    package let fields: [String: ClaimValue]

    package init(_ fields: [String: ClaimValue]) { self.fields = fields }

    package init(from decoder: any Decoder) throws {
        fields = try decoder.singleValueContainer().decode([String: ClaimValue].self)
    }

    package func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        try value.encode(fields)
    }

    package func text(_ name: String) -> String? {
        guard case .text(let text) = fields[name], !text.isEmpty else { return nil }
        return text
    }

    /// A time, seconds since 1970.
    func time(_ name: String) throws(TokenFault) -> Double? {
        switch fields[name] {
        case nil: return nil
        case .number(let number) where number.isFinite: return number
        default: throw .malformed
        }
    }

    /// One text or several, as `aud` and most claims of roles are written; nil when the claim is absent.
    ///
    /// A name that is there as it stands wins over the same text as a path.
    package func texts(_ path: String) -> [String]? {
        var value = fields[path]
        if value == nil, path.contains(".") {
            value = path.split(separator: ".").reduce(.object(fields)) { value, step in
                guard case .object(let object) = value else { return nil }
                return object[String(step)]
            }
        }
        switch value {
        case .text(let text): return [text]
        case .list(let list):
            return list.compactMap { item in
                guard case .text(let text) = item else { return nil }
                return text
            }
        default: return nil
        }
    }

    /// These claims, and of others what is missing here.
    func filled(from others: OpenIDClaims) -> OpenIDClaims {
        OpenIDClaims(fields.merging(others.fields) { own, _ in own })
    }
}

/// A token with a good signature; whether it is meant for us is another question.
package struct SignedClaims: Sendable {
    package let claims: OpenIDClaims
    /// The algorithm that the signature was verified with.
    package let algorithm: String

    package init(claims: OpenIDClaims, algorithm: String) {
        self.claims = claims
        self.algorithm = algorithm
    }

    /// Whether it is the identity token that answers a sign-in (OpenID Connect Core 1.0 Section 3.1.3.7).
    package func checkIdentity(
        _ settings: OpenIDSettings, nonce: String, accessToken: String?, now: Double
    ) throws(TokenFault) {
        try checkIssuer(settings)
        try checkTimes(skew: Double(settings.clockSkew), now: now)
        let audiences = claims.texts("aud") ?? []
        guard audiences.contains(settings.clientID) else { throw .audience }
        let party = claims.text("azp")
        guard audiences.count == 1 || party != nil, party == nil || party == settings.clientID else { throw .party }
        guard try claims.time("iat") != nil else { throw .malformed }
        guard let given = claims.text("nonce"), Secret.areEqual(given, nonce) else { throw .nonce }
        if let hash = claims.text("at_hash") {
            guard let accessToken, Secret.areEqual(hash, Self.halfHash(accessToken, algorithm)) else {
                throw .accessTokenHash
            }
        }
    }

    /// Whether it is an access token for this archive (RFC 9068 Section 4).
    package func checkAccess(_ settings: OpenIDSettings, now: Double) throws(TokenFault) {
        try checkIssuer(settings)
        try checkTimes(skew: Double(settings.clockSkew), now: now)
        guard let audience = settings.audience, claims.texts("aud")?.contains(audience) == true else {
            throw .audience
        }
        // An identity token tells an application who signed in; it is no right to call another.
        let marks = ["nonce", "at_hash", "c_hash", "s_hash"]
        guard marks.allSatisfy({ claims.fields[$0] == nil }), claims.text("typ") != "ID" else { throw .kind }
    }

    private func checkIssuer(_ settings: OpenIDSettings) throws(TokenFault) {
        guard claims.text("iss") == settings.issuer else { throw .issuer }
        guard let subject = claims.text("sub"), subject.utf8.count <= 255 else { throw .subject }
    }

    private func checkTimes(skew: Double, now: Double) throws(TokenFault) {
        guard let expiry = try claims.time("exp") else { throw .expired }
        guard now < expiry + skew else { throw .expired }
        if let from = try claims.time("nbf"), now + skew < from { throw .notYetValid }
        if let issued = try claims.time("iat"), now + skew < issued { throw .notYetValid }
    }

    /// `at_hash`: the left half of the hash that the algorithm uses (OpenID Connect Core 1.0 Section 3.1.3.6).
    package static func halfHash(_ token: String, _ algorithm: String) -> String {
        let bytes = Array(token.utf8)
        let digest: [UInt8] =
            if algorithm.hasSuffix("256") {
                Array(SHA256.hash(data: bytes))
            } else if algorithm.hasSuffix("384") {
                Array(SHA384.hash(data: bytes))
            } else {
                // Those that end in 512, and Ed25519, which hashes with SHA-512 (RFC 8032 Section 5.1).
                Array(SHA512.hash(data: bytes))
            }
        return Secret.base64URL(Array(digest.prefix(digest.count / 2)))
    }
}
