// Matching keys become SQL: plain indexes and trigrams find the candidates, pure functions decide (PS3.4 C.2.2.2).

import DICOMCore
import GRDB

/// How the rows of a query are come by. The answer is the same whichever way is taken.
enum AccessPath: Equatable {
    /// From lists that the trigram index gives: for the attributes named, or for all.
    case lists(Set<Trigrams>?)
    /// Row by row in the order wanted; no list is made.
    case walk

    /// One search in a trigram index.
    struct Trigrams: Hashable {
        let table: String
        let match: String
    }
}

/// Compiles the filters of one query.
struct MatchCompiler {
    let query: Query
    let path: AccessPath
    /// Every search that the trigram index could make for this query.
    private(set) var trigrams: Set<AccessPath.Trigrams> = []

    /// Tables above the query's own that conditions speak of.
    private(set) var tables: Set<QueryLevel> = []
    /// Conditions on the entity and its ancestors.
    private var own: [SQLCondition] = []
    /// Conditions on descendants, by level.
    private var below: [QueryLevel: [SQLCondition]] = [:]

    init(_ query: Query, by path: AccessPath = .lists(nil)) {
        self.query = query
        self.path = path
        var filters = query.filters
        if query.combinesDateAndTime {
            for (tag, key) in query.filters {
                guard let date = Attribute.of(tag), let time = date.timePartner, let other = filters[time.tag] else {
                    continue
                }
                guard let condition = combined(date, key, time, other) else { continue }
                add(condition, at: date.level)
                filters[tag] = nil
                filters[time.tag] = nil
            }
        }
        // In order of tags, so that equal queries are equal SQL.
        for (tag, key) in filters.sorted(by: { $0.key < $1.key }) {
            guard let attribute = Attribute.of(tag), key != .universal else { continue }
            add(self.condition(attribute, key), at: attribute.level)
        }
        addConfinements()
    }

    /// Filters on items of sequences, the studies that the query is confined to, and where the page before ended.
    private mutating func addConfinements() {
        for (attribute, key) in query.itemFilters.sorted(by: { $0.key.ordinal < $1.key.ordinal }) {
            if key != .universal { add(condition(attribute, key), at: attribute.level) }
        }
        if let studies = query.studies { add(.any(of: studies.sorted(), in: "study.uid"), at: .study) }
        if let after = query.after {
            // A study that is gone meanwhile leaves its time behind: nothing is passed over.
            let last = "coalesce((SELECT id FROM study WHERE uid = ?), 9223372036854775807)"
            let key = TimeRange.normalized(after.studyTime) ?? ""
            add(
                SQLCondition(
                    "(study.studyDate, study.studyTimeKey, study.id) < (?, ?, \(last))",
                    [after.studyDate.sql, key.sql, after.studyInstanceUID.sql]), at: .study)
        }
    }

    private mutating func add(_ condition: SQLCondition, at level: QueryLevel) {
        if level > query.level {
            below[level, default: []].append(condition)
        } else {
            own.append(condition)
            tables.insert(level)
        }
    }

    /// The whole restriction. Descendants match when one and the same of them meets all conditions of its level and
    /// of the levels between.
    var condition: SQLCondition {
        guard let deepest = below.keys.max() else { return .all(own) }
        let parts = below.values.flatMap(\.self)
        let path = QueryLevel.allCases.filter { $0 > query.level && $0 <= deepest }
        guard let top = path.first else { return .all(own) }
        var from = top.table
        for level in path.dropFirst() {
            let above = Self.above(level)
            from += " JOIN \(level.table) ON \(level.table).\(above.table) = \(above.table).id"
        }
        let inner = SQLCondition.all(parts)
        let link = "\(top.table).\(query.level.table) = \(query.level.table).id"
        return .all(
            own + [SQLCondition("EXISTS (SELECT 1 FROM \(from) WHERE \(link) AND \(inner.sql))", inner.arguments)])
    }

    static func above(_ level: QueryLevel) -> QueryLevel { QueryLevel(rawValue: level.rawValue - 1) ?? .patient }

    // MARK: - One attribute

