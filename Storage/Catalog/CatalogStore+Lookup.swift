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
        instance.flaws
        """
    static let tables = "instance JOIN series ON series.id = instance.series JOIN study ON study.id = series.study"

    init(_ row: Row) {
        self.init(
            id: row[0], studyInstanceUID: row[1], seriesInstanceUID: row[2], sopInstanceUID: row[3],
            sopClassUID: row[4], transferSyntaxUID: row[5], place: Place(row, at: 6), dataSetOffset: row[10],
            digest: [UInt8](row[11] as Data), instanceNumber: Int.fromDatabaseValue(row[12]),
            numberOfFrames: Int.fromDatabaseValue(row[13]) ?? 1, receivedAt: row[14], source: row[15],
            flaws: InstanceFacts.Flaws(rawValue: row[16]))
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

    /// Every copy of a SOP Instance UID, the primary first, then the earliest.
    package func copies(sopInstanceUID uid: String) throws(CatalogError) -> [StoredCopy] {
        try read { db in try Self.copies(db, uid: uid) }
    }

    static func copies(_ db: Database, uid: String) throws -> [StoredCopy] {
        guard let primary = try Enrollment.instance(db, uid: uid) else { return [] }
        func copy(_ enrollment: Enrollment, isPrimary: Bool) -> StoredCopy {
            StoredCopy(
                isPrimary: isPrimary, studyInstanceUID: enrollment.facts.studyInstanceUID,
                seriesInstanceUID: enrollment.facts.seriesInstanceUID, place: enrollment.place,
                digest: enrollment.digest, receivedAt: enrollment.receivedAt, source: enrollment.source)
        }
        return [copy(primary.3, isPrimary: true)]
            + (try Enrollment.secondaries(db, uid: uid).map { copy($0.1, isPrimary: false) })
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
