// Passwords, lock-out, limits by address, and sessions that end.

import Access
import Foundation
import Records
import Testing

@Suite("Signing in")
struct SignInTests {
    @Test("a password opens a session, another does not") func password() async throws {
        let desk = try Desk()
        try desk.add("lan", .radiologist)
        let session = try await desk.signIn("LAN")
        let caller = try #require(try desk.caller(session: session.secret))
        #expect(caller.account == "lan" && caller.roles == [.radiologist] && caller.scope == .all)
        for (name, password) in [("lan", "wrong"), ("lan", ""), ("nobody", Desk.password), ("", "")] {
            await #expect(throws: AccessFailure.wrongCredentials) { try await desk.signIn(name, password) }
        }
        #expect(try desk.caller(session: "wrong") == nil)
        #expect(try desk.caller(token: session.secret) == nil)
    }

    @Test("a name is typed with marks composed or not") func normalization() async throws {
        let desk = try Desk()
        let composed = "Nguyễn Thị Ánh 1"
        try desk.access.addAccount(
            name: "anh", roles: [.technician], password: composed, mustChangePassword: false, by: .test)
        _ = try await desk.signIn("anh", composed.decomposedStringWithCanonicalMapping)
    }

    @Test("what is kept is no password and no secret") func nothingKept() async throws {
        let desk = try Desk()
        try desk.add("lan", .radiologist)
        let session = try await desk.signIn("lan")
        let token = try desk.token("lan")
        desk.audit.flush()
        for name in try FileManager.default.contentsOfDirectory(atPath: desk.folder) {
            let bytes = try Data(contentsOf: URL(fileURLWithPath: desk.folder + "/" + name))
            for secret in [Desk.password, session.secret, token.secret] {
                #expect(bytes.range(of: Data(secret.utf8)) == nil, "\(name)")
            }
        }
    }

    @Test("scrypt gives what RFC 7914 says", arguments: [(16, 1, 1), (1024, 8, 16)])
    func vectors(rounds: Int, blockSize: Int, parallelism: Int) {
        // RFC 7914 Section 12, the first 32 bytes of each vector.
        let (password, salt, hex) =
            rounds == 16
            ? ("", "", "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442")
            : ("password", "NaCl", "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162")
        let hash = stride(from: 0, to: 64, by: 2).map {
            UInt8(Array(hex)[$0..<$0 + 2].map(String.init).joined(), radix: 16)!
        }
        let record = PasswordRecord(
            hash: hash, salt: Array(salt.utf8), rounds: rounds, blockSize: blockSize, parallelism: parallelism)
        #expect(record.matches(password))
        #expect(!record.matches(password + "x"))
    }

    @Test("a hash of another cost is renewed at the next sign-in") func renewal() async throws {
        let desk = try Desk()
        let account = try desk.add("lan", .radiologist)
        let old = PasswordRecord.make(Desk.password, cost: Desk.cheap)
        try desk.records.renewPassword(
            PasswordRecord.make(
                Desk.password,
                cost: {
                    var cost = Desk.cheap; cost.rounds = 4; return cost
                }()),
            account: account.id)
        _ = try await desk.signIn("lan")
        #expect(try desk.records.account(id: account.id)?.password?.rounds == old.rounds)
        _ = try await desk.signIn("lan")
    }

    @Test("wrong passwords in a row lock the account for a while, also for the right one") func lockOut() async throws {
        let desk = try Desk { $0.lockOutAfter = 3 }
        try desk.add("lan", .radiologist)
        try desk.add("minh", .radiologist)
        for _ in 0..<2 { _ = try? await desk.signIn("lan", "wrong") }
        _ = try await desk.signIn("lan")  // a right one in between starts the count anew
        for _ in 0..<3 { _ = try? await desk.signIn("lan", "wrong") }
        await #expect(throws: AccessFailure.wrongCredentials) { try await desk.signIn("lan") }
        _ = try await desk.signIn("minh")
        desk.pass(seconds: Int64(desk.access.policy.lockOutTime) - 1)
        await #expect(throws: AccessFailure.wrongCredentials) { try await desk.signIn("lan") }
        desk.pass(seconds: 2)
        _ = try await desk.signIn("lan")
        #expect(try desk.trail(.refused).contains { $0.entry.detail.contains("locked now") })
    }

    @Test("an administrator unlocks at once") func unlocking() async throws {
        let desk = try Desk { $0.lockOutAfter = 1 }
        try desk.add("lan", .radiologist)
        _ = try? await desk.signIn("lan", "wrong")
        await #expect(throws: AccessFailure.wrongCredentials) { try await desk.signIn("lan") }
        try desk.access.setDisabled(false, of: "lan", by: .test)
        _ = try await desk.signIn("lan")
    }

