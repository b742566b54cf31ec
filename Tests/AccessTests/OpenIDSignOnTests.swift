// The way to the provider and back, with a clock that stands still and a provider made of answers.

import Access
import Foundation
import Logging
import Records
import Testing

@Suite struct OpenIDSignOnTests {
    let clock = StoppedClock()
    let key = SigningKey(kid: "1")

    private func claims(_ changes: [String: ClaimValue] = [:]) -> [String: ClaimValue] {
        [
            "iss": .text(issuer), "sub": .text("u-1"), "aud": .text("phim"), "iat": .number(clock.now),
            "exp": .number(clock.now + 300), "preferred_username": .text("hoa"), "roles": .list([.text("radiology")]),
        ]
        .merging(changes) { _, new in new }
    }

    private func accessToken(_ key: SigningKey) throws -> String {
        try key.token(claims(["aud": .text("phim-api"), "exp": .number(clock.now + 3_600)]))
    }

    private func signOn(_ provider: StandInProvider) -> OpenIDSignOn {
        OpenIDSignOn(
            settings: settings(), now: { [clock] in clock.now },
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, fetch: provider.fetch)
    }

    /// The query of the way to the provider.
    private func query(_ departure: OpenIDDeparture) throws -> [String: String] {
        let items = try #require(URLComponents(string: departure.url)?.queryItems)
        return Dictionary(items.map { ($0.name, $0.value ?? "") }) { first, _ in first }
    }

    private func depart(_ signOn: OpenIDSignOn, _ provider: StandInProvider) async throws -> OpenIDReturn {
        let departure = try await signOn.depart(to: "/there", callback: "https://pacs/cb")
        let query = try query(departure)
        provider.set(token: try key.token(claims(["nonce": .text(query["nonce"] ?? "")])))
        var answer = OpenIDReturn()
        answer.code = "c"
        answer.state = query["state"]
        answer.pending = departure.pending
        return answer
    }