    private mutating func condition(_ attribute: Attribute, _ key: MatchingKey) -> SQLCondition {
        switch key {
        case .universal: .always
        case .single(let value): equal(attribute, value)
        case .list(let values):
            if attribute.isMultiple || [.time, .dateTime, .date, .integer, .personName].contains(attribute.kind) {
                .some(values.map { equal(attribute, $0) })
            } else {
                .any(of: values.map(\.trimmed.normalForm), in: attribute.column)
            }
        case .wildcard(let pattern): wildcard(attribute, pattern.trimmed.normalForm)
        case .range(let lower, let upper):
            range(attribute, TemporalBounds("\(lower ?? "")-\(upper ?? "")", for: attribute.kind))
        case .personName(let pattern): name(attribute, pattern)
        }
    }

    /// Single value matching (PS3.4 Section C.2.2.2.1): case-sensitive, but for names.
    private mutating func equal(_ attribute: Attribute, _ value: String) -> SQLCondition {
        let value = value.trimmed.normalForm
        switch attribute.kind {
        case .personName: return name(attribute, PersonNamePattern(value))
        case .date, .time, .dateTime:
            guard let bounds = TemporalBounds(value, for: attribute.kind) else { break }
            return range(attribute, bounds)
        case .integer: return SQLCondition("\(attribute.column) = ?", [Int64(value)?.sql ?? value.sql])
        case .code, .text, .uid: break
        }
        guard attribute.isMultiple else { return SQLCondition("\(attribute.column) = ?", [value.sql]) }
        return SQLCondition("instr('\\' || \(attribute.column) || '\\', ?) > 0", ["\\\(value)\\".sql])
    }

    /// Wild card matching (PS3.4 Section C.2.2.2.4).
    private mutating func wildcard(_ attribute: Attribute, _ pattern: String) -> SQLCondition {
        var parts: [SQLCondition] = []
        let literal = pattern.prefix { $0 != "*" && $0 != "?" }
        if !literal.isEmpty, !attribute.isMultiple {
            let bounds = [String(literal).sql, (literal + "\u{10FFFF}").sql]
            parts.append(SQLCondition("\(attribute.column) >= ? AND \(attribute.column) < ?", bounds))
            if pattern.dropFirst(literal.count) == "*" { return .all(parts) }
        }
        let pieces = pattern.split { $0 == "*" || $0 == "?" }.map(String.init)
        parts += candidates(attribute, column: attribute.column, pieces: literal.isEmpty ? pieces : [])
        let function = attribute.isMultiple ? "dicom_like_any" : "dicom_like"
        parts.append(SQLCondition("\(function)(?, \(attribute.column))", [pattern.sql]))
        return .all(parts)
    }

    private mutating func name(_ attribute: Attribute, _ pattern: PersonNamePattern) -> SQLCondition {
        let column = attribute.keyColumn ?? attribute.column
        if pattern.isUniversal { return .always }
        // What a study list sends: *piece*. Containing the piece is all there is to it, no function need look again.
        if let piece = pattern.searchWords.first, pattern.folded == "*\(piece)*" {
            return .all(candidates(attribute, column: column, pieces: [piece]))
        }
        let decide = SQLCondition("dicom_name(?, \(column))", [pattern.folded.sql])
        return .all(candidates(attribute, column: column, pieces: pattern.searchWords) + [decide])
    }

    private static let mostPieces = 16

    /// Cheap conditions that every match meets: trigrams for pieces of three characters and more, else a plain search.
    private mutating func candidates(_ attribute: Attribute, column: String, pieces: [String]) -> [SQLCondition] {
        // What decides looks at all of them; a few leave few enough.
        let pieces = Array(pieces.prefix(Self.mostPieces))
        let (long, short) = (
            pieces.filter { $0.unicodeScalars.count >= 3 }, pieces.filter { $0.unicodeScalars.count < 3 }
        )
        func plain(_ pieces: [String]) -> [SQLCondition] {
            let conditions = pieces.map { SQLCondition("instr(\(column), ?) > 0", [$0.sql]) }
            // A walk over the index of names is shorter than one over the studies of everyone.
            guard attribute == .patientName, query.level > .patient, path != .walk else { return conditions }
            return conditions.map {
                SQLCondition("patient.id IN (SELECT patient.id FROM patient WHERE \($0.sql))", $0.arguments)
            }
        }
        guard let index = attribute.trigrams, !long.isEmpty else { return plain(pieces) }
        let words = long.map { "\"" + $0.replacing("\"", with: "\"\"") + "\"" }.joined(separator: " AND ")
        let search = AccessPath.Trigrams(table: index.table, match: "\(index.column) : (\(words))")
        trigrams.insert(search)
        if case .lists(let chosen) = path, chosen?.contains(search) ?? true {
            let rows = "SELECT rowid FROM \(search.table) WHERE \(search.table) MATCH ?"
            return [SQLCondition("\(attribute.level.table).id IN (\(rows))", [search.match.sql])]
                + short.map { SQLCondition("instr(\(column), ?) > 0", [$0.sql]) }
        }
        return pieces.map { SQLCondition("instr(\(column), ?) > 0", [$0.sql]) }
    }

