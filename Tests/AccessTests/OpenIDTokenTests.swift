// Tokens of an identity provider: which are believed, and why the others are not.

import Access
import Foundation
import Testing

@Suite struct OpenIDTokenTests {
    static let now: Double = 1_800_000_000

    static let honest: [String: ClaimValue] = [
        "iss": .text(issuer), "sub": .text("u-1"), "aud": .text("phim"), "iat": .number(now), "exp": .number(now + 300),
        "nonce": .text("n"),
    ]

    static func identity(_ changes: [String: ClaimValue?]) -> SignedClaims {
        var claims = honest
        for (name, value) in changes { claims[name] = value }
        return SignedClaims(claims: OpenIDClaims(claims), algorithm: "ES256")
    }

    @Test("An identity token is believed within the rules (OpenID Connect Core 1.0 Section 3.1.3.7)")
    func believed() throws {
        let good: [[String: ClaimValue?]] = [
            [:], ["aud": .list([.text("phim")])], ["aud": .list([.text("phim"), .text("x")]), "azp": .text("phim")],
            ["azp": .text("phim")], ["exp": .number(Self.now - 59)], ["iat": .number(Self.now + 59)],
            ["nbf": .number(Self.now + 60)],
        ]
        for changes in good {
            try Self.identity(changes).checkIdentity(settings(), nonce: "n", accessToken: nil, now: Self.now)
        }
    }

