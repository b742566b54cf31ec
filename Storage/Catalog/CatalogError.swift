// The failures of the catalogue, and where SQLite's codes become ours.

import GRDB

/// Why the catalogue could not do what was asked. No case carries values of patients.
package enum CatalogError: Error, Hashable, Sendable {
    /// No space left: writes fail until there is some again, reads go on.
    case full
    /// Another process held the write lock for longer than the busy timeout.
    case busy
    /// The file is damaged or is no catalogue: rebuild it from the volumes.
    case corrupt
    /// The file was written by a later version of this program.
    case newerSchema(version: Int)
    /// Nothing in the catalogue answers to the identifier given.
    case notFound
    /// The bytes of the batch did not become durable, so nothing of it was enrolled.
    case withdrawn
    /// Any other failure, with SQLite's extended result code.
    case failed(code: Int32)

    /// Maps what GRDB throws.
    package init(_ error: any Error) {
        if let own = error as? CatalogError {
            self = own
            return
        }
        guard let error = error as? DatabaseError else {
            self = .failed(code: -1)
            return
        }
        switch error.extendedResultCode {
        case .SQLITE_IOERR_SHMSIZE, .SQLITE_IOERR_SHMMAP: self = .full
        default:
            switch error.resultCode {
            case .SQLITE_FULL: self = .full
            case .SQLITE_BUSY, .SQLITE_LOCKED: self = .busy
            case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .corrupt
            default: self = .failed(code: error.extendedResultCode.rawValue)
            }
        }
    }
}
