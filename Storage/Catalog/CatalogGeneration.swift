// A number that changes with every commit, whichever process made it: what answers kept in memory are held against.

import GRDB

/// Watches the catalogue of one archive through a connection of its own.
package final class CatalogGeneration: Sendable {
    private let queue: DatabaseQueue

    /// - Throws: `CatalogError` when the file cannot be opened; the catalogue must be there already.
    package init(_ catalog: CatalogStore) throws(CatalogError) {
        var configuration = Configuration()
        configuration.label = "generation"
        configuration.readonly = true
        do { queue = try DatabaseQueue(path: catalog.path, configuration: configuration) } catch {
            throw CatalogError(error)
        }
    }

    /// The number of now. What was read before a call gives the same number may be older than what it stands for, never
    /// newer: ask first, then read.
    ///
    /// SQLite gives every connection a number that moves when another connection has committed; this one never writes,
    /// so all commits are of others. It costs a look into shared memory.
    package func current() throws(CatalogError) -> Int64 {
        do {
            return try queue.unsafeRead { db in
                guard let row = try db.first("PRAGMA data_version") else { throw CatalogError.corrupt }
                return row[0]
            }
        } catch { throw CatalogError(error) }
    }

    /// Closes the connection; later calls fail.
    package func close() throws(CatalogError) {
        do { try queue.close() } catch { throw CatalogError(error) }
    }
}
