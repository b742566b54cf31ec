// The trail: what is gathered, what survives, and what shows when somebody changes it.

import Access
import Foundation
import GRDB
import Logging
import Records
import Testing

@Suite("Audit trail")
struct AuditTests {
    private func read(_ study: String, _ credential: Credential = .token(1), _ detail: String = "") -> AuditEvent {
        AuditEvent(
            .read, account: "lan", credential: credential, address: "192.0.2.1", studyInstanceUID: study, detail: detail
        )
    }

    @Test("a thousand reads of one study are written once at once, and once with their count") func gathered() throws {
        let desk = try Desk()
        for number in 0..<1_000 { desk.audit.note(read("1.2", .token(1), "frame \(number)")) }
        desk.audit.note(read("1.2", .token(2)))
        desk.audit.note(read("1.3"))
        let rows = try desk.trail(.read)
        #expect(rows.map(\.entry.count) == [1, 1, 1, 999])
        #expect(rows.reduce(0) { $0 + $1.entry.count } == 1_002)
        #expect(rows.last?.entry.studyInstanceUID == "1.2" && rows.last?.entry.credential == "token 1")
    }

    @Test("a window closes by itself, and the next event opens another") func windows() throws {
        let desk = try Desk()
        desk.audit.note(read("1.2"))
        desk.pass(seconds: 10)
        desk.audit.note(read("1.2"))
        desk.pass(seconds: 20)
        desk.audit.note(read("1.2"))
        desk.pass(seconds: 31)
        desk.audit.sweep()
        desk.audit.note(read("1.2"))
        let rows = try desk.trail(.read)
        #expect(rows.map(\.entry.count) == [1, 2, 1])
        #expect(rows[1].entry.until - rows[1].entry.at == 20_000_000)
    }

    @Test("deletions and sign-ins are never gathered") func single() throws {
        let desk = try Desk()
        for kind in [AuditEvent.Kind.delete, .signIn, .signOut, .share, .administer] {
            for _ in 0..<3 { desk.audit.note(AuditEvent(kind, account: "a", credential: nil, address: "")) }
            #expect(try desk.trail(kind).map(\.entry.count) == [1, 1, 1])
        }
    }

