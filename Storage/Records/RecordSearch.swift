// Searches over the hospital's records: conditions as SQL, and pages that stay true while rows are added.

import Foundation
import GRDB

/// How a date is compared with one that is sought; both are spans of time, as precise as they were written.
package struct SpanCondition: Hashable, Sendable {
    /// FHIR R4 Section 3.1.1.5.6, the prefixes of dates.
    package enum Comparison: String, CaseIterable, Sendable {
        case equal = "eq"
        case notEqual = "ne"
        case greater = "gt"
        case less = "lt"
        case greaterOrEqual = "ge"
        case lessOrEqual = "le"
        case startsAfter = "sa"
        case endsBefore = "eb"
        case approximately = "ap"
    }

    package let comparison: Comparison
    /// First and last second of the span that is sought, `yyyymmddHHMMSS`, local.
    package let low: String
    package let high: String

    package init(_ comparison: Comparison, low: String, high: String) {
        self.comparison = comparison
        self.low = low
        self.high = high
    }
}

/// Part of a search: where a page ends, and how many it may hold.
package struct RecordPage: Hashable, Sendable {
    /// The row number that the page before ended with; pages go from the newest row to the oldest, so that a row that is
    /// added moves no other to another page.
    package var before: Int64?
    package var limit: Int

    package init(before: Int64? = nil, limit: Int) {
        self.before = before
        self.limit = limit
    }
}

/// Conditions that must all hold.
struct SearchConditions {
    private(set) var texts: [String] = []
    private(set) var arguments: [any DatabaseValueConvertible] = []

    mutating func add(_ text: String, _ arguments: any DatabaseValueConvertible...) {
        texts.append(text)
        self.arguments += arguments
    }

    /// Any of several; none means nothing is found.
    mutating func add<Value>(anyOf values: [Value], _ body: (Value) -> (String, [any DatabaseValueConvertible])) {
        let parts = values.map(body)
        texts.append(parts.isEmpty ? "0" : "(" + parts.map(\.0).joined(separator: " OR ") + ")")
        arguments += parts.flatMap(\.1)
    }

    mutating func add(_ column: String, isOneOf values: [String]) throws {
        add("\(column) IN (SELECT value FROM json_each(?))", try ListArgument.text(values))
    }

    mutating func add(_ column: String, isOneOf numbers: Set<Int64>) {
        add("\(column) IN (SELECT value FROM json_each(?))", ListArgument.text(numbers.sorted()))
    }

    /// Rows of people who are seen as one of these.
    mutating func add(_ column: String, isOf roots: Set<Int64>) {
        add(
            "\(column) IN (SELECT id FROM patient WHERE root IN (SELECT value FROM json_each(?)))",
            ListArgument.text(roots.sorted()))
    }

    /// Compares the span from one text to another; texts are `yyyy[mm[dd[HH[MM[SS]]]]]`, empty when nothing is known.
    /// - Parameter end: nil where the span is one text; an end that is not known is not over yet.
    mutating func add(from start: String, to end: String? = nil, anyOf spans: [SpanCondition]) {
        let low = "substr(\(start) || substr('00000101000000', length(\(start)) + 1), 1, 14)"
        let last = { (text: String) in
            // A month ends with its own last day.
            let month = "substr(\(text), 1, 4) || '-' || substr(\(text), 5) || '-01'"
            return """
                CASE length(\(text)) WHEN 6 THEN strftime('%Y%m%d235959', \(month), '+1 month', '-1 day')
                ELSE \(text) || substr('00001231235959', length(\(text)) + 1) END
                """
        }
        let high =
            end.map { "(CASE \($0) WHEN '' THEN '99991231235959' ELSE \(last($0)) END)" } ?? "(\(last(start)))"
        add(anyOf: spans) { span in
            let (sought, until) = (span.low, span.high)
            let inside = "(\(low) >= ? AND \(high) <= ?)"
            let (text, arguments): (String, [String]) =
                switch span.comparison {
                case .equal: (inside, [sought, until])
                case .notEqual: ("NOT \(inside)", [sought, until])
                case .greater: ("\(high) > ?", [until])
                case .less: ("\(low) < ?", [sought])
                case .greaterOrEqual: ("(\(high) > ? OR \(inside))", [until, sought, until])
                case .lessOrEqual: ("(\(low) < ? OR \(inside))", [sought, sought, until])
                case .startsAfter: ("\(low) > ?", [until])
                case .endsBefore: ("\(high) < ?", [sought])
                case .approximately: ("(\(low) <= ? AND \(high) >= ?)", [until, sought])
                }
            // What an index can tell first: the beginning of a span is never later than its first second.
            var (near, bounds): (String, [String]) =
                switch span.comparison {
                case .equal, .lessOrEqual, .approximately: ("\(start) <= ?", [until])
                case .less, .endsBefore: ("\(start) <= ?", [sought])
                case .notEqual, .greater, .greaterOrEqual, .startsAfter: ("\(start) <> ''", [])
                }
            let isBounded: Bool =
                switch span.comparison {
                case .equal, .startsAfter: true
                // A span with an end of its own may have begun long before.
                case .greater, .greaterOrEqual, .approximately: end == nil
                case .notEqual, .less, .lessOrEqual, .endsBefore: false
                }
            if isBounded {
                near += " AND (\(start) >= ? OR \(start) IN (?, ?))"
                bounds += [sought.prefix(8), sought.prefix(6), sought.prefix(4)].map(String.init)
            }
            return ("(\(start) <> '' AND \(near) AND \(text))", bounds + arguments)
        }
    }
}

extension RecordTransaction {
    /// Rows of a table that meet all conditions, the newest row first; one more than the page holds when there are more.
    func search(_ table: String, _ conditions: SearchConditions, _ page: RecordPage) throws -> [Row] {
        var conditions = conditions
        if let before = page.before { conditions.add("\(table).id < ?", before) }
        return try rows(
            composed: """
                SELECT * FROM \(table) WHERE \((conditions.texts + ["1"]).joined(separator: " AND "))
                ORDER BY \(table).id DESC LIMIT ?
                """, conditions.arguments + [page.limit + 1])
    }

    /// How many rows meet all conditions, counted no further than a bound.
    func count(_ table: String, _ conditions: SearchConditions, to bound: Int) throws -> Int {
        try rows(
            composed: """
                SELECT count(*) FROM (SELECT 1 FROM \(table)
                    WHERE \((conditions.texts + ["1"]).joined(separator: " AND ")) LIMIT ?)
                """, conditions.arguments + [bound]
        ).first?[0] ?? 0
    }
}
