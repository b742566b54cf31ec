// The failures of the records, and where SQLite's codes become ours.

import GRDB

/// Why a record could not be read or written.
package enum RecordsError: Error, Hashable, Sendable {
    /// The value of this field is not allowed; `reason` says what is.
    case invalid(field: String, reason: String)
    /// A peer or an account of this name exists already; names differ by more than case.
    case nameTaken
    /// No such record.
    case notFound
    case full
    case busy
    case corrupt
    case newerSchema(version: Int)
    /// Any other failure, with SQLite's extended result code.
    case failed(code: Int32)

    /// Maps what GRDB throws.
    init(_ error: any Error) {
        if let own = error as? RecordsError {
            self = own
            return
        }
        guard let error = error as? DatabaseError else {
            self = .failed(code: -1)
            return
        }
        switch error.resultCode {
        case .SQLITE_FULL: self = .full
        case .SQLITE_BUSY, .SQLITE_LOCKED: self = .busy
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .corrupt
        default: self = .failed(code: error.extendedResultCode.rawValue)
        }
    }
}
