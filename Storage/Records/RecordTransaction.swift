// One transaction over the records: all of it lands, or none.

import Foundation
import GRDB

/// The records inside one transaction. Valid only in the closure that is given it.
package struct RecordTransaction {
    let db: Database
    /// Microseconds since 1970, the same for everything of this transaction.
    package let now: Int64
}

extension RecordStore {
    /// Runs `body` in one transaction, durable when this returns; whatever it throws takes everything back.
    ///
    /// Errors of the records pass as `RecordsError`, others as they are.
    package func transaction<Value>(_ body: (RecordTransaction) throws -> Value) throws -> Value {
        let at = now()
        do {
            return try pool.write { db in try body(RecordTransaction(db: db, now: at)) }
        } catch let error as DatabaseError {
            throw RecordsError(error)
        }
    }

    /// As `transaction`, durable against the end of the process but not of the machine: for what may be found out again.
    package func lightTransaction<Value>(_ body: (RecordTransaction) throws -> Value) throws -> Value {
        let at = now()
        do {
            return try pool.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA synchronous = NORMAL")
                defer { try? db.execute(sql: "PRAGMA synchronous = FULL") }
                var value: Value?
                try db.inTransaction(.immediate) {
                    value = try body(RecordTransaction(db: db, now: at))
                    return .commit
                }
                guard let value else { throw RecordsError.failed(code: -1) }
                return value
            }
        } catch let error as DatabaseError {
            throw RecordsError(error)
        }
    }

    /// Runs `body` over one unchanging view of the records.
    package func view<Value>(_ body: (RecordTransaction) throws -> Value) throws -> Value {
        let at = now()
        do {
            return try pool.read { db in try body(RecordTransaction(db: db, now: at)) }
        } catch let error as DatabaseError {
            throw RecordsError(error)
        }
    }
}

/// Statements of fixed text are kept ready, for as long as the connection lives: text that is made of what a caller asks
/// must not be among them, or each new shape would stay for ever.
extension RecordTransaction {
    func run(_ sql: String, _ arguments: StatementArguments) throws {
        try db.cachedStatement(sql: sql).execute(arguments: arguments)
    }

    /// Inserts, and gives the new row's number.
    func insert(_ sql: String, _ arguments: StatementArguments) throws -> Int64 {
        try run(sql, arguments)
        return db.lastInsertedRowID
    }

    func rows(_ sql: String, _ arguments: StatementArguments = []) throws -> [Row] {
        try Row.fetchAll(db.cachedStatement(sql: sql), arguments: arguments)
    }

    func row(_ sql: String, _ arguments: StatementArguments = []) throws -> Row? {
        try Row.fetchOne(db.cachedStatement(sql: sql), arguments: arguments)
    }

    /// Rows of a statement whose text is made of what was asked.
    func rows(composed sql: String, _ arguments: [any DatabaseValueConvertible]) throws -> [Row] {
        try Row.fetchAll(db, sql: sql, arguments: StatementArguments(arguments))
    }
}

/// Lists as one argument, for `IN (SELECT value FROM json_each(?))`: the text of the statement stays the same.
enum ListArgument {
    static func text(_ numbers: some Sequence<Int64>) -> String {
        "[" + numbers.map { "\($0)" }.joined(separator: ",") + "]"
    }

    static func text(_ texts: some Sequence<String>) throws -> String {
        String(decoding: try JSONEncoder().encode(Array(texts)), as: UTF8.self)
    }
}

/// The JSON of bodies: keys in order, so that equal values are equal text.
enum Body {
    static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    private static let decoder = JSONDecoder()

    static func value<Value: Decodable>(_ text: String, as type: Value.Type = Value.self) throws -> Value {
        try decoder.decode(type, from: Data(text.utf8))
    }

    /// A row that an earlier version wrote does not know every key: what it lacks is as in a new value.
    static func value<Value: Blank>(_ text: String, as type: Value.Type = Value.self) throws -> Value {
        let data = Data(text.utf8)
        do { return try decoder.decode(type, from: data) } catch DecodingError.keyNotFound {
            let known = try JSONSerialization.jsonObject(with: data)
            let blank = try JSONSerialization.jsonObject(with: Data(Self.text(Value()).utf8))
            return try decoder.decode(
                type, from: JSONSerialization.data(withJSONObject: Self.filled(known, from: blank)))
        }
    }

    private static func filled(_ known: Any, from blank: Any) -> Any {
        guard let known = known as? [String: Any], let blank = blank as? [String: Any] else { return known }
        return blank.merging(known) { filled($1, from: $0) }
    }
}

/// What a body holds while nothing is known.
protocol Blank: Codable {
    init()
}
