// What people wrote and no volume can bring back: the file of records, durable with every transaction.

import Foundation
import GRDB

/// The records of one archive. Calls block: make them on plain threads. Several processes may open the same file, so
/// that a peer added on the command line is known to the running server at its next association.
package final class RecordStore: Sendable {
    let pool: DatabasePool
    /// Microseconds since 1970.
    package let now: @Sendable () -> Int64

    /// Opens or creates the records. `now` gives microseconds since 1970.
    package init(
        path: String, now: @escaping @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970 * 1_000_000) }
    ) throws(RecordsError) {
        self.now = now
        var configuration = Configuration()
        configuration.label = "records"
        // Ten seconds in all. SQLite's own handler looks ten times a second, and seldom meets the gap between two transactions
        // of a process that writes one after the other.
        configuration.busyMode = .callback { tries in
            usleep(2_000)
            return tries < 5_000
        }
        configuration.maximumReaderCount = 5
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA synchronous = FULL")
            // SQLite's own 2 MiB hold a few thousandths of a large hospital's records.
            try db.execute(sql: "PRAGMA cache_size = -32768")
        }
        do {
            pool = try DatabasePool(path: path, configuration: configuration)
            try pool.write { db in try Self.migrate(db) }
        } catch {
            throw RecordsError(error)
        }
    }

    /// Closes every connection; later calls fail.
    package func close() throws(RecordsError) {
        do { try pool.close() } catch { throw RecordsError(error) }
    }

    func read<Value>(_ body: (Database) throws -> Value) throws(RecordsError) -> Value {
        do { return try pool.read(body) } catch { throw RecordsError(error) }
    }

    func write<Value>(_ body: (Database) throws -> Value) throws(RecordsError) -> Value {
        do { return try pool.write(body) } catch { throw RecordsError(error) }
    }

    private static func migrate(_ db: Database) throws {
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        guard version <= migrations.count else { throw RecordsError.newerSchema(version: version) }
        for (index, migration) in migrations.enumerated().dropFirst(version) {
            try db.execute(sql: migration.sql)
            try db.execute(sql: "PRAGMA user_version = \(index + 1)")
        }
    }

    /// Steps in order, forward only, never edited once released.
    private static let migrations: [(name: String, sql: String)] = [
        ("v0001_peers", v0001Peers), ("v0002_priority", v0002Priority), ("v0003_access", v0003Access),
        ("v0004_encounters", v0004Encounters), ("v0005_search", v0005Search), ("v0006_commitment", v0006Commitment),
        ("v0007_reception", v0007Reception), ("v0008_corrections", v0008Corrections), ("v0009_notices", v0009Notices),
        ("v0010_history", v0010History), ("v0011_forwarding", v0011Forwarding),
        ("v0012_peerAddress", v0012PeerAddress), ("v0013_commitmentPeer", v0013CommitmentPeer),
    ]

    private static let v0001Peers = """
        -- Since v0001: who may call and where to send, by the name people give it.
        CREATE TABLE peer (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE COLLATE NOCASE,
            aeTitle TEXT NOT NULL,
            host TEXT NOT NULL,
            port INTEGER NOT NULL,
            characterSet TEXT NOT NULL,
            maxAssociations INTEGER,
            addedAt INTEGER NOT NULL
        );
        CREATE INDEX peer_by_title ON peer (aeTitle);

        -- Since v0001: callers that were turned away, so that a technician sees who tried what. One row per caller,
        -- address and reason.
        CREATE TABLE knock (
            id INTEGER PRIMARY KEY,
            callingAETitle TEXT NOT NULL, calledAETitle TEXT NOT NULL, address TEXT NOT NULL,
            reason TEXT NOT NULL,
            asked TEXT NOT NULL,
            count INTEGER NOT NULL,
            firstAt INTEGER NOT NULL, lastAt INTEGER NOT NULL,
            UNIQUE (callingAETitle, address, reason)
        );
        CREATE INDEX knock_by_time ON knock (lastAt);

        -- Since v0001: which of several contents of one SOP Instance UID a person chose to show.
        CREATE TABLE decision (
            sopInstanceUID TEXT PRIMARY KEY,
            digest BLOB NOT NULL,
            at INTEGER NOT NULL
        );
        """

    private static let v0002Priority = """
        -- Since v0002: how urgent what a peer sends is; null when its requests say so.
        ALTER TABLE peer ADD COLUMN priority TEXT;
        """
}
