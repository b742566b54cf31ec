// Storage commitments that were asked for, kept until the one who asked has acknowledged the report (PS3.4 Annex J).

import Foundation
import GRDB

/// One transaction of storage commitment.
package struct CommitmentRecord: Hashable, Sendable {
    package let id: Int64
    /// AE title of who asked.
    package let aeTitle: String
    /// Name of the peer that asked; empty where it was none, or is not known.
    package let peer: String
    package let transactionUID: String
    /// The request's data set, Explicit VR Little Endian.
    package let request: [UInt8]
    /// The report's data set, Explicit VR Little Endian; nil until every instance was looked at.
    package let report: [UInt8]?
    /// Times that the report was sent in vain.
    package let attempts: Int
    package let requestedAt: Int64
    /// When it is due, microseconds since 1970.
    package let nextAt: Int64
    /// Why it could not be reported the last time.
    package let failure: String
    package let acknowledgedAt: Int64?

    init(_ row: Row) {
        id = row["id"]
        aeTitle = row["aeTitle"]
        peer = row["peer"]
        transactionUID = row["transactionUID"]
        request = [UInt8](row["request"] as Data)
        report = (row["report"] as Data?).map { [UInt8]($0) }
        attempts = row["attempts"]
        requestedAt = row["requestedAt"]
        nextAt = row["nextAt"]
        failure = row["failure"]
        acknowledgedAt = row["acknowledgedAt"]
    }
}

extension RecordStore {
    static let v0006Commitment = """
        -- Since v0006: storage commitments that were asked for, and what became of their reports.
        CREATE TABLE commitment (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            aeTitle TEXT NOT NULL, transactionUID TEXT NOT NULL,
            request BLOB NOT NULL, report BLOB,
            attempts INTEGER NOT NULL DEFAULT 0, failure TEXT NOT NULL DEFAULT '',
            requestedAt INTEGER NOT NULL, nextAt INTEGER NOT NULL, acknowledgedAt INTEGER,
            UNIQUE (aeTitle, transactionUID)
        );
        CREATE INDEX commitment_due ON commitment (nextAt) WHERE acknowledgedAt IS NULL;
        """

    static let v0013CommitmentPeer = """
        -- Since v0013: the peer that asked: several may have one title. Empty: it was none.
        ALTER TABLE commitment ADD COLUMN peer TEXT NOT NULL DEFAULT '';
        """

    /// Keeps a request, due at `nextAt`. The same transaction asked for again begins anew.
    package func addCommitment(
        aeTitle: String, peer: String, transactionUID: String, request: [UInt8], nextAt: Int64
    ) throws(RecordsError) -> CommitmentRecord {
        try write { db in
            let insert = """
                INSERT INTO commitment (aeTitle, peer, transactionUID, request, requestedAt, nextAt)
                VALUES (?, ?, ?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET peer = excluded.peer, request = excluded.request, report = NULL, attempts = 0,
                    failure = '', requestedAt = excluded.requestedAt, nextAt = excluded.nextAt, acknowledgedAt = NULL
                RETURNING *
                """
            let row = try Row.fetchOne(
                db, sql: insert, arguments: [aeTitle, peer, transactionUID, Data(request), now(), nextAt])
            guard let row else { throw RecordsError.notFound }
            return CommitmentRecord(row)
        }
    }

    /// What the report says, and when it is to be sent.
    package func setReport(_ report: [UInt8], ofCommitment id: Int64, nextAt: Int64) throws(RecordsError) {
        try write { db in
            try db.execute(
                sql: "UPDATE commitment SET report = ?, nextAt = ? WHERE id = ?", arguments: [Data(report), nextAt, id])
        }
    }

    package func setAcknowledged(commitment id: Int64) throws(RecordsError) {
        try write { db in
            try db.execute(
                sql: "UPDATE commitment SET acknowledgedAt = ?, failure = '' WHERE id = ?", arguments: [now(), id])
        }
    }