    @Test("The way there asks for a code with PKCE, state and nonce (RFC 7636, OpenID Connect Core 1.0)")
    func departure() async throws {
        let departure = try await signOn(StandInProvider([key])).depart(to: "/", callback: "https://pacs/cb?x=1&y")
        let query = try query(departure)
        #expect(departure.url.hasPrefix("\(issuer)/authorize?"))
        #expect(query["response_type"] == "code")
        #expect(query["client_id"] == "phim")
        #expect(query["redirect_uri"] == "https://pacs/cb?x=1&y")
        #expect(query["scope"] == "openid profile email")
        #expect(query["code_challenge_method"] == "S256")
        for name in ["state", "nonce", "code_challenge"] { #expect(query[name]?.count == 43) }
        #expect(!departure.pending.contains(query["state"] ?? "?"))
    }

    @Test("The way back tells who it is, once")
    func arrival() async throws {
        let provider = StandInProvider([key])
        let signOn = signOn(provider)
        let answer = try await depart(signOn, provider)
        let (identity, destination) = try await signOn.arrive(answer)
        #expect(identity == OpenIDIdentity(issuer: issuer, subject: "u-1", name: "hoa", roles: [.radiologist]))
        #expect(destination == "/there")
        await #expect(throws: OpenIDFailure.wrongState) { try await signOn.arrive(answer) }
    }

    @Test("A sign-in waits ten minutes, and for its own process only")
    func patience() async throws {
        let provider = StandInProvider([key])
        let signOn = signOn(provider)
        let late = try await depart(signOn, provider)
        let elsewhere = try await depart(self.signOn(provider), provider)
        await #expect(throws: OpenIDFailure.wrongState) { try await signOn.arrive(elsewhere) }
        clock.advance(601)
        await #expect(throws: OpenIDFailure.wrongState) { try await signOn.arrive(late) }
        #expect(provider.asked("token") == 0)
    }

    @Test("Keys are asked for anew when one is missing, at most once a minute")
    func rotation() async throws {
        let provider = StandInProvider([key])
        let signOn = signOn(provider)
        #expect(try await signOn.bearer(accessToken(key)) != nil)
        let next = SigningKey(kid: "2")
        provider.publish([key, next])
        for _ in 0..<5 {
            await #expect(throws: OpenIDFailure.token(.unknownKey)) { try await signOn.bearer(accessToken(next)) }
        }
        #expect(provider.asked("keys") == 1)
        clock.advance(60)
        #expect(try await signOn.bearer(accessToken(next)) != nil)
        #expect(provider.asked("keys") == 2)
    }

    @Test("Many at once ask the provider once")
    func together() async throws {
        let provider = StandInProvider([key])
        let signOn = signOn(provider)
        let token = try accessToken(key)
        try await withThrowingTaskGroup { group in
            for _ in 0..<50 { group.addTask { _ = try await signOn.bearer(token) } }
            try await group.waitForAll()
        }
        #expect(provider.asked("keys") == 1)
        #expect(provider.asked("openid-configuration") == 1)
    }

    @Test("Known keys serve on while the provider is away; without any it is asked again after a pause")
    func away() async throws {
        let provider = StandInProvider([key])
        let signOn = signOn(provider)
        provider.set(away: true)
        for _ in 0..<3 {
            await #expect(throws: OpenIDFailure.providerAway("away")) { try await signOn.bearer(accessToken(key)) }
        }
        #expect(provider.asked("openid-configuration") == 1)
        provider.set(away: false)
        clock.advance(5)
        #expect(try await signOn.bearer(accessToken(key)) != nil)
        provider.set(away: true)
        clock.advance(86_400)
        #expect(try await signOn.bearer(accessToken(key)) != nil)
    }

    @Test("An access token is believed until it ends, and its signature verified again meanwhile")
    func bearers() async throws {
        let provider = StandInProvider([key])
        let signOn = signOn(provider)
        let token = try accessToken(key)
        #expect(try await signOn.bearer(token)?.isNew == true)
        #expect(try await signOn.bearer(token)?.isNew == false)
        provider.publish([SigningKey(kid: "2")])
        clock.advance(700)
        await #expect(throws: OpenIDFailure.token(.unknownKey)) { try await signOn.bearer(token) }
        provider.publish([key])
        clock.advance(61)
        #expect(try await signOn.bearer(token) != nil)
        clock.advance(3_600)
        await #expect(throws: OpenIDFailure.token(.expired)) { try await signOn.bearer(token) }
    }

    @Test(
        "A browser comes back to this archive only",
        arguments: [
            ("/", "/"), ("/ohif/?a=b#c", "/ohif/?a=b#c"), ("", "/"), ("//x", "/"), ("/\\x", "/"), ("x", "/"),
            ("https://x/", "/"), ("/a\tb", "/"), ("/a\r\nb", "/"), ("/ă", "/"), ("/a b", "/"), ("\\\\x", "/"),
            ("/" + String(repeating: "a", count: 2_048), "/"),
        ])
    func localPaths(path: String, destination: String) { #expect(LocalPath.checked(path) == destination) }

    @Test(
        "Providers are reached over https, or on this machine",
        arguments: [
            ("https://id.example.org", true), ("https://id.example.org:8443/a", true), ("http://127.0.0.1:80/a", true),
            ("http://localhost:1", true), ("http://[::1]:1", true), ("http://id.example.org", false), ("", false),
            ("https://", false), ("https://a@b/", false), ("https://b/#c", false), ("https://b/?c", false),
            ("file:///etc/passwd", false), ("http://127.0.0.1.evil.example/", false),
        ])
    func issuers(text: String, isLawful: Bool) { #expect(OpenIDSettings.isIssuer(text) == isLawful) }

    @Test("An issuer elsewhere does not lead to resources of this machine in the clear")
    func mixed() {
        #expect(!settings().allows("http://127.0.0.1/keys"))
        #expect(settings().allows("https://other.example.org/keys"))
        #expect(OpenIDSettings(issuer: "http://localhost:1", clientID: "c").allows("http://127.0.0.1:2/keys"))
    }
}
