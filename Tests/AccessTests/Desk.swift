// What the tests of access share: records in a folder of their own, a clock that tests move, cheap passwords.

import Access
import Foundation
import Logging
import Records
import Synchronization

/// Access over fresh records. The folder goes when the desk does.
final class Desk: Sendable {
    let folder: String
    let records: RecordStore
    let audit: AuditTrail
    let access: AccessControl

    /// A cost that makes tests quick; the parameters are kept with each hash.
    static var cheap: PasswordCost {
        var cost = PasswordCost()
        cost.rounds = 16
        cost.parallelism = 1
        return cost
    }

    init(_ change: (inout AccessPolicy) -> Void = { _ in }, limits: AuditTrail.Limits = .init()) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("phim-access-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let clock = Clock()
        records = try RecordStore(path: folder + "/records.sqlite") { clock.now }
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        audit = AuditTrail(records: records, anchor: folder + "/audit.head", limits: limits, logger: logger)
        var policy = AccessPolicy()
        policy.passwordCost = Self.cheap
        change(&policy)
        access = AccessControl(records: records, audit: audit, policy: policy, logger: logger)
        self.clock = clock
    }

    deinit {
        audit.flush()
        try? records.close()
        try? FileManager.default.removeItem(atPath: folder)
    }

    private let clock: Clock

    func pass(seconds: Int64) { clock.pass(seconds * 1_000_000) }

    var database: String { folder + "/records.sqlite" }

    static let password = "correct horse battery"

    @discardableResult
    func add(_ name: String, _ roles: Role...) throws -> AccountRecord {
        try access.addAccount(
            name: name, roles: Set(roles), password: Self.password, mustChangePassword: false, by: .test)
    }

    func signIn(_ name: String, _ password: String = Desk.password, from address: String = "192.0.2.1") async throws
        -> NewSession
    {
        try await access.signIn(name: name, password: password, from: address)
    }

    /// Past the cache, as another process would see it.
    func caller(session secret: String) throws -> Caller? {
        try access.caller(presenting: .session(secret), from: "192.0.2.1")
    }

    func caller(token secret: String) throws -> Caller? {
        try access.caller(presenting: .token(secret), from: "192.0.2.1")
    }

    func token(_ account: String, _ roles: Set<Role>? = nil, seconds: Int64? = nil) throws -> NewToken {
        try access.issueToken(
            account: account, label: "test", roles: roles, expiresAt: seconds.map { records.now() + $0 * 1_000_000 },
            by: .test)
    }

    func trail(_ kind: AuditEvent.Kind? = nil) throws -> [AuditRow] {
        audit.flush()
        var search = AuditSearch()
        search.kind = kind?.rawValue
        search.limit = 100_000
        return try audit.find(search).reversed()
    }
}

/// Microseconds since 1970 that pass when a test says so.
final class Clock: Sendable {
    private let time = Atomic<Int64>(1_800_000_000_000_000)

    var now: Int64 { time.load(ordering: .relaxed) }

    func pass(_ microseconds: Int64) { time.add(microseconds, ordering: .relaxed) }
}

extension Author {
    static var test: Author { Author(operator: "test") }
}
