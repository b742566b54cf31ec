// The few statements that run for every instance, bound and read in place: GRDB's arrays of values cost more there than
// SQLite itself. The one file of this room that speaks to SQLite's own functions.

import GRDB
import GRDBSQLite

/// A statement that is prepared once per connection. Bindings do not outlive a run.
struct HotStatement {
    private let db: Database
    /// GRDB's statement owns the handle.
    private let owner: Statement

    init(_ db: Database, _ sql: String) throws {
        self.db = db
        owner = try db.cachedStatement(sql: sql)
    }

    /// Runs a statement that gives no rows.
    func run(_ bind: (inout Values) -> Void) throws {
        _ = try first(bind) { _ in () }
    }

    /// Reads the first row, nil when there is none.
    func first<Value>(_ bind: (inout Values) -> Void, _ read: (Columns) -> Value) throws -> Value? {
        let handle = unsafe owner.sqliteStatement
        defer {
            unsafe sqlite3_reset(handle)
            unsafe sqlite3_clear_bindings(handle)
        }
        var values = unsafe Values(handle: handle)
        bind(&values)
        guard values.code == SQLITE_OK else { throw failure(values.code) }
        let code = unsafe sqlite3_step(handle)
        switch code {
        case SQLITE_ROW: return read(unsafe Columns(handle: handle))
        case SQLITE_DONE: return nil
        default: throw failure(unsafe sqlite3_extended_errcode(db.sqliteConnection))
        }
    }

    private func failure(_ code: Int32) -> DatabaseError {
        DatabaseError(resultCode: ResultCode(rawValue: code))
    }
}

extension HotStatement {
    /// The arguments of one run, in the order of the question marks.
    @safe struct Values {
        private let handle: OpaquePointer
        private var index: Int32 = 0
        /// The first code that was no success.
        fileprivate private(set) var code = SQLITE_OK

        fileprivate init(handle: OpaquePointer) { unsafe self.handle = handle }

        /// SQLite copies what it is given before the call returns.
        private static let copied = unsafe unsafeBitCast(-1, to: sqlite3_destructor_type.self)

        mutating func bind(_ value: Int64) {
            index += 1
            note(unsafe sqlite3_bind_int64(handle, index, value))
        }

        mutating func bind(_ value: Int) { bind(Int64(value)) }

        mutating func bind(_ text: String) {
            index += 1
            var text = text
            let code = text.withUTF8 { bytes in
                unsafe bytes.withMemoryRebound(to: CChar.self) { characters in
                    // A null pointer would bind NULL where the text is empty.
                    guard let start = characters.baseAddress else {
                        return unsafe sqlite3_bind_text(handle, index, "", 0, Self.copied)
                    }
                    return unsafe sqlite3_bind_text(
                        handle, index, start, Int32(characters.count), Self.copied)
                }
            }
            note(code)
        }

        mutating func bind(_ bytes: [UInt8]) {
            index += 1
            let code = unsafe bytes.withUnsafeBytes { buffer in
                guard let start = buffer.baseAddress else {
                    return unsafe sqlite3_bind_zeroblob(handle, index, 0)
                }
                return unsafe sqlite3_bind_blob(handle, index, start, Int32(buffer.count), Self.copied)
            }
            note(code)
        }

        mutating func bindNull() {
            index += 1
            note(unsafe sqlite3_bind_null(handle, index))
        }

        private mutating func note(_ code: Int32) {
            if self.code == SQLITE_OK { self.code = code }
        }
    }

    /// The columns of the row at hand, from 0.
    @safe struct Columns {
        private let handle: OpaquePointer

        fileprivate init(handle: OpaquePointer) { unsafe self.handle = handle }

        func int64(_ column: Int32) -> Int64 { unsafe sqlite3_column_int64(handle, column) }

        func int(_ column: Int32) -> Int { Int(int64(column)) }

        /// Empty when the column is NULL.
        func text(_ column: Int32) -> String {
            guard let start = unsafe sqlite3_column_text(handle, column) else { return "" }
            let bytes = unsafe UnsafeBufferPointer(
                start: start, count: Int(sqlite3_column_bytes(handle, column)))
            return unsafe String(decoding: bytes, as: UTF8.self)
        }
    }
}
