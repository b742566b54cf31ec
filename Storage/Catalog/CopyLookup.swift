// The look-up that every object waits for when it comes, apart from the connections that searches share.

import Foundation
import GRDB
import Synchronization

/// Finds the copies of an object on a reading connection of its own: however many searches run, and for however long, none
/// of them keeps an object out. Callers take turns, each for a look into one index.
package final class CopyLookup: Sendable {
    private let path: String
    private let connection = Mutex<DatabaseQueue?>(nil)

    package init(_ catalog: CatalogStore) { path = catalog.path }

    /// As `CatalogStore.copies(sopInstanceUID:)`.
    package func copies(sopInstanceUID uid: String) throws(CatalogError) -> [StoredCopy] {
        do {
            let queue = try open()
            guard try queue.unsafeRead({ db in try CatalogStore.isKnown(db, uid: uid) }) else { return [] }
            return try queue.read { db in try CatalogStore.copies(db, uid: uid) }
        } catch { throw CatalogError(error) }
    }

    /// The last to close the file's connections puts what is in its log into the file, which one that only reads cannot.
    package func close() {
        connection.withLock { known in
            try? known?.close()
            known = nil
        }
    }

    /// At the first object, and again at the next one when that failed.
    private func open() throws -> DatabaseQueue {
        try connection.withLock { known in
            if let known { return known }
            var configuration = Configuration()
            configuration.label = "catalog-copies"
            configuration.readonly = true
            configuration.busyMode = .timeout(10)
            // The upper levels of one index; the rest is in the cache of the system.
            configuration.prepareDatabase { db in try db.execute(sql: "PRAGMA cache_size = -8192") }
            let made = try DatabaseQueue(path: path, configuration: configuration)
            known = made
            return made
        }
    }
}
