// Accounts of people whom the identity provider vouches for.

import Access
import Foundation
import Logging
import Records
import Testing

@Suite final class OpenIDAccountsTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "phim-oidc-\(UUID().uuidString)")
    private let access: AccessControl

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let records = try RecordStore(path: folder.appending(path: "records.sqlite").path)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        access = AccessControl(
            records: records, audit: AuditTrail(records: records, anchor: nil, logger: logger), logger: logger)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    private func identity(
        _ subject: String = "u-1", name: String = "hoa", roles: Set<Role> = [.radiologist], from issuer: String = issuer
    ) -> OpenIDIdentity {
        OpenIDIdentity(issuer: issuer, subject: subject, name: name, roles: roles)
    }

    @Test("Issuer and subject are the person; the name is not")
    func matching() throws {
        #expect(try access.signIn(identity: identity(), from: "a").account == "hoa")
        #expect(try access.signIn(identity: identity(name: "mai"), from: "a").account == "hoa")
        #expect(try access.signIn(identity: identity("u-2"), from: "a").account == "hoa@id.example.org")
        let third = try access.signIn(identity: identity("u-3"), from: "a").account
        #expect(third.hasPrefix("hoa ") && third.count == 16)
        let elsewhere = try access.signIn(identity: identity(from: "https://other.example"), from: "a").account
        #expect(elsewhere == "hoa@other.example")
        #expect(try access.accounts().count == 4)
    }

    @Test("A local account is never taken over, whatever the case of its name")
    func local() throws {
        try access.addAccount(
            name: "Hoa", roles: [.administrator], password: "a long password here", mustChangePassword: false,
            by: Author(operator: "test"))
        let session = try access.signIn(identity: identity(), from: "a")
        #expect(session.account == "hoa@id.example.org")
        #expect(session.roles == [.radiologist])
        #expect(try access.account(named: "Hoa").issuer == nil)
    }

    @Test("Roles are what the provider says now; none is no way in, and takes the old ones")
    func roles() throws {
        let first = try access.signIn(identity: identity(), from: "a")
        #expect(first.roles == [.radiologist])
        #expect(try access.signIn(identity: identity(roles: [.technician]), from: "a").roles == [.technician])
        #expect(try access.caller(presenting: .session(first.secret), from: "a")?.roles == [.technician])
        #expect(throws: OpenIDFailure.noRole) { try access.signIn(identity: identity(roles: []), from: "a") }
        #expect(try access.account(named: "hoa").roles == [])
        #expect(try access.caller(presenting: .session(first.secret), from: "a")?.rights == [])
        let trail = try access.audit.find(AuditSearch()).map(\.entry.detail)
        #expect(trail.contains("account hoa: roles technician, says the identity provider"))
    }

    @Test("A disabled account stays out, and its tokens with it")
    func disabled() throws {
        _ = try access.signIn(identity: identity(), from: "a")
        try access.setDisabled(true, of: "hoa", by: Author(operator: "test"))
        #expect(throws: OpenIDFailure.disabled) { try access.signIn(identity: identity(), from: "a") }
        let bearer = OpenIDBearer(identity: identity(), expiresAt: .max, isNew: true)
        #expect(throws: OpenIDFailure.disabled) {
            try access.caller(bearer: bearer, presenting: .token("t"), from: "a")
        }
    }

    @Test("An access token acts with the roles that it brings, and does not change the account's")
    func bearers() throws {
        _ = try access.signIn(identity: identity(), from: "a")
        let bearer = OpenIDBearer(identity: identity(roles: [.referringPhysician]), expiresAt: .max, isNew: true)
        let caller = try access.caller(bearer: bearer, presenting: .token("t"), from: "a")
        #expect(caller.roles == [.referringPhysician])
        #expect(caller.scope == .only([]))
        #expect(caller.session == nil)
        #expect(try access.account(named: "hoa").roles == ["radiologist"])
        #expect(access.knownCaller(presenting: .token("t"), from: "b")?.address == "b")
        let past = OpenIDBearer(identity: identity(), expiresAt: 1, isNew: false)
        _ = try access.caller(bearer: past, presenting: .token("u"), from: "a")
        #expect(access.knownCaller(presenting: .token("u"), from: "a") == nil)
    }

    @Test("Failures at the provider count against an address; tokens that ran out do not")
    func attempts() throws {
        for _ in 0..<access.policy.failuresPerAddress {
            access.noteFailure(.token(.expired), from: "192.0.2.1", isAttempt: false)
            access.noteFailure(.providerAway("x"), from: "192.0.2.1", isAttempt: true)
        }
        try access.checkAttempts(from: "192.0.2.1")
        for _ in 0..<access.policy.failuresPerAddress {
            access.noteFailure(.wrongState, from: "192.0.2.1", isAttempt: true)
        }
        #expect(throws: OpenIDFailure.self) { try access.checkAttempts(from: "192.0.2.1") }
        try access.checkAttempts(from: "192.0.2.2")
    }
}