    @Test("one address that fails too often waits, whatever names it tries; others do not") func byAddress()
        async throws
    {
        let desk = try Desk {
            $0.failuresPerAddress = 5
            $0.lockOutAfter = 100
        }
        try desk.add("lan", .radiologist)
        for number in 0..<5 { _ = try? await desk.signIn("name\(number)", "x", from: "2001:db8:1:2::\(number)") }
        do {
            _ = try await desk.signIn("lan", from: "2001:db8:1:2:ffff::9")
            Issue.record("let in")
        } catch AccessFailure.tooMany(let seconds) { #expect((1...601).contains(seconds)) }
        _ = try await desk.signIn("lan", from: "2001:db8:1:3::1")
        _ = try await desk.signIn("lan", from: "192.0.2.7")
        desk.pass(seconds: Int64(desk.access.policy.failureWindow) + 1)
        _ = try await desk.signIn("lan", from: "2001:db8:1:2::1")
    }

    @Test("names that do not exist are not written down: people type passwords there") func namesUntold() async throws {
        let desk = try Desk()
        _ = try? await desk.signIn("secret-typed-as-name", "x")
        let row = try #require(try desk.trail(.refused).last)
        #expect(row.entry.account.isEmpty && !row.entry.detail.contains("secret"))
    }

    @Test("a session ends when it is not used, and after its life in any case") func sessionEnds() async throws {
        let desk = try Desk {
            $0.idleTimeout = 100
            $0.sessionLifetime = 1_000
        }
        try desk.add("lan", .radiologist)
        let idle = try await desk.signIn("lan")
        let busy = try await desk.signIn("lan")
        for _ in 0..<11 {
            desk.pass(seconds: 90)
            #expect(try desk.caller(session: busy.secret) != nil)
        }
        #expect(try desk.caller(session: idle.secret) == nil)
        desk.pass(seconds: 11)
        #expect(try desk.caller(session: busy.secret) == nil)
    }

    @Test("use that only the cache saw counts as use") func cachedUse() async throws {
        let desk = try Desk {
            $0.idleTimeout = 100
            $0.trust = 1_000
        }
        try desk.add("lan", .radiologist)
        let session = try await desk.signIn("lan")
        _ = try desk.caller(session: session.secret)
        for _ in 0..<5 {
            desk.pass(seconds: 90)
            #expect(desk.access.knownCaller(presenting: .session(session.secret), from: "") != nil)
        }
        desk.pass(seconds: 101)
        #expect(desk.access.knownCaller(presenting: .session(session.secret), from: "") == nil)
    }

    @Test("what is verified is believed for a moment only, and a cookie is no token") func trust() async throws {
        let desk = try Desk()
        try desk.add("lan", .radiologist)
        let session = try await desk.signIn("lan")
        #expect(desk.access.knownCaller(presenting: .session(session.secret), from: "") == nil)
        _ = try desk.caller(session: session.secret)
        #expect(desk.access.knownCaller(presenting: .session(session.secret), from: "") != nil)
        #expect(desk.access.knownCaller(presenting: .token(session.secret), from: "") == nil)
        desk.pass(seconds: Int64(desk.access.policy.trust) + 1)
        #expect(desk.access.knownCaller(presenting: .session(session.secret), from: "") == nil)
    }

    @Test("signing out, disabling, a new password and removal end sessions") func endings() async throws {
        let desk = try Desk()
        try desk.add("root", .administrator)
        try desk.add("lan", .radiologist)
        let first = try await desk.signIn("lan")
        try desk.access.signOut(try #require(try desk.caller(session: first.secret)))
        #expect(try desk.caller(session: first.secret) == nil)
        let second = try await desk.signIn("lan")
        try desk.access.setPassword("another password", mustChange: true, of: "lan", by: .test)
        #expect(try desk.caller(session: second.secret) == nil)
        let third = try await desk.signIn("lan", "another password")
        #expect(try desk.caller(session: third.secret)?.mustChangePassword == true)
        let token = try desk.token("lan")
        try desk.access.setDisabled(true, of: "lan", by: .test)
        #expect(try desk.caller(session: third.secret) == nil)
        #expect(try desk.caller(token: token.secret) == nil)
        await #expect(throws: AccessFailure.wrongCredentials) { try await desk.signIn("lan", "another password") }
        try desk.access.setDisabled(false, of: "lan", by: .test)
        #expect(try desk.caller(token: token.secret) != nil)
        try desk.access.removeAccount("lan", by: .test)
        #expect(try desk.caller(token: token.secret) == nil)
    }

    @Test("changing one's password keeps this session and ends the others") func changing() async throws {
        let desk = try Desk()
        try desk.add("lan", .radiologist)
        let here = try await desk.signIn("lan")
        let elsewhere = try await desk.signIn("lan")
        let caller = try #require(try desk.caller(session: here.secret))
        await #expect(throws: AccessFailure.wrongCredentials) {
            try await desk.access.changePassword(of: caller, from: "wrong", to: "a new password")
        }
        for bad in ["short", "aaaaaaaaaaaa", Desk.password] {
            await #expect(throws: AccessFailure.self) {
                try await desk.access.changePassword(of: caller, from: Desk.password, to: bad)
            }
        }
        try await desk.access.changePassword(of: caller, from: Desk.password, to: "a new password")
        #expect(try desk.caller(session: here.secret) != nil)
        #expect(try desk.caller(session: elsewhere.secret) == nil)
        _ = try await desk.signIn("lan", "a new password")
    }

    @Test("the last administrator stays") func lastAdministrator() throws {
        let desk = try Desk()
        let password = try #require(try desk.access.makeFirstAccount())
        #expect(password.count == 23)
        #expect(try desk.access.makeFirstAccount() == nil)
        let name = AccessControl.firstAccount
        #expect(throws: AccessFailure.lastAdministrator) { try desk.access.setDisabled(true, of: name, by: .test) }
        #expect(throws: AccessFailure.lastAdministrator) {
            try desk.access.setRoles([.technician], of: name, by: .test)
        }
        #expect(throws: AccessFailure.lastAdministrator) { try desk.access.removeAccount(name, by: .test) }
        try desk.add("second", .administrator)
        try desk.access.removeAccount(name, by: .test)
    }
}