    // MARK: - Ranges

    /// Range matching (PS3.4 Section C.2.2.2.5): entities without a value match no range, and a range that is none
    /// matches nothing.
    private func range(_ attribute: Attribute, _ bounds: TemporalBounds?) -> SQLCondition {
        guard let bounds else { return .never }
        let column = comparable(attribute)
        var parts = [SQLCondition("\(lowerBound(attribute, column)) >= ?", [(bounds.lower ?? "0").sql])]
        if let upper = bounds.upper { parts.append(SQLCondition("\(column) <= ?", [upper.sql])) }
        return .all(parts)
    }

    /// A range of dates with a range of times as one range of points in time (PS3.4 Section C.2.2.2.5.4); nil when
    /// they are not such a pair.
    private func combined(
        _ date: Attribute, _ dates: MatchingKey, _ time: Attribute, _ times: MatchingKey
    ) -> SQLCondition? {
        guard case .range(let firstDay, let lastDay) = dates, case .range(let firstTime, let lastTime) = times,
            let days = TemporalBounds("\(firstDay ?? "")-\(lastDay ?? "")", for: .date),
            let hours = TemporalBounds("\(firstTime ?? "")-\(lastTime ?? "")", for: .time)
        else { return nil }
        let clock = "coalesce(\(comparable(time)), '')"
        let first = lowerBound(date, date.column)
        var parts = [SQLCondition("\(first) >= ?", [(days.lower ?? "0").sql])]
        if let lower = days.lower {
            let instant = [lower.sql, (hours.lower ?? "").sql]
            parts.append(SQLCondition("(\(first), \(clock)) >= (?, ?)", instant))
        }
        if let upper = days.upper {
            let instant = [upper.sql, (hours.upper ?? "235960").sql]
            parts.append(SQLCondition("\(date.column) <= ?", [upper.sql]))
            parts.append(SQLCondition("(\(date.column), \(clock)) <= (?, ?)", instant))
        }
        return .all(parts)
    }

    /// A walk brings its own lower bound, which is the one that the index must go by: the plus takes the other from it.
    private func lowerBound(_ attribute: Attribute, _ column: String) -> String {
        path == .walk && attribute == .studyDate ? "+" + column : column
    }

    /// The expression that compares as text; NULL or empty when the entity has no value.
    private func comparable(_ attribute: Attribute) -> String {
        switch attribute.kind {
        case .time: attribute.keyColumn ?? "dicom_time(\(attribute.column))"
        case .dateTime: "dicom_datetime(\(attribute.column))"
        case .date, .code, .text, .personName, .uid, .integer: attribute.column
        }
    }
}

/// The bounds of a temporal key in normal form; a value of less than full precision is the span it covers.
struct TemporalBounds {
    let lower: String?
    let upper: String?

    init?(_ key: String, for kind: Attribute.Kind) {
        switch kind {
        case .date:
            guard let range = DateRange(key) else { return nil }
            (lower, upper) = (range.lower, range.upper)
        case .time:
            guard let range = TimeRange(key) else { return nil }
            (lower, upper) = (range.lower, range.upper)
        case .dateTime:
            guard let range = DateTimeRange(key) else { return nil }
            (lower, upper) = (range.lower, range.upper)
        case .code, .text, .personName, .uid, .integer: return nil
        }
    }
}