    /// The report did not arrive; it is sent again at `nextAt`.
    package func setUnreported(commitment id: Int64, failure: String, nextAt: Int64) throws(RecordsError) {
        try write { db in
            try db.execute(
                sql: "UPDATE commitment SET attempts = attempts + 1, failure = ?, nextAt = ? WHERE id = ?",
                arguments: [failure, nextAt, id])
        }
    }

    /// No report reached this peer, or who calls itself so: whatever is due there waits, the longer the more often that was, each for
    /// itself between the two, doubling, in microseconds.
    package func setUnreported(
        commitmentsOf aeTitle: String, peer: String, failure: String, delays: ClosedRange<Int64>
    ) throws(RecordsError) {
        try write { db in
            let update = """
                UPDATE commitment SET attempts = attempts + 1, failure = ?2,
                    nextAt = ?3 + CAST(min(?5, ?4 << min(attempts, 20)) * (1 + abs(random() % 1000) / 5000.0) AS INTEGER)
                WHERE aeTitle = ?1 AND peer = ?6 AND acknowledgedAt IS NULL AND nextAt <= ?3
                """
            try db.execute(
                sql: update, arguments: [aeTitle, failure, now(), delays.lowerBound, delays.upperBound, peer])
        }
    }

    /// Whatever nobody has acknowledged is due now: for a start, when who was at it is gone.
    package func hastenCommitments() throws(RecordsError) {
        try write { db in
            try db.execute(
                sql: "UPDATE commitment SET nextAt = ?1 WHERE acknowledgedAt IS NULL AND requestedAt > ?1 - ?2",
                arguments: [now(), Self.commitmentPatience])
        }
    }

    /// How long a report is sent again: 30 days from the request, in microseconds. Then it is left to people.
    package static let commitmentPatience: Int64 = 30 * 86_400_000_000

    /// Commitments whose time has come, the longest due first.
    package func dueCommitments(limit: Int) throws(RecordsError) -> [CommitmentRecord] {
        try read { db in
            let select = """
                SELECT * FROM commitment WHERE acknowledgedAt IS NULL AND nextAt <= ?1 AND requestedAt > ?1 - ?2
                ORDER BY nextAt LIMIT ?3
                """
            return try Row.fetchAll(
                db, sql: select, arguments: [now(), Self.commitmentPatience, limit]
            ).map(CommitmentRecord.init)
        }
    }

    package func isOpen(commitment id: Int64) throws(RecordsError) -> Bool {
        try read { db in
            let select = "SELECT 1 FROM commitment WHERE id = ? AND acknowledgedAt IS NULL"
            return try Row.fetchOne(db, sql: select, arguments: [id]) != nil
        }
    }

    /// Commitments, the newest first; only those that are not acknowledged where `isOpen`.
    package func commitments(isOpen: Bool, limit: Int) throws(RecordsError) -> [CommitmentRecord] {
        try read { db in
            let condition = isOpen ? "WHERE acknowledgedAt IS NULL" : ""
            return try Row.fetchAll(
                db, sql: "SELECT * FROM commitment \(condition) ORDER BY id DESC LIMIT ?", arguments: [limit]
            ).map(CommitmentRecord.init)
        }
    }

    /// Forgets a commitment: its report is not sent any more.
    /// - Returns: False when there is none of that number.
    package func removeCommitment(_ id: Int64) throws(RecordsError) -> Bool {
        try write { db in
            try db.execute(sql: "DELETE FROM commitment WHERE id = ?", arguments: [id])
            return db.changesCount > 0
        }
    }

    /// Forgets what was acknowledged before a time; what is left to people is never due again.
    package func pruneCommitments(before time: Int64) throws(RecordsError) {
        try write { db in
            try db.execute(
                sql:
                    "UPDATE commitment SET nextAt = ?1 WHERE acknowledgedAt IS NULL AND nextAt <= ?2 AND requestedAt <= ?2 - ?3",
                arguments: [Int64.max, now(), Self.commitmentPatience])
            try db.execute(sql: "DELETE FROM commitment WHERE acknowledgedAt < ?", arguments: [time])
        }
    }
}
