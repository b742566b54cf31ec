// A piece of SQL with its arguments, and how pieces are put together.

import Foundation
import GRDB

/// A condition and the values of its question marks.
struct SQLCondition {
    let sql: String
    let arguments: [DatabaseValue]

    init(_ sql: String, _ arguments: [DatabaseValue] = []) {
        self.sql = sql
        self.arguments = arguments
    }

    static let always = SQLCondition("1")
    static let never = SQLCondition("0")

    /// The column equals one of the values.
    static func any(of values: [String], in column: String) -> SQLCondition {
        if values.isEmpty { return .never }
        if values.count == 1 { return SQLCondition("\(column) = ?", [values[0].sql]) }
        if values.count > 256, let list = try? JSONEncoder().encode(values) {
            let json = String(decoding: list, as: UTF8.self)
            return SQLCondition("\(column) IN (SELECT value FROM json_each(?))", [json.sql])
        }
        let marks = repeatElement("?", count: values.count).joined(separator: ", ")
        return SQLCondition("\(column) IN (\(marks))", values.map(\.sql))
    }

    static func all(_ parts: [SQLCondition]) -> SQLCondition { joined(parts, by: " AND ") ?? .always }

    static func some(_ parts: [SQLCondition]) -> SQLCondition { joined(parts, by: " OR ") ?? .never }

    private static func joined(_ parts: [SQLCondition], by word: String) -> SQLCondition? {
        guard let first = parts.first else { return nil }
        if parts.count == 1 { return first }
        return SQLCondition(Self.balanced(parts[...], by: word), parts.flatMap(\.arguments))
    }

    /// Long chains in halves: SQLite takes no more than a thousand levels.
    private static func balanced(_ parts: ArraySlice<SQLCondition>, by word: String) -> String {
        guard parts.count > 16 else { return "(" + parts.map(\.sql).joined(separator: word) + ")" }
        let middle = parts.startIndex + parts.count / 2
        return "(" + balanced(parts[..<middle], by: word) + word + balanced(parts[middle...], by: word) + ")"
    }
}
