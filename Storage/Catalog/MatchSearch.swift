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

    func rows() throws -> [Int64] { try found(query.limit, enough: query.limit).ids }

    /// The rows of one page, whether more come after them, and how many there are in all.
    /// - Parameter bound: no more than this is counted, unless the number is known without counting.
    func page(countingTo bound: Int) throws -> (ids: ArraySlice<Int64>, hasMore: Bool, total: MatchTotal) {
        guard let limit = query.limit else {
            let ids = try rows()
            return (ids[...], false, .exactly(query.offset + ids.count))
        }
        if let all = try everything() {
            let ids = try found(limit, enough: limit).ids
            return (ids[...], all > query.offset + ids.count, .exactly(all))
        }
        let wanted = max(limit + 1, bound - query.offset)
        let (ids, isWhole) = try found(wanted, enough: limit + 1)
        if ids.isEmpty, query.offset > 0 { return ([], false, try total(countingTo: bound)) }
        let seen = query.offset + ids.count
        return (ids.prefix(limit), ids.count > limit, isWhole && ids.count < wanted ? .exactly(seen) : .atLeast(seen))
    }

    /// Behind the last match: the matches from the first.
    private func total(countingTo bound: Int) throws -> MatchTotal {
        var first = query
        (first.offset, first.limit) = (0, min(query.offset, bound))
        let count = try MatchSearch(db: db, query: first, effort: effort).rows().count
        return count < bound ? .exactly(count) : .atLeast(count)
    }

    /// The number of all entities of the level when nothing restricts the query.
    private func everything() throws -> Int? {
        let isRestricted = query.filters.values.contains { $0 != .universal } || !query.itemFilters.isEmpty
        guard !isRestricted, query.studies == nil, query.after == nil else { return nil }
        let columns = ["patients", "studies", "series", "instances"]
        return try db.first("SELECT \(columns[query.level.rawValue]) FROM total")?[0]
    }

    /// Up to so many rows, and whether there are no others than these below that number.
    /// - Parameter enough: so many will do where more of them would cost more than the newest studies.
    private func found(_ most: Int?, enough: Int?) throws -> (ids: [Int64], isWhole: Bool) {
        func list(_ searches: Set<AccessPath.Trigrams>?) throws -> (ids: [Int64], isWhole: Bool) {
            (try fetch(statement(by: .lists(searches), most)), true)
        }
        // A key that an index answers leaves so few rows that lists would only be in the way.
        if hasKey { return try list([]) }
        guard let enough, query.level == .study, !asksBelow, !query.hasOrder else { return try list(nil) }
        let searches = MatchCompiler(query).trigrams
        let short = try searches.filter { try count($0) < effort.longList }
        if !short.isEmpty { return try list(short) }
        let boundary = try boundary()
        // Where not all are looked at they are not counted either: a page is enough.
        let found = try fetch(walk(from: boundary, boundary == nil ? most : enough))
        // With less than a page, what lies beyond the boundary counts too.
        if found.count >= enough || boundary == nil { return (found, boundary == nil) }
        return try list(nil)
    }

    private var hasKey: Bool {
        if query.studies != nil { return true }
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
            || query.itemFilters.keys.contains { $0.level > query.level }
    }

    // MARK: - Lists

    private func statement(by path: AccessPath, _ most: Int?) -> SQLCondition {
        let compiler = MatchCompiler(query, by: path)
        return complete(
            "FROM " + Self.joined(query.level, to: compiler.tables.union(ordered), by: "JOIN"), [compiler.condition],
            most)
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
    private func walk(from boundary: String?, _ most: Int?) -> SQLCondition {
        let compiler = MatchCompiler(query, by: .walk)
        let from = SQLCondition("study.studyDate >= ?", [(boundary ?? "").sql])
        let tables = Self.joined(.study, to: compiler.tables, by: "CROSS JOIN", index: "study_by_date")
        return complete("FROM " + tables, [from, compiler.condition], most)
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

    private func complete(_ from: String, _ conditions: [SQLCondition], _ most: Int?) -> SQLCondition {
        let condition = SQLCondition.all(conditions)
        return SQLCondition(
            """
            SELECT \(query.level.table).id \(from) WHERE \(condition.sql)
            ORDER BY \(order) LIMIT ? OFFSET ?
            """, condition.arguments + [(most ?? -1).sql, query.offset.sql])
    }

    /// Tables that the order speaks of.
    private var ordered: Set<QueryLevel> { Set(query.hasOrder ? query.order.map(\.attribute.level) : []) }

    /// Without a value last, whichever way; what is equal by the keys asked for stays in the order of the level.
    private var order: String {
        guard query.hasOrder else { return Self.order(query.level) }
        let keys = query.order.flatMap { key in
            let column = key.attribute.keyColumn ?? key.attribute.column
            return ["\(column) IS NULL OR \(column) = ''", column + (key.isAscending ? "" : " DESC")]
        }
        return (keys + [Self.order(query.level)]).joined(separator: ", ")
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
