// Conflicts: one SOP Instance UID with several contents, listed until a person decides.

import GRDB
import Volumes

extension CatalogStore {
    /// Conflicts, by UID; those that a person has decided only when asked for.
    package func conflicts(limit: Int = 1_000, includingDecided: Bool = false) throws(CatalogError) -> [Conflict] {
        try read { db in
            let condition = includingDecided ? "" : "WHERE settled = 0"
            let select = "SELECT DISTINCT uid FROM secondary \(condition) ORDER BY uid LIMIT ?"
            return try db.all(select, [limit.sql]).map { row in
                Conflict(sopInstanceUID: row[0], copies: try Self.copies(db, uid: row[0]))
            }
        }
    }

    /// Whether an object of a study is here with several contents, whether or not somebody has decided between them.
    package func hasSeveralContents(study uid: String) throws(CatalogError) -> Bool {
        try read { db in
            let select = """
                SELECT 1 FROM secondary WHERE studyUID = ?1
                UNION ALL
                SELECT 1 FROM study JOIN series ON series.study = study.id JOIN instance ON instance.series = series.id
                    JOIN secondary ON secondary.uid = instance.uid
                WHERE study.uid = ?1 LIMIT 1
                """
            return try db.first(select, [uid.sql]) != nil
        }
    }

    /// Makes the copy with this digest the primary and takes the UID off the list of conflicts. The decision lives in
    /// the catalogue only: a rebuild lists the conflict again, unless the other copies are erased with it.
    /// - Returns: the erasures begun, empty unless `erasingOthers`.
    package func resolveConflict(
        sopInstanceUID uid: String, keep digest: [UInt8], erasingOthers: Bool = false
    ) throws(CatalogError) -> [Erasure] {
        let at = now()
        return try writeDurably { db in
            guard let primary = try Enrollment.instance(db, uid: uid) else { throw CatalogError.notFound }
            try EnrollmentBatch.run(db) { batch in
                if primary.3.digest == digest {
                    try db.run("UPDATE instance SET chosen = 1 WHERE id = ?", [primary.id.sql])
                } else {
                    let others = try Enrollment.secondaries(db, uid: uid)
                    guard let copy = others.first(where: { $0.1.digest == digest }) else {
                        throw CatalogError.notFound
                    }
                    try batch.choose(copy, over: primary)
                    batch.note(.resolved, copy.1.facts)
                }
                batch.note(.resolved, primary.3.facts)
                try batch.changes.write(db, at: at)
            }
            try db.run("UPDATE secondary SET settled = 1 WHERE uid = ?", [uid.sql])
            guard erasingOthers else { return [] }
            let select = "SELECT id, uid, volume, entryOffset, bodyOffset, length FROM secondary WHERE uid = ?"
            return try db.all(select, [uid.sql]).map { try Self.withdraw(db, $0, from: "secondary", at: at) }
        }
    }
}

extension CatalogStore {
    /// Studies whose instances name more than one patient: kept whole with the earliest, for a person to look at.
    package func mixedStudies(limit: Int = 1_000) throws(CatalogError) -> [String] {
        try read { db in
            try db.all("SELECT uid FROM study WHERE flaws & 1 ORDER BY uid LIMIT ?", [limit.sql]).map { $0[0] }
        }
    }
}
