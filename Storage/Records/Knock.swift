// Knocks: callers that were turned away, counted instead of listed one by one.

import GRDB

/// Somebody who called and was refused.
package struct Knock: Hashable, Sendable {
    package let callingAETitle: String
    /// The AE title that the last of these calls was for.
    package let calledAETitle: String
    /// Numeric address of the caller.
    package let address: String
    /// Why it was refused, in words for a technician.
    package let reason: String
    /// What the last of these calls asked for, such as the first abstract syntaxes proposed.
    package let asked: String
    package let count: Int
    /// Microseconds since 1970.
    package let firstAt: Int64
    /// Microseconds since 1970.
    package let lastAt: Int64
}

extension RecordStore {
    /// Knocks kept at most; the oldest give way, so a port scan cannot fill the disk.
    package static let mostKnocks = 1_000

    /// Notes a refused call. The texts come from outside and are cut to what a table can show.
    package func noteKnock(
        callingAETitle: String, calledAETitle: String, address: String, reason: String, asked: String
    ) throws(RecordsError) {
        let at = now()
        let calling = Self.printable(callingAETitle, most: 16)
        let called = Self.printable(calledAETitle, most: 16)
        try write { db in
            let statement = try db.cachedStatement(
                sql: """
                    INSERT INTO knock (callingAETitle, calledAETitle, address, reason, asked, count, firstAt, lastAt)
                    VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?6)
                    ON CONFLICT (callingAETitle, address, reason) DO UPDATE SET
                        calledAETitle = excluded.calledAETitle, asked = excluded.asked, count = count + 1,
                        lastAt = excluded.lastAt
                    """)
            try statement.execute(
                arguments: [
                    calling, called, Self.printable(address, most: 64), Self.printable(reason, most: 200),
                    Self.printable(asked, most: 400), at,
                ])
            try db.cachedStatement(
                sql:
                    """
                    DELETE FROM knock
                    WHERE id IN (SELECT id FROM knock ORDER BY lastAt DESC, id DESC LIMIT -1 OFFSET ?)
                    """
            ).execute(arguments: [Self.mostKnocks])
        }
    }

    /// Knocks, the latest first.
    package func knocks(limit: Int = mostKnocks) throws(RecordsError) -> [Knock] {
        try read { db in
            let select = "SELECT * FROM knock ORDER BY lastAt DESC, id DESC LIMIT ?"
            return try Row.fetchAll(db, sql: select, arguments: [limit]).map { row in
                Knock(
                    callingAETitle: row["callingAETitle"], calledAETitle: row["calledAETitle"], address: row["address"],
                    reason: row["reason"], asked: row["asked"], count: row["count"], firstAt: row["firstAt"],
                    lastAt: row["lastAt"])
            }
        }
    }

    /// Without control characters, and not longer than `most`.
    private static func printable(_ text: String, most: Int) -> String {
        let scalars = text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "?" : Character($0) }
        return String(String(scalars).prefix(most))
    }
}
