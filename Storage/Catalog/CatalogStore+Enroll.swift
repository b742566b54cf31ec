// Enrolment: a batch of durable instances becomes visible in one transaction.

import GRDB

extension CatalogStore {
    /// Enrols a batch, in order, and remembers how far each volume is enrolled. All of it happens or nothing does.
    /// - Parameters:
    ///   - enrolledTo: for each volume the offset behind the last entry of the batch; positions never go back.
    ///   - from: for each volume where the batch begins. A position that has not come that far stays where it is: what
    ///     lies between is replayed at the next start. Volumes not named here are taken to be without a gap.
    ///   - beforeCommit: asked when every row is written and nothing is visible yet; it may wait for the bytes to be
    ///     durable. False takes the whole batch back. It runs under the write lock, so what it waits for must not need
    ///     the catalogue's write side.
    /// - Throws: `CatalogError.withdrawn` when `beforeCommit` said false.
    package func enroll(
        _ batch: [Enrollment], enrolledTo: [Int: Int64], from: [Int: Int64] = [:], beforeCommit: () -> Bool = { true }
    ) throws(CatalogError) -> [EnrollmentOutcome] {
        let at = now()
        let enroll = { (db: Database) in
            for enrollment in batch {
                for place in enrollment.replaced {
                    _ = try Self.withdrawCopy(db, at: place, uid: enrollment.facts.sopInstanceUID, time: at)
                }
            }
            let outcomes = try EnrollmentBatch.run(db) { session in
                let outcomes = try batch.map { try session.enroll($0) }
                try session.changes.write(db, at: at)
                return outcomes
            }
            for (volume, offset) in enrolledTo {
                try Self.advance(db, volume, to: offset, from: from[volume] ?? 0)
            }
            guard beforeCommit() else { throw CatalogError.withdrawn }
            return outcomes
        }
        // What is going to be erased must stay out of the catalogue whatever happens to the power.
        return batch.allSatisfy(\.replaced.isEmpty) ? try write(enroll) : try writeDurably(enroll)
    }

    private static func advance(_ db: Database, _ volume: Int, to offset: Int64, from: Int64) throws {
        let select = try HotStatement(db, "SELECT enrolledTo FROM volume WHERE number = ?")
        let known = try select.first({ $0.bind(volume) }, { $0.int64(0) })
        guard from <= known ?? 0, offset > known ?? -1 else { return }
        try HotStatement(db, "INSERT OR REPLACE INTO volume (number, enrolledTo) VALUES (?, ?)").run {
            $0.bind(volume)
            $0.bind(offset)
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
        try EnrollmentBatch.run(db) { batch in
            for row in primaries { try batch.promote(uid: row[1]) }
        }
    }
}
