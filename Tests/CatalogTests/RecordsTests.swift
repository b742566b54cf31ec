// Peers and knocks: what is allowed, what is unique, what is bounded.

import Foundation
import GRDB
import Records
import Synchronization
import Testing

@Suite("Peers")
struct Peers {
    @Test("a peer is kept as it was given, until it is removed")
    func roundTrip() throws {
        let scratch = try Scratch()
        let records = try scratch.records()
        let peer = try Peer(
            name: "Bạch Mai", aeTitle: "BACHMAI", host: "10.1.2.3", port: 104, characterSet: .latin1,
            maxAssociations: 4,
            priority: .stat, isSecure: true
        )
        try records.addPeer(peer)
        let other = try Peer(name: "alpha", aeTitle: "BACHMAI", host: "pacs.local", port: 11_112)
        try records.addPeer(other)
        #expect(try scratch.records().peers() == [other, peer])
        #expect(try records.peer(named: "ALPHA") == other)
        #expect(try records.peers(aeTitle: " BACHMAI ") == [peer, other])
        #expect(try records.peers(aeTitle: "bachmai").isEmpty)
        try records.removePeer(named: "Alpha")
        #expect(try records.peers() == [peer])
        #expect(throws: RecordsError.notFound) { try records.removePeer(named: "alpha") }
    }

    @Test("names differ by more than case")
    func nameTaken() throws {
        let scratch = try Scratch()
        let records = try scratch.records()
        try records.addPeer(Peer(name: "Xray", aeTitle: "A", host: "h", port: 104))
        let second = try Peer(name: "XRAY", aeTitle: "B", host: "h", port: 104)
        #expect(throws: RecordsError.nameTaken) { try records.addPeer(second) }
    }

    @Test(
        "an AE title is 1 to 16 printable ASCII characters without backslash (PS3.5 Table 6.2-1)",
        arguments: [
            ("A", true), ("STORE SCP_1", true), ("1234567890123456", true), ("12345678901234567", false), ("", false),
            ("   ", false), ("A\\B", false), ("Đ", false), ("A\tB", false),
        ])
    func titles(title: String, isLegal: Bool) {
        #expect(Peer.isAETitle(title) == isLegal)
        #expect(((try? Peer(name: "x", aeTitle: title, host: "h", port: 1)) != nil) == isLegal)
    }

    @Test(
        "each field that is wrong is named",
        arguments: [
            ("", "A", "h", 104, "name"), ("a\nb", "A", "h", 104, "name"), ("n", "A", "", 104, "host"),
            ("n", "A", "a b", 104, "host"), ("n", "A", "fe80::1", 104, "host"), ("n", "A", "h:104", 104, "host"),
            ("n", "A", "h", 0, "port"), ("n", "A", "h", 65_536, "port"),
        ])
    func fields(name: String, title: String, host: String, port: Int, field: String) {
        do {
            _ = try Peer(name: name, aeTitle: title, host: host, port: port)
            Issue.record("accepted")
        } catch .invalid(let wrong, _) {
            #expect(wrong == field)
        } catch {
            Issue.record(error)
        }
    }

