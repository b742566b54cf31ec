// The provider's public keys, and signatures verified with them (RFC 7515, RFC 7517).

import Foundation
import JWTKit

/// One public key as the provider publishes it. Private parts, should there be any, are not read.
struct PublishedKey: Sendable, Hashable, Decodable {
    let kty: String
    let kid: String?
    let use: String?
    let alg: String?
    let n: String?
    let e: String?
    let crv: String?
    let x: String?
    let y: String?

    /// What each algorithm asks of a key (RFC 7518 Section 3.1, RFC 8037). What is not here is not accepted: neither
    /// `none` nor those with a shared secret, for which a public key would be no secret.
    static let algorithms: [String: (type: String, curve: String?)] = [
        "RS256": ("RSA", nil), "RS384": ("RSA", nil), "RS512": ("RSA", nil),
        "PS256": ("RSA", nil), "PS384": ("RSA", nil), "PS512": ("RSA", nil),
        "ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"), "ES512": ("EC", "P-521"),
        "EdDSA": ("OKP", "Ed25519"),
    ]

    func fits(_ algorithm: String) -> Bool {
        guard let wanted = Self.algorithms[algorithm] else { return false }
        return kty == wanted.type && (wanted.curve == nil || crv == wanted.curve) && (alg == nil || alg == algorithm)
            && (use == nil || use == "sig")
    }

    fileprivate func key(for algorithm: JWK.Algorithm) -> JWK? {
        let identifier = JWKIdentifier(string: "published")
        return switch kty {
        case "RSA": JWK.rsa(algorithm, identifier: identifier, modulus: n, exponent: e)
        case "EC": JWK.ecdsa(algorithm, identifier: identifier, x: x, y: y, curve: crv.flatMap(ECDSACurve.init))
        case "OKP": JWK.octetKeyPair(algorithm, identifier: identifier, x: x, y: nil, curve: .ed25519)
        default: nil
        }
    }
}

/// The keys of a provider at one time.
package struct OpenIDKeySet: Sendable, Hashable, Decodable {
    private static let mostKeys = 100
    private static let longestToken = 16 << 10

    private let keys: [PublishedKey]

    private enum CodingKeys: String, CodingKey { case keys }

    /// A key of a kind that we cannot read does not spoil the others.
    private struct Entry: Decodable {
        let key: PublishedKey?

        init(from decoder: any Decoder) throws { key = try? PublishedKey(from: decoder) }
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        keys = try values.decode([Entry].self, forKey: .keys).prefix(Self.mostKeys).compactMap(\.key)
    }

    private struct Header: Decodable {
        let alg: String
        let kid: String?
        /// Extensions that must be understood (RFC 7515 Section 4.1.11): we understand none.
        let crit: [String]?
    }

    /// The claims are held against the rules by `SignedClaims`, which knows the time and what was asked.
    private struct Payload: JWTPayload {
        let claims: OpenIDClaims

        init(from decoder: any Decoder) throws { claims = try OpenIDClaims(from: decoder) }

        func encode(to encoder: any Encoder) throws { try claims.encode(to: encoder) }

        @concurrent
        func verify(using algorithm: some JWTAlgorithm) async throws {}
    }

    /// Whether a text has the form of a signed token (RFC 7515 Section 7.1).
    package static func isToken(_ text: String) -> Bool {
        text.hasPrefix("ey") && text.utf8.count { $0 == UInt8(ascii: ".") } == 2
    }

    /// Verifies the signature of a token with the key that it names.
    package func verify(_ token: String) async throws(TokenFault) -> SignedClaims {
        guard token.utf8.count <= Self.longestToken, Self.isToken(token) else { throw .malformed }
        guard let first = token.split(separator: ".", omittingEmptySubsequences: false).first,
            let bytes = Secret.bytes(base64URL: String(first)),
            let header = try? JSONDecoder().decode(Header.self, from: Data(bytes)), header.crit == nil
        else { throw .malformed }
        guard PublishedKey.algorithms[header.alg] != nil, let algorithm = JWK.Algorithm(rawValue: header.alg) else {
            throw .algorithm
        }
        guard let key = key(named: header.kid, for: header.alg)?.key(for: algorithm) else { throw .unknownKey }
        // A collection of one: whatever the header says, no other key is tried and no other algorithm.
        let collection = JWTKeyCollection()
        do { try await collection.add(jwk: key) } catch { throw .unknownKey }
        do {
            let payload = try await collection.verify(token, as: Payload.self)
            return SignedClaims(claims: payload.claims, algorithm: header.alg)
        } catch let error as JWTError where error.errorType == .malformedToken {
            throw .malformed
        } catch {
            throw .signature
        }
    }

    /// A token that names no key is for the one that fits (OpenID Connect Core 1.0 Section 10.1).
    private func key(named name: String?, for algorithm: String) -> PublishedKey? {
        let fitting = keys.filter { $0.fits(algorithm) }
        guard let name else { return fitting.count == 1 ? fitting[0] : nil }
        return fitting.first { $0.kid == name }
    }
}
