// What a series is made of, in a few numbers: whatever is derived from its instances is good for as long as they stay.

import GRDB

/// The instances of one series as a fingerprint.
package struct SeriesState: Hashable, Sendable {
    package let seriesInstanceUID: String
    package let instances: Int
    /// Changes whenever an instance comes, goes or has its place taken by another copy, and with every correction.
    package let fingerprint: String
}

extension CatalogStore {
    /// The series of a study, or one of them, in order of number; none when there is no such study.
    package func seriesStates(
        study: String, series: String? = nil
    ) throws(CatalogError) -> [SeriesState] {
        let one = series.map { _ in "AND series.uid = ?" } ?? ""
        let arguments = [study.sql] + (series.map { [$0.sql] } ?? [])
        return try read { db in
            let select = """
                SELECT series.uid, count(*), series.id, max(instance.id), sum(instance.id),
                    sum(instance.volume), sum(instance.entryOffset), max(instance.receivedAt),
                    coalesce(correction.revision, 0)
                FROM \(StoredInstance.tables) WHERE study.uid = ? \(one)
                GROUP BY series.id ORDER BY series.seriesNumber, series.id
                """
            return try db.all(select, arguments).map { row in
                let numbers = (1...8).map { String(row[$0] as Int64) }
                return SeriesState(
                    seriesInstanceUID: row[0], instances: row[1], fingerprint: numbers.joined(separator: "."))
            }
        }
    }
}