    @Test("a limit is 1 or more")
    func limit() throws {
        #expect(throws: RecordsError.invalid(field: "associations", reason: "1 or more")) {
            try Peer(name: "n", aeTitle: "A", host: "h", port: 104, maxAssociations: 0)
        }
    }

    @Test("a peer that later rules would refuse stays visible, and can be removed")
    func olderRules() throws {
        let scratch = try Scratch()
        let records = try scratch.records()
        try DatabaseQueue(path: scratch.path + "/records.sqlite").write { db in
            try db.execute(
                sql: """
                    INSERT INTO peer (name, aeTitle, host, port, characterSet, addedAt)
                    VALUES ('old', 'OLD', '::1', 104, 'utf8', 0)
                    """)
        }
        #expect(try records.peers().map(\.host) == ["::1"])
        try records.removePeer(named: "old")
        #expect(try records.peers().isEmpty)
    }

    @Test("records written before peers had a priority are brought up to date")
    func beforePriorities() throws {
        let scratch = try Scratch()
        let path = scratch.path + "/records.sqlite"
        let peer = try Peer(name: "ct", aeTitle: "CT1", host: "h", port: 104)
        try scratch.records().addPeer(peer)
        var unchecked = Configuration()
        unchecked.foreignKeysEnabled = false
        try DatabaseQueue(path: path, configuration: unchecked).write { db in
            // What the first version knew: these tables, and of a peer all but its priority.
            let tables = try String.fetchAll(db, sql: "SELECT name FROM sqlite_master WHERE type = 'table'")
            for table in tables where !["peer", "knock", "decision"].contains(table) && !table.hasPrefix("sqlite_") {
                // A table of words takes its own tables with it.
                try db.execute(sql: "DROP TABLE IF EXISTS \(table)")
            }
            try db.execute(
                sql: """
                    ALTER TABLE peer DROP COLUMN priority; ALTER TABLE peer DROP COLUMN isSecure;
                    PRAGMA user_version = 1
                    """)
        }
        let records = try scratch.records()
        #expect(try records.peers() == [peer])
        let urgent = try Peer(name: "er", aeTitle: "ER", host: "h", port: 104, priority: .stat)
        try records.addPeer(urgent)
        #expect(try scratch.records().peer(named: "er") == urgent)
    }

    @Test("a priority that a later version knows leaves the peer without one")
    func laterPriority() throws {
        let scratch = try Scratch()
        let records = try scratch.records()
        try records.addPeer(Peer(name: "ct", aeTitle: "CT1", host: "h", port: 104, priority: .bulk))
        try DatabaseQueue(path: scratch.path + "/records.sqlite").write { db in
            try db.execute(sql: "UPDATE peer SET priority = 'whenever'")
        }
        #expect(try records.peers().map(\.priority) == [nil])
    }

    @Test("a file that is no database is corrupt")
    func corrupt() throws {
        let scratch = try Scratch()
        try Data(repeating: 0x41, count: 4_096).write(to: URL(fileURLWithPath: scratch.path + "/records.sqlite"))
        #expect(throws: RecordsError.corrupt) { try scratch.records() }
    }
}

@Suite("Knocks")
struct Knocks {
    @Test("the same caller, address and reason are one row with a count")
    func counted() throws {
        let scratch = try Scratch()
        let clock = Atomic<Int64>(0)
        let records = try RecordStore(path: scratch.path + "/records.sqlite") {
            clock.add(1, ordering: .relaxed).newValue
        }
        func knock(_ title: String, _ address: String, _ reason: String, _ asked: String) throws {
            try records.noteKnock(
                callingAETitle: title, calledAETitle: "PHIM", address: address, reason: reason, asked: asked)
        }
        try knock("CT1", "10.0.0.1", "unknown", "CT")
        try knock("CT2", "10.0.0.1", "unknown", "CT")
        try knock("CT1", "10.0.0.1", "unknown", "MR")
        try knock("CT1", "10.0.0.2", "unknown", "CT")
        let knocks = try records.knocks()
        #expect(knocks.map(\.count) == [1, 2, 1])
        #expect(knocks[1].asked == "MR")
        #expect(knocks[1].firstAt < knocks[1].lastAt)
    }

    @Test("what comes from outside is cut and cleaned, and the oldest rows give way")
    func bounded() throws {
        let scratch = try Scratch()
        let clock = Atomic<Int64>(0)
        let records = try RecordStore(path: scratch.path + "/records.sqlite") {
            clock.add(1, ordering: .relaxed).newValue
        }
        for index in 0..<(RecordStore.mostKnocks + 5) {
            try records.noteKnock(
                callingAETitle: "A\u{1B}[2J\(index)", calledAETitle: "PHIM", address: "10.0.0.1", reason: "unknown",
                asked: String(repeating: "x", count: 5_000))
        }
        let knocks = try records.knocks(limit: 5_000)
        #expect(knocks.count == RecordStore.mostKnocks)
        #expect(knocks.last?.callingAETitle == "A?[2J5")
        #expect(knocks.first?.asked.count == 400)
    }
}
