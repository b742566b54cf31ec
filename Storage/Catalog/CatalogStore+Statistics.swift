// Totals, and the check that the catalogue agrees with itself.

import GRDB

/// What the archive holds, in primary copies.
package struct Statistics: Hashable, Sendable {
    /// Series and instances of one modality.
    package struct Share: Hashable, Sendable {
        package let series: Int
        package let instances: Int
        package let bytes: Int64
    }

    package let patients: Int
    package let studies: Int
    package let series: Int
    package let instances: Int
    package let bytes: Int64
    /// SOP Instance UIDs with undecided conflicts.
    package let conflicts: Int
    /// Places that wait to be erased.
    package let pendingErasures: Int
    package let modalities: [String: Share]
}

extension CatalogStore {
    /// Totals; the modalities cost a walk over the series and are left out unless asked for.
    package func statistics(perModality: Bool = true) throws(CatalogError) -> Statistics {
        try read { db in
            let total = try db.first("SELECT patients, studies, series, instances, bytes FROM total")
            guard let total else { throw CatalogError.corrupt }
            let conflicts = try db.first("SELECT count(DISTINCT uid) FROM secondary WHERE settled = 0")?[0] as Int?
            let erasures = try db.first("SELECT count(*) FROM erasure")?[0] as Int?
            var shares: [String: Statistics.Share] = [:]
            if perModality {
                let select = "SELECT modality, count(*), sum(instances), sum(bytes) FROM series GROUP BY modality"
                for row in try db.all(select) {
                    shares[row[0]] = Statistics.Share(series: row[1], instances: row[2], bytes: row[3])
                }
            }
            return Statistics(
                patients: total[0], studies: total[1], series: total[2], instances: total[3], bytes: total[4],
                conflicts: conflicts ?? 0, pendingErasures: erasures ?? 0, modalities: shares)
        }
    }

    /// Sentences about what is wrong with the file or with its counters; none when all is well.
    package func integrityCheck() throws(CatalogError) -> [String] {
        try read { db in
            var complaints = try String.fetchAll(db, sql: "PRAGMA integrity_check(20)").filter { $0 != "ok" }
            for (name, sql) in Self.counterChecks {
                let wrong = try Int.fetchOne(db, sql: sql) ?? 0
                if wrong > 0 { complaints.append("\(wrong) rows where \(name)") }
            }
            return complaints
        }
    }

    private static let counterChecks: [(String, String)] = [
        (
            "a series counts its instances wrongly",
            """
            SELECT count(*) FROM series WHERE (instances, bytes) IS NOT
            (SELECT count(*), coalesce(sum(length), 0) FROM instance WHERE instance.series = series.id)
            """
        ),
        (
            "a study counts its series wrongly",
            """
            SELECT count(*) FROM study WHERE (study.series, study.instances, study.bytes) IS NOT
            (SELECT count(*), coalesce(sum(s.instances), 0), coalesce(sum(s.bytes), 0) FROM series AS s
             WHERE s.study = study.id)
            """
        ),
        (
            "a patient counts its studies wrongly",
            """
            SELECT count(*) FROM patient WHERE (studies, patient.series, patient.instances, patient.bytes) IS NOT
            (SELECT count(*), coalesce(sum(s.series), 0), coalesce(sum(s.instances), 0), coalesce(sum(s.bytes), 0)
             FROM study AS s WHERE s.patient = patient.id)
            """
        ),
        (
            "the totals disagree with the patients",
            """
            SELECT count(*) FROM total WHERE (patients, studies, total.series, total.instances, total.bytes) IS NOT
            (SELECT count(*), coalesce(sum(p.studies), 0), coalesce(sum(p.series), 0), coalesce(sum(p.instances), 0),
             coalesce(sum(p.bytes), 0) FROM patient AS p)
            """
        ),
        ("a series is empty", "SELECT count(*) FROM series WHERE instances = 0"),
        ("a study is empty", "SELECT count(*) FROM study WHERE series = 0"),
        ("a patient is empty", "SELECT count(*) FROM patient WHERE studies = 0"),
    ]
}
