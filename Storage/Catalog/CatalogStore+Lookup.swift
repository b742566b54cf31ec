// Finding stored instances by their identifiers, for retrieval, verification and the check for duplicates.

import DICOMCore
import Foundation
import GRDB
import Volumes

extension StoredInstance {
    static let columns = """
        instance.id, study.uid, series.uid, instance.uid, instance.sopClassUID, instance.transferSyntaxUID,
        instance.volume, instance.entryOffset, instance.bodyOffset, instance.length, instance.dataSetOffset,
        instance.digest, instance.instanceNumber, instance.numberOfFrames, instance.receivedAt, instance.source,
        instance.flaws, \(StudyCorrection.columns)
        """
    static let tables = """
        instance JOIN series ON series.id = instance.series JOIN study ON study.id = series.study
        LEFT JOIN correction ON correction.studyUID = study.uid
        """

    init(_ row: Row) {
        self.init(
            id: row[0], studyInstanceUID: row[1], seriesInstanceUID: row[2], sopInstanceUID: row[3],
            sopClassUID: row[4], transferSyntaxUID: row[5], place: Place(row, at: 6), dataSetOffset: row[10],
            digest: [UInt8](row[11] as Data), instanceNumber: Int.fromDatabaseValue(row[12]),
            numberOfFrames: Int.fromDatabaseValue(row[13]) ?? 1, receivedAt: row[14], source: row[15],
            flaws: InstanceFacts.Flaws(rawValue: row[16]), correction: StudyCorrection(row, at: 17))
    }
}

extension CatalogStore {
    /// The primary copy of a SOP Instance UID.
    package func primary(sopInstanceUID uid: String) throws(CatalogError) -> StoredInstance? {
        try read { db in
            let select = "SELECT \(StoredInstance.columns) FROM \(StoredInstance.tables) WHERE instance.uid = ?"
            return try db.first(select, [uid.sql]).map(StoredInstance.init)
        }
    }

    /// Every instance in scope, by study, series number and instance number.
    package func instances(_ scope: Scope) throws(CatalogError) -> [StoredInstance] {
        let condition = scope.condition
        return try read { db in
            let select = """
                SELECT \(StoredInstance.columns) FROM \(StoredInstance.tables)
                \(scope.patientID == nil ? "" : "JOIN patient ON patient.id = study.patient")
                WHERE \(condition.sql)
                ORDER BY study.studyDate, study.id, series.seriesNumber, series.id, instance.instanceNumber, instance.id
                """
            return try Row.fetchAll(db, sql: select, arguments: StatementArguments(condition.arguments))
                .map(StoredInstance.init)
        }
    }

    /// Whether anything of a study is here.
    package func holds(study uid: String) throws(CatalogError) -> Bool {
        try read { db in
            try db.first("SELECT 1 FROM \(StoredInstance.tables) WHERE study.uid = ? LIMIT 1", [uid.sql]) != nil
        }
    }

    /// Instances in order of enrolment, page by page, for work on all of them.
    package func instances(after id: Int64, limit: Int = 1_000) throws(CatalogError) -> [StoredInstance] {
        try read { db in
            let select = """
                SELECT \(StoredInstance.columns) FROM \(StoredInstance.tables)
                WHERE instance.id > ? ORDER BY instance.id LIMIT ?
                """
            return try db.all(select, [id.sql, limit.sql]).map(StoredInstance.init)
        }
    }

    /// Every copy of a SOP Instance UID, the primary first, then the earliest. Asked for every object that comes: a UID
    /// that is not known yet costs one look into an index.
    package func copies(sopInstanceUID uid: String) throws(CatalogError) -> [StoredCopy] {
        do {
            guard try pool.unsafeRead({ db in try Self.isKnown(db, uid: uid) }) else { return [] }
        } catch { throw CatalogError(error) }
        return try read { db in try Self.copies(db, uid: uid) }
    }

    /// One statement is one consistent view; no transaction is needed to find nothing.
    static func isKnown(_ db: Database, uid: String) throws -> Bool {
        try HotStatement(db, "SELECT 1 FROM instance WHERE uid = ?").first({ $0.bind(uid) }, { _ in true }) ?? false
    }

    static func copies(_ db: Database, uid: String) throws -> [StoredCopy] {
        func copy(_ row: Row, isPrimary: Bool) -> StoredCopy {
            StoredCopy(
                isPrimary: isPrimary, studyInstanceUID: row[0], seriesInstanceUID: row[1],
                place: Place(row, at: 2),
                digest: [UInt8](row[6] as Data), receivedAt: row[7], source: row[8])
        }
        let primary = """
            SELECT study.uid, series.uid, instance.volume, instance.entryOffset, bodyOffset, length, digest,
                instance.receivedAt, source
            FROM \(StoredInstance.tables) WHERE instance.uid = ?
            """
        guard let row = try db.first(primary, [uid.sql]) else { return [] }
        let others = """
            SELECT studyUID, seriesUID, volume, entryOffset, bodyOffset, length, digest, receivedAt, source
            FROM secondary WHERE uid = ? ORDER BY receivedAt, volume, entryOffset
            """
        return [copy(row, isPrimary: true)]
            + (try db.all(others, [uid.sql]).map { copy($0, isPrimary: false) })
    }
}

extension Scope {
    /// The restriction as SQL over instance, series, study and patient.
    var condition: SQLCondition {
        var parts: [SQLCondition] = []
        if let patientID { parts.append(SQLCondition("patient.patientID = ?", [patientID.sql])) }
        if !studyUIDs.isEmpty { parts.append(.any(of: studyUIDs, in: "study.uid")) }
        if !seriesUIDs.isEmpty { parts.append(.any(of: seriesUIDs, in: "series.uid")) }
        if !sopUIDs.isEmpty { parts.append(.any(of: sopUIDs, in: "instance.uid")) }
        return .all(parts)
    }
}
