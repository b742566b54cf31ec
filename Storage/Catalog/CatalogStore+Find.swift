// Answering a query: the matching rows first, then their values page by page, so that no transaction waits for a peer.

import DICOMCore
import GRDB

extension CatalogStore {
    /// Everything that matches, in the order of `find(_:visit:)`.
    package func find(_ query: Query) throws(CatalogError) -> [Match] {
        var matches: [Match] = []
        try find(query) { match in
            matches.append(match)
            return true
        }
        return matches
    }

    /// Visits what matches until the visitor returns false: patients by name, studies from the newest, series and
    /// instances by number. Entities that leave the archive meanwhile are passed over.
    package func find(_ query: Query, visit: (Match) -> Bool) throws(CatalogError) {
        let ids = try matchingRows(query)
        let reader = MatchReader(query)
        for start in stride(from: 0, to: ids.count, by: 128) {
            let page = ids[start..<min(start + 128, ids.count)]
            let matches = try read { db in try reader.matches(db, ids: page) }
            for match in matches where !visit(match) { return }
        }
    }

    /// One page of what matches, and how many match in all: one view of the catalogue.
    /// - Parameter bound: so many are counted at most, unless the number is known anyhow.
    package func page(_ query: Query, countingTo bound: Int = 1_000) throws(CatalogError) -> MatchPage {
        try read { db in
            let (ids, hasMore, total) = try MatchSearch(db: db, query: query, effort: effort).page(countingTo: bound)
            return MatchPage(
                matches: try MatchReader(query).matches(db, ids: ids), hasMore: hasMore, total: total)
        }
    }

    private func matchingRows(_ query: Query) throws(CatalogError) -> [Int64] {
        try read { db in try MatchSearch(db: db, query: query, effort: effort).rows() }
    }
}

/// How many entities match a query.
package enum MatchTotal: Hashable, Sendable {
    case exactly(Int)
    /// Counted no further.
    case atLeast(Int)
}

/// One page of matches.
package struct MatchPage: Sendable {
    package let matches: [Match]
    /// Whether more come after these.
    package let hasMore: Bool
    package let total: MatchTotal
}

/// Reads the values of matches of one query.
private struct MatchReader {
    private let attributes: [Attribute]
    private let sql: String
    private let representative: String?
    private let wantsAvailability: Bool

    init(_ query: Query) {
        let level = query.level
        let wanted = Set(query.returnKeys + [level.uniqueKey])
        attributes = Attribute.table.filter {
            guard $0.level <= level else { return false }
            if let sequence = $0.sequence { return wanted.contains(sequence) }
            return query.returnKeys.isEmpty || wanted.contains($0.tag)
        }
        wantsAvailability = query.returnKeys.isEmpty || wanted.contains(Match.instanceAvailability)
        var from = level.table
        for upper in QueryLevel.allCases.reversed() where upper < level {
            let lower = QueryLevel.allCases[upper.rawValue + 1]
            from += " JOIN \(upper.table) ON \(upper.table).id = \(lower.table).\(upper.table)"
        }
        let columns = attributes.map(\.column).joined(separator: ", ")
        sql = "SELECT \(columns) FROM \(from) WHERE \(level.table).id = ?"
        representative = query.wantsRepresentative ? Self.representative(level) : nil
    }

    /// The statements are made for the page and dropped with it: their text depends on the keys that a caller asks for,
    /// and a cache of them would grow with every new combination.
    func matches(_ db: Database, ids: ArraySlice<Int64>) throws -> [Match] {
        let statement = try db.makeStatement(sql: sql)
        let representative = try representative.map { try db.makeStatement(sql: $0) }
        return try ids.compactMap { id in
            guard let row = try Row.fetchOne(statement, arguments: [id]) else { return nil }
            let instance = try representative.flatMap { try Row.fetchOne($0, arguments: [id]) }
            return match(row, instance)
        }
    }

    private func match(_ row: Row, _ instance: Row?) -> Match {
        var values: [Tag: String] = [:]
        values.reserveCapacity(attributes.count + 1)
        for (column, attribute) in attributes.enumerated() {
            values[attribute.tag] = (row[column] as DatabaseValue).text
        }
        if wantsAvailability { values[Match.instanceAvailability] = "ONLINE" }
        return Match(values: values, representative: instance.map(StoredInstance.init))
    }

    /// The first instance of the first series below an entity.
    private static func representative(_ level: QueryLevel) -> String {
        let series: String
        switch level {
        case .patient:
            series = """
                SELECT s.id FROM series AS s JOIN study AS t ON t.id = s.study WHERE t.patient = ?
                ORDER BY t.studyDate DESC, t.id DESC, s.seriesNumber, s.id LIMIT 1
                """
        case .study: series = "SELECT s.id FROM series AS s WHERE s.study = ? ORDER BY s.seriesNumber, s.id LIMIT 1"
        case .series: series = "?"
        case .image:
            return "SELECT \(StoredInstance.columns) FROM \(StoredInstance.tables) WHERE instance.id = ?"
        }
        return """
            SELECT \(StoredInstance.columns) FROM \(StoredInstance.tables) WHERE instance.series = (\(series))
            ORDER BY instance.instanceNumber, instance.id LIMIT 1
            """
    }
}
