// Deletion in two steps: out of sight in one transaction, then out of the volume, restartable in between.

import Foundation
import GRDB
package import Volumes

extension CatalogStore {
    /// Takes every copy in scope out of the catalogue and lists its place for erasure. Copies of the same UID outside
    /// the scope stay, and the earliest of them becomes the primary. An empty scope erases nothing.
    package func beginErasure(_ scope: Scope) throws(CatalogError) -> [Erasure] {
        guard !scope.isEmpty else { return [] }
        let at = now()
        return try writeDurably { db in
            let condition = scope.condition
            let select = """
                SELECT instance.id, instance.uid, instance.volume, instance.entryOffset, instance.bodyOffset,
                    instance.length, study.uid, series.uid, instance.series
                FROM \(StoredInstance.tables) JOIN patient ON patient.id = study.patient WHERE \(condition.sql)
                """
            let primaries = try Row.fetchAll(db, sql: select, arguments: StatementArguments(condition.arguments))
            let secondaries = try Self.secondaries(db, in: scope, besides: primaries)
            var tally = ChangeTally()
            for row in primaries + secondaries { tally.add(.erased, study: row[6], series: row[7]) }
            try tally.write(db, at: at)
            let erasures =
                try primaries.map { try Self.withdraw(db, $0, from: "instance", at: at) }
                + secondaries.map { try Self.withdraw(db, $0, from: "secondary", at: at) }
            try Upkeep.refresh(db, series: Set(primaries.map { $0[8] as Int64 }))
            try EnrollmentBatch.run(db) { batch in
                for row in primaries { try batch.promote(uid: row[1]) }
                try batch.changes.write(db, at: at)
            }
            return erasures
        }
    }

    /// Takes these very copies out of the catalogue, where they still are what is shown of their UIDs, and lists their places
    /// for erasure. Other copies of the UIDs stay, and the earliest of them becomes the primary.
    package func beginErasure(ofCopies copies: [StoredInstance]) throws(CatalogError) -> [Erasure] {
        guard !copies.isEmpty else { return [] }
        let at = now()
        return try writeDurably { db in
            let select = """
                SELECT instance.id, instance.uid, instance.volume, instance.entryOffset, instance.bodyOffset,
                    instance.length, study.uid, series.uid, instance.series
                FROM \(StoredInstance.tables)
                WHERE instance.uid = ? AND instance.volume = ? AND instance.entryOffset = ? AND instance.digest = ?
                """
            let rows = try copies.compactMap { copy in
                try db.first(
                    select,
                    [
                        copy.sopInstanceUID.sql, copy.place.volume.sql, copy.place.entryOffset.sql,
                        Data(copy.digest).sql,
                    ])
            }
            var tally = ChangeTally()
            for row in rows { tally.add(.erased, study: row[6], series: row[7]) }
            try tally.write(db, at: at)
            let erasures = try rows.map { try Self.withdraw(db, $0, from: "instance", at: at) }
            try Upkeep.refresh(db, series: Set(rows.map { $0[8] as Int64 }))
            try EnrollmentBatch.run(db) { batch in
                for row in rows { try batch.promote(uid: row[1]) }
                try batch.changes.write(db, at: at)
            }
            return erasures
        }
    }

    /// Takes one copy out of the catalogue, wherever it ranks, and lists its place for erasure; another copy of its UID
    /// becomes the primary if this was it. Nil when no copy lies there any more.
    package func beginErasure(ofCopy place: Place, sopInstanceUID uid: String) throws(CatalogError) -> Erasure? {
        let at = now()
        return try writeDurably { db in try Self.withdrawCopy(db, at: place, uid: uid, time: at) }
    }

    static func withdrawCopy(_ db: Database, at place: Place, uid: String, time at: Int64) throws -> Erasure? {
        for table in ["secondary", "instance"] {
            let select = """
                SELECT id, uid, volume, entryOffset, bodyOffset, length FROM \(table)
                WHERE uid = ? AND volume = ? AND entryOffset = ?
                """
            guard let row = try db.first(select, [uid.sql, place.volume.sql, place.entryOffset.sql]) else { continue }
            var series: Int64?
            if table == "instance" {
                series = try db.first("SELECT series FROM instance WHERE uid = ?", [uid.sql])?[0]
            }
            let erasure = try Self.withdraw(db, row, from: table, at: at)
            if let series {
                try Upkeep.refresh(db, series: [series])
                try EnrollmentBatch.run(db) { batch in
                    try batch.promote(uid: uid)
                    try batch.changes.write(db, at: at)
                }
            }
            return erasure
        }
        return nil
    }

    /// Drops the erasure of one place, once it is marked erased on stable storage.
    package func finishErasure(at place: Place) throws(CatalogError) {
        try write { db in
            try db.run(
                "DELETE FROM erasure WHERE volume = ? AND entryOffset = ?", [place.volume.sql, place.entryOffset.sql])
        }
    }

    /// Erasures begun and not finished: start-up erases their places again, which is harmless, and finishes them.
    package func pendingErasures() throws(CatalogError) -> [Erasure] {
        try read { db in
            let select = "SELECT id, uid, volume, entryOffset, bodyOffset, length FROM erasure ORDER BY id"
            return try db.all(select).map { Erasure(id: $0[0], sopInstanceUID: $0[1], place: Place($0, at: 2)) }
        }
    }

    /// Drops erasures whose places are marked erased on stable storage.
    package func finishErasure(_ ids: [Int64]) throws(CatalogError) {
        try write { db in
            for id in ids { try db.run("DELETE FROM erasure WHERE id = ?", [id.sql]) }
        }
    }

    /// Secondary copies whose own study, series and UID are in scope. With a Patient ID in scope, those of its
    /// studies: the studies of the primaries found.
    private static func secondaries(_ db: Database, in scope: Scope, besides primaries: [Row]) throws -> [Row] {
        var parts: [SQLCondition] = []
        if scope.patientID != nil {
            parts.append(.any(of: Set(primaries.map { $0[6] as String }).sorted(), in: "studyUID"))
        }
        if !scope.studyUIDs.isEmpty { parts.append(.any(of: scope.studyUIDs, in: "studyUID")) }
        if !scope.seriesUIDs.isEmpty { parts.append(.any(of: scope.seriesUIDs, in: "seriesUID")) }
        if !scope.sopUIDs.isEmpty { parts.append(.any(of: scope.sopUIDs, in: "uid")) }
        let condition = SQLCondition.all(parts)
        let select = """
            SELECT id, uid, volume, entryOffset, bodyOffset, length, studyUID, seriesUID FROM secondary
            WHERE \(condition.sql)
            """
        return try Row.fetchAll(db, sql: select, arguments: StatementArguments(condition.arguments))
    }

    /// Moves one row (id, uid, place) into the list of erasures.
    static func withdraw(_ db: Database, _ row: Row, from table: String, at: Int64) throws -> Erasure {
        let place = Place(row, at: 2)
        try db.run("DELETE FROM \(table) WHERE id = ?", [row[0] as DatabaseValue])
        try db.run(
            "INSERT INTO erasure (uid, volume, entryOffset, bodyOffset, length, begunAt) VALUES (?, ?, ?, ?, ?, ?)",
            [row[1] as DatabaseValue] + place.sql + [at.sql])
        return Erasure(id: db.lastInsertedRowID, sopInstanceUID: row[1], place: place)
    }
}
