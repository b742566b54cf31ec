// Swapping in a catalogue that was rebuilt beside the live one.

import Foundation
import GRDB

extension CatalogStore {
    /// How far the numbers of the change feed jump when another catalogue takes over: further than anybody reads on
    /// between the copying of the feed and the swap.
    private static let gap: Int64 = 1_000_000

    /// Takes over the whole content of another catalogue in one step: readers see the old or the new one. The change
    /// feed and the erasures that wait stay as they are here, for no volume knows them; only the numbers of the feed
    /// jump, so that none that was given out meanwhile is ever given to another change.
    package func replace(with other: CatalogStore) throws(CatalogError) {
        try other.adoptHistory(of: path)
        do { try other.pool.backup(to: pool) } catch { throw CatalogError(error) }
    }

    /// Copies the erasures that wait in another catalogue, before anything is enrolled here: bytes that are going to be
    /// erased must not be taken for the copy that is kept of an object that has come again since.
    package func adoptErasures(of other: CatalogStore) throws(CatalogError) {
        let waiting = try other.pendingErasures()
        let at = now()
        try write { db in
            for one in waiting {
                try db.run(
                    """
                    INSERT INTO erasure (id, uid, volume, entryOffset, bodyOffset, length, begunAt)
                    VALUES (?, ?, ?, ?, ?, ?, ?)
                    """, [one.id.sql, one.sopInstanceUID.sql] + one.place.sql + [at.sql])
            }
        }
    }

    /// Copies what a rebuild cannot bring back from the catalogue in another file.
    private func adoptHistory(of path: String) throws(CatalogError) {
        do {
            try pool.writeWithoutTransaction { db in
                try db.execute(sql: "ATTACH DATABASE ? AS live", arguments: [path])
                defer { try? db.execute(sql: "DETACH DATABASE live") }
                try db.inTransaction(.immediate) {
                    for table in ["change", "erasure"] {
                        try db.execute(sql: "DELETE FROM main.\(table)")
                        try db.execute(sql: "INSERT INTO main.\(table) SELECT * FROM live.\(table)")
                    }
                    // Said of the newest study, which is the same: whoever follows looks at it once more.
                    try db.execute(
                        sql: """
                            INSERT INTO main.change (seq, kind, studyUID, seriesUID, instances, at)
                            SELECT seq + ?, ?, studyUID, seriesUID, 0, at FROM live.change ORDER BY seq DESC LIMIT 1
                            """, arguments: [Self.gap, Change.Kind.updated.rawValue])
                    // What waits for its erasure was still in the volumes when they were read.
                    let waiting = "(volume, entryOffset) IN (SELECT volume, entryOffset FROM main.erasure)"
                    try Self.forget(db, SQLCondition(waiting))
                    return .commit
                }
            }
        } catch { throw CatalogError(error) }
    }
}
