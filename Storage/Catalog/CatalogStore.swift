// The catalogue of one archive: opening its file, and the two doors through which everything else passes.

package import Foundation
import GRDB

/// The index over the volumes: a projection that can be lost and rebuilt. Calls block: make them on plain threads.
/// Several processes may open the same file; each writes in short immediate transactions.
package final class CatalogStore: Sendable {
    let pool: DatabasePool
    let path: String
    let effort: SearchEffort
    let now: @Sendable () -> Int64

    /// Opens or creates the catalogue and brings its schema up to date.
    /// - Parameters:
    ///   - readers: reading connections kept at most.
    ///   - now: microseconds since 1970, for the change feed.
    package init(
        path: String, readers: Int = 8, busyTimeout: TimeInterval = 10, effort: SearchEffort = SearchEffort(),
        now: @escaping @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970 * 1_000_000) }
    ) throws(CatalogError) {
        self.now = now
        self.path = path
        self.effort = effort
        var configuration = Configuration()
        configuration.label = "catalog"
        configuration.maximumReaderCount = readers
        configuration.busyMode = Self.turn(within: busyTimeout)
        configuration.prepareDatabase { db in
            for function in MatchFunctions.all { db.add(function: function) }
            // The volume is the truth and replays from the enrolled position: NORMAL loses no acknowledged byte.
            try db.execute(sql: "PRAGMA synchronous = NORMAL")
            try db.execute(sql: "PRAGMA cache_size = -65536")
            try db.execute(sql: "PRAGMA wal_autocheckpoint = 8192")
            try db.execute(sql: "PRAGMA journal_size_limit = 67108864")
        }
        do {
            pool = try DatabasePool(path: path, configuration: configuration)
            try pool.write { db in try Self.migrate(db) }
        } catch {
            throw CatalogError(error)
        }
    }

    /// Looks for the write lock again and again. SQLite's own handler sleeps up to a tenth of a second between two looks: who
    /// commits one batch after the other, and waits for the disk in each, would keep other processes out for many seconds.
    private static func turn(within seconds: TimeInterval) -> Database.BusyMode {
        let (often, frequent, seldom) = (1_000, 500, 2_000)
        return .callback { tries in
            let waited = min(tries, often) * frequent + max(0, tries - often) * seldom
            guard waited < Int(seconds * 1_000_000) else { return false }
            usleep(UInt32(tries < often ? frequent : seldom))
            return true
        }
    }

    /// Closes every connection; later calls fail.
    package func close() throws(CatalogError) {
        do { try pool.close() } catch { throw CatalogError(error) }
    }

    /// A consistent view, never blocked by writers.
    func read<Value>(_ body: (Database) throws -> Value) throws(CatalogError) -> Value {
        do { return try pool.read(body) } catch { throw CatalogError(error) }
    }

    /// One immediate transaction: all of it or nothing.
    func write<Value>(_ body: (Database) throws -> Value) throws(CatalogError) -> Value {
        do { return try pool.write(body) } catch { throw CatalogError(error) }
    }

    /// The same, and on stable storage when it returns: what precedes an erasure must not be undone by a power cut,
    /// or the catalogue would name bytes that are gone.
    func writeDurably<Value>(_ body: (Database) throws -> Value) throws(CatalogError) -> Value {
        do {
            return try pool.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA synchronous = FULL")
                defer { try? db.execute(sql: "PRAGMA synchronous = NORMAL") }
                var value: Value?
                try db.inTransaction(.immediate) {
                    value = try body(db)
                    return .commit
                }
                guard let value else { throw CatalogError.corrupt }
                return value
            }
        } catch { throw CatalogError(error) }
    }

    /// Runs the steps that the file has not seen, inside one immediate transaction, so that processes that open a
    /// new archive at the same moment do not meet half a schema.
    private static func migrate(_ db: Database) throws {
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        guard version <= Schema.migrations.count else { throw CatalogError.newerSchema(version: version) }
        for (index, migration) in Schema.migrations.enumerated().dropFirst(version) {
            try db.execute(sql: migration.sql)
            try db.execute(sql: "PRAGMA user_version = \(index + 1)")
        }
    }
}

extension Database {
    /// Runs a statement that is prepared once per connection.
    func run(_ sql: String, _ arguments: [DatabaseValue] = []) throws {
        try cachedStatement(sql: sql).execute(arguments: StatementArguments(arguments))
    }

    /// First row of a statement that is prepared once per connection.
    func first(_ sql: String, _ arguments: [DatabaseValue] = []) throws -> Row? {
        try Row.fetchOne(cachedStatement(sql: sql), arguments: StatementArguments(arguments))
    }

    /// All rows of a statement that is prepared once per connection.
    func all(_ sql: String, _ arguments: [DatabaseValue] = []) throws -> [Row] {
        try Row.fetchAll(cachedStatement(sql: sql), arguments: StatementArguments(arguments))
    }
}

extension DatabaseValueConvertible {
    /// Shorter at the many places where rows are written.
    var sql: DatabaseValue { databaseValue }
}