    @Test("changes to accounts are in the trail before they are made") func changes() async throws {
        let desk = try Desk()
        try desk.add("root", .administrator)
        try desk.add("lan", .radiologist)
        try desk.access.setRoles([.technician], of: "lan", by: .test)
        try desk.access.grant(study: "1.2", to: "lan", expiresAt: nil, by: .test)
        _ = try await desk.signIn("lan")
        let rows = try desk.trail().map { "\($0.entry.kind): \($0.entry.detail)" }
        #expect(
            rows == [
                "administer: account root added: administrator", "administer: account lan added: radiologist",
                "administer: account lan: roles technician", "share: granted to account lan", "signIn: password",
            ])
    }

    /// A trail of twenty rows, tampered with.
    private func verification(_ tamper: String, heads: [AuditHead] = []) throws -> AuditVerification {
        let desk = try Desk()
        for number in 0..<20 { desk.audit.note(read("1.\(number)")) }
        desk.audit.flush()
        #expect(try desk.audit.verify().flaws.isEmpty)
        #expect(try desk.audit.verify().rows == 20)
        try DatabaseQueue(path: desk.database).write { db in try db.execute(sql: tamper) }
        return try desk.audit.verify(heads: heads)
    }

    @Test(
        "editing, deleting, inserting and reordering show",
        arguments: [
            "UPDATE audit SET account = 'minh' WHERE number = 7",
            "UPDATE audit SET at = at + 1 WHERE number = 7",
            "UPDATE audit SET until = until + 1 WHERE number = 7",
            "UPDATE audit SET count = 2 WHERE number = 7",
            "UPDATE audit SET kind = 'search' WHERE number = 7",
            "UPDATE audit SET credential = '' WHERE number = 7",
            "UPDATE audit SET address = '192.0.2.2' WHERE number = 7",
            "UPDATE audit SET studyInstanceUID = NULL WHERE number = 7",
            "UPDATE audit SET studyInstanceUID = '' WHERE number = 7",
            "UPDATE audit SET detail = 'x' WHERE number = 7",
            "UPDATE audit SET account = 'lantoken', credential = ' 1' WHERE number = 7",
            "UPDATE audit SET digest = zeroblob(32) WHERE number = 7",
            "DELETE FROM audit WHERE number = 1",
            "DELETE FROM audit WHERE number = 7",
            "DELETE FROM audit WHERE number = 20",
            "DELETE FROM audit WHERE number > 5",
            "DELETE FROM audit",
            """
            UPDATE audit SET number = 100 WHERE number = 7; UPDATE audit SET number = 7 WHERE number = 8;
            UPDATE audit SET number = 8 WHERE number = 100
            """,
            """
            INSERT INTO audit SELECT 21, at, until, count, kind, account, credential, address, studyInstanceUID, detail,
            digest FROM audit WHERE number = 20
            """,
            """
            DELETE FROM audit WHERE number = 7;
            UPDATE audit SET number = -number WHERE number > 7; UPDATE audit SET number = -number - 1 WHERE number < 0
            """,
        ])
    func tampering(sql: String) throws { #expect(!(try verification(sql).flaws.isEmpty)) }

    @Test("an untouched trail is whole, also where it goes on while it is read") func untouched() throws {
        #expect(try verification("UPDATE audit SET count = count").flaws.isEmpty)
    }

    @Test("who noted the head sees a chain that was made anew") func rewritten() throws {
        let desk = try Desk()
        for number in 0..<5 { desk.audit.note(read("1.\(number)")) }
        desk.audit.flush()
        let head = try #require(try desk.records.auditHead())
        #expect(AuditHead(head.description) == head)
        desk.audit.note(read("1.99"))
        desk.audit.flush()
        #expect(try desk.audit.verify(heads: [head]).flaws.isEmpty)
        // An intruder with the whole folder in hand: other rows, a sound chain, and its head beside it.
        try DatabaseQueue(path: desk.database).write { try $0.execute(sql: "DELETE FROM audit") }
        for number in 0..<6 { desk.audit.note(read("2.\(number)")) }
        desk.audit.flush()
        #expect(try desk.audit.verify().flaws.isEmpty)
        #expect(try desk.audit.verify(heads: [head]).flaws.count == 1)
    }

    /// Thirty rows a month apart, those older than two years cut.
    private func cut(_ tamper: String = "UPDATE audit SET count = count", heads: [Int] = []) throws -> AuditVerification
    {
        let desk = try Desk()
        var noted: [AuditHead] = []
        for number in 1...30 {
            desk.audit.note(read("1.\(number)"))
            desk.audit.flush()
            noted.append(try #require(try desk.records.auditHead()))
            desk.pass(seconds: 31 * 86_400)
        }
        #expect(try desk.audit.cut(keepingMonths: 24) == 1)
        #expect(try desk.audit.cut(keepingMonths: 24) == 0)
        try DatabaseQueue(path: desk.database).write { db in try db.execute(sql: tamper) }
        return try desk.audit.verify(heads: heads.map { noted[$0 - 1] })
    }

    @Test("what is older than the time of keeping is cut; the rest is a sound chain that says so") func kept() throws {
        let found = try cut(heads: [3, 6, 7, 8, 30])
        #expect(found.flaws.isEmpty)
        let last = try #require(found.cut)
        #expect((5...8).contains(last.number))
        // Those that stay, and the one that seals the cut.
        #expect(found.rows == 31 - last.number && found.head?.number == 31)
    }

    @Test(
        "a cut is no way to take rows out",
        arguments: [
            "DELETE FROM audit WHERE number = (SELECT min(number) FROM audit)",
            "DELETE FROM audit WHERE number < 20", "DELETE FROM audit WHERE number = 20",
            "DELETE FROM audit WHERE kind = 'cut'",
            "UPDATE audit SET detail = '19:' || hex(zeroblob(32)) WHERE kind = 'cut'",
            """
            DELETE FROM audit WHERE number < 20;
            UPDATE audit SET detail = (SELECT '19:' || lower(hex(digest)) FROM audit WHERE number = 20) WHERE kind = 'cut'
            """,
            "INSERT INTO audit SELECT 1, at, until, count, kind, account, credential, address, studyInstanceUID, detail, "
                + "digest FROM audit WHERE number = 20",
        ])
    func cutting(sql: String) throws { #expect(!(try cut(sql).flaws.isEmpty)) }

    @Test("the newest row is never cut, so that numbers go on") func newest() throws {
        let desk = try Desk()
        #expect(try desk.audit.cut(keepingMonths: 1) == 0)
        desk.audit.note(read("1.1"))
        desk.audit.flush()
        desk.pass(seconds: 86_400 * 4_000)
        #expect(try desk.audit.cut(keepingMonths: 1) == 0)
        #expect(try desk.audit.verify().rows == 1)
    }

    @Test("what a stranger makes long is cut before it waits") func long() throws {
        let desk = try Desk()
        let text = String(repeating: "9", count: 30_000)
        let event = AuditEvent(
            .refused, account: text, credential: nil, address: text, studyInstanceUID: text, detail: text)
        #expect(
            [event.account, event.address, event.studyInstanceUID ?? "", event.detail].allSatisfy {
                $0.utf8.count <= 300
            })
        desk.audit.note(event)
        #expect(try desk.trail().count == 1)
    }

    @Test("several connections, as processes have, append to one chain") func shared() async throws {
        let desk = try Desk()
        let path = desk.database
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask {
                    let records = try RecordStore(path: path)
                    let trail = AuditTrail(records: records, anchor: desk.folder + "/audit.head", logger: logger)
                    for number in 0..<50 {
                        trail.note(self.read("\(writer).\(number)"))
                        if number % 10 == 0 { try trail.record(self.read("9.\(writer).\(number)")) }
                    }
                    trail.flush()
                    try records.close()
                }
            }
            try await group.waitForAll()
        }
        let found = try desk.audit.verify()
        #expect(found.flaws.isEmpty)
        #expect(found.rows == 4 * 55)
    }

    @Test("a trail that cannot be written holds what it can, then accepts no more, and recovers") func failClosed()
        throws
    {
        var limits = AuditTrail.Limits()
        limits.backlog = 10
        let desk = try Desk(limits: limits)
        try DatabaseQueue(path: desk.database).write { db in
            try db.execute(sql: "CREATE TRIGGER stuck BEFORE INSERT ON audit BEGIN SELECT RAISE(FAIL, 'stuck'); END")
        }
        for number in 0..<9 { desk.audit.note(read("1.\(number)")) }
        #expect(!desk.audit.flush())
        #expect(desk.audit.isFailing && desk.audit.isAccepting)
        for number in 9..<50 { desk.audit.note(read("1.\(number)")) }
        #expect(!desk.audit.isAccepting)
        #expect(throws: AccessFailure.self) { try desk.add("lan", .radiologist) }
        #expect(try desk.access.accounts().isEmpty, "what cannot be told is not done")
        try DatabaseQueue(path: desk.database).write { try $0.execute(sql: "DROP TRIGGER stuck") }
        #expect(desk.audit.flush())
        #expect(desk.audit.isAccepting && !desk.audit.isFailing)
        let rows = try desk.trail()
        #expect(rows.count == 21 && rows.last?.entry.detail == "events not kept: 30")
        #expect(try desk.audit.verify().flaws.isEmpty)
    }
}
