// The catalogue as text: everything that a rebuild from the volumes must bring back, and nothing else.

import DICOMCore
import Foundation
import GRDB

extension CatalogStore {
    /// One line per patient, study, series, instance and secondary copy, ordered by identifiers. Row numbers, the
    /// change feed and decisions about conflicts are left out: no volume can bring them back.
    package func snapshot() throws(CatalogError) -> String {
        var text = ""
        try snapshot { line in
            text += line
            text += "\n"
        }
        return text
    }

    /// The lines of the snapshot one by one, for archives whose text would not fit.
    package func snapshot(_ visit: (String) -> Void) throws(CatalogError) {
        try read { db in
            for (name, sql) in Self.snapshotQueries {
                let rows = try Row.fetchCursor(db, sql: sql)
                while let row = try rows.next() {
                    visit(name + "\t" + row.databaseValues.map(Self.printed).joined(separator: "\t"))
                }
            }
        }
    }

    private static func printed(_ value: DatabaseValue) -> String {
        if let data = Data.fromDatabaseValue(value), case .blob = value.storage {
            return data.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        }
        return value.text.unicodeScalars.reduce(into: "") { text, scalar in
            switch scalar {
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            default: text.unicodeScalars.append(scalar)
            }
        }
    }

    private static func columns(_ level: QueryLevel) -> String {
        let attributes = Attribute.table.filter { $0.level == level }
        return attributes.flatMap { [$0.column] + ($0.keyColumn.map { [$0] } ?? []) }.joined(separator: ", ")
    }

    private static let snapshotQueries: [(String, String)] = [
        (
            "patient",
            """
            SELECT loneStudyUID, \(columns(.patient)), bytes FROM patient
            ORDER BY patientID, issuerOfPatientID, loneStudyUID
            """
        ),
        (
            "study",
            """
            SELECT patientID, issuerOfPatientID, \(columns(.study)), study.bytes, flaws
            FROM study JOIN patient ON patient.id = study.patient ORDER BY study.uid
            """
        ),
        (
            "series",
            """
            SELECT study.uid, \(columns(.series)), series.bytes
            FROM series JOIN study ON study.id = series.study ORDER BY study.uid, series.uid
            """
        ),
        (
            "instance",
            """
            SELECT study.uid, series.uid, \(columns(.image)), claim.body, instance.volume, instance.entryOffset,
                instance.bodyOffset, instance.length, instance.dataSetOffset, instance.digest, instance.receivedAt,
                instance.source, instance.flaws
            FROM \(StoredInstance.tables) JOIN claim ON claim.id = instance.claim ORDER BY instance.uid
            """
        ),
        (
            "secondary",
            """
            SELECT uid, studyUID, seriesUID, facts, volume, entryOffset, bodyOffset, length, dataSetOffset, digest,
                receivedAt, source, flaws
            FROM secondary ORDER BY uid, receivedAt, volume, entryOffset
            """
        ),
        ("claim", "SELECT DISTINCT body FROM claim ORDER BY body"),
    ]
}
