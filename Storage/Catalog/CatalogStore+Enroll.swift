// Enrolment: a batch of durable instances becomes visible in one transaction.

import GRDB

extension CatalogStore {
    /// Enrols a batch, in order, and remembers how far each volume is enrolled. All of it happens or nothing does.
    /// - Parameters:
    ///   - enrolledTo: for each volume the offset behind the last entry of the batch; positions never go back.
    ///   - from: for each volume where the batch begins. A position that has not come that far stays where it is: what
    ///     lies between is replayed at the next start. Volumes not named here are taken to be without a gap.
    package func enroll(
        _ batch: [Enrollment], enrolledTo: [Int: Int64], from: [Int: Int64] = [:]
    ) throws(CatalogError) -> [EnrollmentOutcome] {
        let at = now()
        return try write { db in
            var session = try EnrollmentBatch(db)
            let outcomes = try batch.map { try session.enroll($0) }
            try session.changes.write(db, at: at)
            for (volume, offset) in enrolledTo {
                let known = try db.first("SELECT enrolledTo FROM volume WHERE number = ?", [volume.sql])
                guard from[volume] ?? 0 <= known?[0] as Int64? ?? 0 else { continue }
                try db.run(
                    """
                    INSERT INTO volume (number, enrolledTo) VALUES (?, ?)
                    ON CONFLICT (number) DO UPDATE SET enrolledTo = max(enrolledTo, excluded.enrolledTo)
                    """, [volume.sql, offset.sql])
            }
            return outcomes
        }
    }

    /// How far each volume is enrolled: start-up replays entries from there.
    package func enrolledPositions() throws(CatalogError) -> [Int: Int64] {
        try read { db in
            let rows = try db.all("SELECT number, enrolledTo FROM volume")
            return Dictionary(uniqueKeysWithValues: rows.map { ($0[0] as Int, $0[1] as Int64) })
        }
    }

    /// Drops the copies whose place meets a condition on volume and entryOffset; others of their UIDs step in.
    static func forget(_ db: Database, _ places: SQLCondition) throws {
        let arguments = StatementArguments(places.arguments)
        let select = "SELECT id, uid, series FROM instance WHERE \(places.sql)"
        let primaries = try Row.fetchAll(db, sql: select, arguments: arguments)
        for row in primaries { try db.run("DELETE FROM instance WHERE id = ?", [row[0] as DatabaseValue]) }
        try db.execute(sql: "DELETE FROM secondary WHERE \(places.sql)", arguments: arguments)
        try Upkeep.refresh(db, series: Set(primaries.map { $0[2] as Int64 }))
        var batch = try EnrollmentBatch(db)
        for row in primaries { try batch.promote(uid: row[1]) }
    }
}
