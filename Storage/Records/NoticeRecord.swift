// What others are to be told: written in the transaction of what it tells of, kept until it was taken.

import GRDB

/// One thing to tell one destination.
package struct NoticeRecord: Hashable, Sendable {
    package let id: Int64
    package let destination: String
    /// What it is about, such as `study-available`.
    package let kind: String
    /// What it is about within its kind: with destination and kind told once only.
    package let subject: String
    package let body: String
    package let createdAt: Int64
    package let dueAt: Int64
    package let attempts: Int
    package let failure: String?
    package let deliveredAt: Int64?

    init(_ row: Row) {
        id = row["id"]
        destination = row["destination"]
        kind = row["kind"]
        subject = row["subject"]
        body = row["body"]
        createdAt = row["createdAt"]
        dueAt = row["dueAt"]
        attempts = row["attempts"]
        failure = row["failure"]
        deliveredAt = row["deliveredAt"]
    }
}

extension RecordTransaction {
    /// Writes a notice; one that was written before stays as it is.
    package func addNotice(destination: String, kind: String, subject: String, body: String) throws {
        try run(
            """
            INSERT INTO notice (destination, kind, subject, body, createdAt, dueAt) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (destination, kind, subject) DO NOTHING
            """, [destination, kind, subject, body, now, now])
    }

    /// Notices to be tried now, the longest due first.
    package func dueNotices(limit: Int) throws -> [NoticeRecord] {
        try rows(
            "SELECT * FROM notice WHERE deliveredAt IS NULL AND dueAt <= ? ORDER BY dueAt, id LIMIT ?", [now, limit]
        )
        .map(NoticeRecord.init)
    }

    package func noteDelivery(of id: Int64) throws {
        try run(
            "UPDATE notice SET deliveredAt = ?, attempts = attempts + 1, failure = NULL WHERE id = ?", [now, id])
    }

    package func noteFailure(_ failure: String, of id: Int64, dueAt: Int64) throws {
        try run(
            "UPDATE notice SET attempts = attempts + 1, failure = ?, dueAt = ? WHERE id = ?", [failure, dueAt, id])
    }

    /// Notices, those not delivered first, then the newest.
    package func notices(limit: Int) throws -> [NoticeRecord] {
        try rows("SELECT * FROM notice ORDER BY deliveredAt IS NOT NULL, id DESC LIMIT ?", [limit])
            .map(NoticeRecord.init)
    }
}
