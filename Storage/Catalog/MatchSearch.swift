// Which way to the rows of a query: through the lists of an index, or along the order wanted until enough are found.

import DICOMCore
import GRDB

/// Where the cost of the two ways crosses; the answers do not depend on it.
package struct SearchEffort: Sendable {
    /// From so many hits on, a list is not made unless nothing else helps.
    let longList: Int
    /// So many of the newest studies are looked at before lists are made after all.
    let reach: Int

    package init(longList: Int = 1_000, reach: Int = 8_192) {
        self.longList = longList
        self.reach = reach
    }
}

/// Finds the rows that match, in order. A list of everyone called *nguyen* costs more than looking at the newest
/// studies until a page is full; a list of the few called *khong* costs less.
struct MatchSearch {
    let db: Database
    let query: Query
    let effort: SearchEffort

    func rows() throws -> [Int64] {
        // A key that an index answers leaves so few rows that lists would only be in the way.
        if hasKey { return try fetch(statement(by: .lists([]))) }
        guard let limit = query.limit, query.level == .study, !asksBelow else {
            return try fetch(statement(by: .lists(nil)))
        }
        let searches = MatchCompiler(query).trigrams
        let short = try searches.filter { try count($0) < effort.longList }
        if !short.isEmpty { return try fetch(statement(by: .lists(short))) }
        let boundary = try boundary()
        let found = try fetch(walk(from: boundary))
        // With less than a page, what lies beyond the boundary counts too.
        if found.count >= limit || boundary == nil { return found }
        return try fetch(statement(by: .lists(nil)))
    }

    private var hasKey: Bool {
        let keys: [Attribute] = [.studyInstanceUID, .patientID, .accessionNumber, .studyID]
        return query.filters.contains { tag, key in
            guard let attribute = Attribute.of(tag), keys.contains(attribute) else { return false }
            return switch key {
            case .single, .list: true
            case .wildcard, .universal, .range, .personName: false
            }
        }
    }

    private var asksBelow: Bool {
        query.filters.contains { tag, _ in Attribute.of(tag).map { $0.level > query.level } ?? false }
    }

    // MARK: - Lists

    private func statement(by path: AccessPath) -> SQLCondition {
        let compiler = MatchCompiler(query, by: path)
        return complete(
            "FROM " + Self.joined(query.level, to: compiler.tables, by: "JOIN"), [compiler.condition])
    }

    /// How much the trigram index finds, counted no further than needed.
    private func count(_ search: AccessPath.Trigrams) throws -> Int {
        let sql = """
            SELECT count(*) FROM (SELECT 1 FROM \(search.table) WHERE \(search.table) MATCH ? LIMIT \(effort.longList))
            """
        return try db.first(sql, [search.match.sql])?[0] ?? 0
    }

    // MARK: - The walk

    /// The studies from the newest down to a date, tested one by one.
    private func walk(from boundary: String?) -> SQLCondition {
        let compiler = MatchCompiler(query, by: .walk)
        let from = SQLCondition("study.studyDate >= ?", [(boundary ?? "").sql])
        let tables = Self.joined(.study, to: compiler.tables, by: "CROSS JOIN", index: "study_by_date")
        return complete("FROM " + tables, [from, compiler.condition])
    }

    /// The date of the last study within reach, of those in the range of dates that is asked for; nil when all are.
    private func boundary() throws -> String? {
        var dates = query
        dates.filters = query.filters.filter { $0.key == Attribute.studyDate.tag }
        let condition = MatchCompiler(dates).condition
        let sql = """
            SELECT study.studyDate FROM study INDEXED BY study_by_date
            WHERE study.studyDate >= '' AND \(condition.sql)
            ORDER BY study.studyDate DESC LIMIT 1 OFFSET \(effort.reach)
            """
        return try String.fetchOne(db, sql: sql, arguments: StatementArguments(condition.arguments))
    }

    // MARK: - SQL

    private func fetch(_ statement: SQLCondition) throws -> [Int64] {
        try Int64.fetchAll(db, sql: statement.sql, arguments: StatementArguments(statement.arguments))
    }

    private func complete(_ from: String, _ conditions: [SQLCondition]) -> SQLCondition {
        let condition = SQLCondition.all(conditions)
        return SQLCondition(
            """
            SELECT \(query.level.table).id \(from) WHERE \(condition.sql)
            ORDER BY \(Self.order(query.level)) LIMIT ? OFFSET ?
            """, condition.arguments + [(query.limit ?? -1).sql, query.offset.sql])
    }

    /// The table of a level and those above it that conditions speak of.
    private static func joined(
        _ level: QueryLevel, to tables: Set<QueryLevel>, by join: String, index: String? = nil
    ) -> String {
        var sql = level.table + (index.map { " INDEXED BY \($0)" } ?? "")
        var level = level
        while let top = tables.min(), level > top {
            let above = MatchCompiler.above(level)
            sql += " \(join) \(above.table) ON \(above.table).id = \(level.table).\(above.table)"
            level = above
        }
        return sql
    }

    private static func order(_ level: QueryLevel) -> String {
        switch level {
        case .patient: "patient.patientNameKey, patient.id"
        case .study: "study.studyDate DESC, study.studyTimeKey DESC, study.id DESC"
        case .series: "series.study, series.seriesNumber, series.id"
        case .image: "instance.series, instance.instanceNumber, instance.id"
        }
    }
}