    @Test(
        "An identity token is not believed",
        arguments: [
            (["iss": .text(issuer + "/")], .issuer), (["iss": nil], .issuer), (["sub": nil], .subject),
            (["sub": .text("")], .subject), (["sub": .text(String(repeating: "x", count: 256))], .subject),
            (["sub": .number(1)], .subject), (["aud": nil], .audience), (["aud": .text("phim2")], .audience),
            (["aud": .list([])], .audience), (["aud": .list([.text("phim"), .text("x")])], .party),
            (["azp": .text("x")], .party), (["exp": nil], .expired), (["exp": .number(now - 60)], .expired),
            (["exp": .text("9")], .malformed), (["exp": .flag(true)], .malformed), (["iat": nil], .malformed),
            (["iat": .number(now + 61)], .notYetValid), (["nbf": .number(now + 61)], .notYetValid),
            (["nonce": nil], .nonce), (["nonce": .text("m")], .nonce), (["nonce": .text("")], .nonce),
            (["at_hash": .text("x")], .accessTokenHash),
        ] as [([String: ClaimValue?], TokenFault)])
    func refused(changes: [String: ClaimValue?], fault: TokenFault) {
        #expect(throws: fault) {
            try Self.identity(changes).checkIdentity(settings(), nonce: "n", accessToken: "a", now: Self.now)
        }
    }

    @Test("at_hash is the left half of the hash (OpenID Connect Core 1.0 Appendix A.4)")
    func accessTokenHash() throws {
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
        #expect(SignedClaims.halfHash(token, "RS256") == "77QmUPtjPfzWtF2AnpK9RQ")
        #expect(SignedClaims.halfHash(token, "ES384").count == 32)
        #expect(SignedClaims.halfHash(token, "EdDSA").count == 43)
        let given = Self.identity(["at_hash": .text(SignedClaims.halfHash("a", "ES256"))])
        try given.checkIdentity(settings(), nonce: "n", accessToken: "a", now: Self.now)
        #expect(throws: TokenFault.accessTokenHash) {
            try given.checkIdentity(settings(), nonce: "n", accessToken: nil, now: Self.now)
        }
    }

    @Test(
        "An access token is for this archive, and is no identity token (RFC 9068 Section 4)",
        arguments: [
            ([:], nil), (["aud": .list([.text("x"), .text("phim-api")])], nil), (["aud": .text("phim")], .audience),
            (["nonce": .text("n")], .kind), (["at_hash": .text("h")], .kind), (["typ": .text("ID")], .kind),
            (["typ": .text("Bearer")], nil), (["exp": .number(now - 61)], .expired),
        ] as [([String: ClaimValue?], TokenFault?)])
    func access(changes: [String: ClaimValue?], fault: TokenFault?) {
        let changes = (["nonce": nil, "aud": .text("phim-api")] as [String: ClaimValue?])
            .merging(changes) { _, new in new }
        var found: TokenFault?
        do throws(TokenFault) { try Self.identity(changes).checkAccess(settings(), now: Self.now) } catch {
            found = error
        }
        #expect(found == fault)
    }

    @Test("Without an audience no access token is for us")
    func noAudience() {
        var settings = settings()
        settings.audience = nil
        #expect(throws: TokenFault.audience) {
            try Self.identity(["nonce": nil]).checkAccess(settings, now: Self.now)
        }
    }

    @Test("Claims are found by name, then by path")
    func paths() throws {
        let json = #"{"a.b": "name", "a": {"b": ["x", 1, "y"], "c": {"d": "deep"}}, "e": [], "f": null, "g": 1}"#
        let claims = try JSONDecoder().decode(OpenIDClaims.self, from: Data(json.utf8))
        #expect(claims.texts("a.b") == ["name"])
        #expect(claims.texts("a.c.d") == ["deep"])
        #expect(claims.texts("a.c") == nil)
        #expect(claims.texts("e") == [])
        for absent in ["f", "g", "h", "a.b.c", ".", ""] { #expect(claims.texts(absent) == nil, "\(absent)") }
    }

    @Test("Signatures are verified with the key that is named")
    func signatures() async throws {
        let (one, two, stranger) = (SigningKey(kid: "1"), SigningKey(kid: "2"), SigningKey(kid: "1"))
        let both = try set([one, two])
        #expect(try await both.verify(one.token(Self.honest)).claims.text("sub") == "u-1")
        #expect(try await both.verify(two.token(Self.honest)).algorithm == "ES256")
        await #expect(throws: TokenFault.signature) { try await both.verify(stranger.token(Self.honest)) }
        let bare = try one.token(Self.honest, header: #"{"alg":"ES256"}"#)
        await #expect(throws: TokenFault.unknownKey) { try await both.verify(bare) }
        #expect(try await set([one]).verify(bare).claims.text("sub") == "u-1")
        await #expect(throws: TokenFault.signature) { try await set([two]).verify(bare) }
        for algorithm in ["none", "None", "HS256", "HS512", "RS1", "es256", "", "ES256K"] {
            let token = try one.token(Self.honest, header: #"{"alg":"\#(algorithm)","kid":"1"}"#)
            await #expect(throws: TokenFault.algorithm) { try await both.verify(token) }
        }
        for algorithm in ["RS256", "PS512", "ES384", "EdDSA"] {
            let token = try one.token(Self.honest, header: #"{"alg":"\#(algorithm)","kid":"1"}"#)
            await #expect(throws: TokenFault.unknownKey) { try await both.verify(token) }
        }
    }

    @Test("Keys for other purposes sign nothing", arguments: [#""use":"enc","#, #""alg":"ES512","#])
    func otherPurposes(mark: String) async throws {
        let key = SigningKey(kid: "1")
        let published = "{\(mark)\(key.published.dropFirst())"
        let keys = try JSONDecoder().decode(OpenIDKeySet.self, from: Data(#"{"keys":[\#(published)]}"#.utf8))
        await #expect(throws: TokenFault.unknownKey) { try await keys.verify(key.token(Self.honest)) }
    }

    @Test(
        "Texts that are no tokens",
        arguments: ["", ".", "..", "ey..", "eyJ.", "ey!.ey!.!", "eyJhbGciOiJFUzI1NiJ9", "eyJhbGciOiJFUzI1NiJ9.e30."])
    func noTokens(text: String) async throws {
        let keys = try set([SigningKey(kid: "1")])
        await #expect(throws: TokenFault.self) { try await keys.verify(text) }
    }

    private func set(_ keys: [SigningKey]) throws -> OpenIDKeySet {
        let json = #"{"keys":[{"kty":"oct","k":"AA"},\#(keys.map(\.published).joined(separator: ","))]}"#
        return try JSONDecoder().decode(OpenIDKeySet.self, from: Data(json.utf8))
    }
}
