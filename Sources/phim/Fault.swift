// What went wrong, in words for the person at the terminal, and the exit status for the script.

import Access
import Archive
import ArgumentParser
import Catalog
import Encounters
import Forwarding
import Glibc
import Media
import Records
import Volumes

/// Exit statuses (see `phim --help`).
enum ExitStatus {
    static let incomplete = ExitCode(1)
    static let cannotBegin = ExitCode(2)
}

/// A fault before any work was done: said on standard error, exit status 2.
func CannotBegin(_ message: String) -> ExitCode {
    Terminal.error(message)
    return ExitStatus.cannotBegin
}

/// The one place where failures become messages and exit statuses.
enum Fault {
    /// Says what failed on standard error and gives the exit status to throw; what is an exit status already passes.
    static func exit(for error: any Error) -> any Error {
        if error is ExitCode || error is ValidationError || error is CleanExit { return error }
        Terminal.error(words(error))
        return isBeforeWork(error) ? ExitStatus.cannotBegin : ExitStatus.incomplete
    }

    /// Like `exit(for:)`, for a failure while the archive was being opened: nothing has been done, whatever it is.
    static func opening(_ error: any Error) -> any Error {
        if error is ExitCode || error is ValidationError || error is CleanExit { return error }
        return CannotBegin(words(error))
    }

    private static func isBeforeWork(_ error: any Error) -> Bool {
        switch error {
        case is ArchiveError, is ConfigurationError: true
        case let error as RecordsError:
            switch error {
            case .invalid, .nameTaken, .notFound, .newerSchema: true
            default: false
            }
        case let error as EncounterFailure:
            switch error {
            case .records(let error): isBeforeWork(error)
            // All or nothing: what is refused has changed nothing.
            default: true
            }
        case let error as ForwardingFailure:
            switch error {
            case .invalid, .unknown, .conflict: true
            case .unavailable: false
            }
        case let error as MediaFailure:
            switch error {
            case .targetNotEmpty, .nothingToExport, .alreadyRunning: true
            default: false
            }
        default: false
        }
    }

    static func words(_ error: any Error) -> String {
        switch error {
        case let error as CatalogError: words(error)
        case let error as RecordsError: words(error)
        case let error as EncounterFailure: words(error)
        case let error as ForwardingFailure: error.sentence
        case let error as AccessFailure: error.words
        case let error as VolumeFailure: words(error)
        default: "\(error)"
        }
    }

    private static func words(_ error: CatalogError) -> String {
        switch error {
        case .full: "the index cannot be written: no space left"
        case .busy: "the index is held by another process for too long; try again"
        case .corrupt: "the index is damaged; phim rebuild-index makes it anew"
        case .newerSchema(let version): "the index is of a later version of Phim (schema \(version))"
        case .notFound: "the index has nothing of this name"
        case .withdrawn: "the disk did not keep what was written; nothing of it was taken in"
        case .failed(let code): "the index cannot be used: SQLite error \(code)"
        }
    }

    static func words(_ error: RecordsError) -> String {
        switch error {
        case .invalid(let field, let reason): "\(field): \(reason)"
        case .nameTaken: "a peer of this name exists already; phim peer remove it first, or choose another name"
        case .notFound: "there is no peer of this name"
        case .full: "the records cannot be written: no space left"
        case .busy: "the records are held by another process for too long; try again"
        case .corrupt: "the records are damaged"
        case .newerSchema(let version): "the records are of a later version of Phim (schema \(version))"
        case .failed(let code): "the records cannot be used: SQLite error \(code)"
        }
    }

    private static func words(_ error: EncounterFailure) -> String {
        switch error {
        case .records(.notFound): error.sentence
        case .records(let error): words(error)
        default: error.sentence
        }
    }

    private static func words(_ error: VolumeFailure) -> String {
        switch error {
        case .noSpace: "no space left for volumes"
        case .io(let number, let operation): "\(operation): \(text(of: number))"
        case .corrupt(let volume, let offset, let reason): "volume \(volume) is damaged at \(offset): \(reason)"
        case .erased: "it was deleted meanwhile"
        case .notFound(let volume): "there is no volume \(volume)"
        case .invalidEntry(let reason): reason
        case .closed: "the volumes are closed"
        }
    }

    private static func text(of number: Int32) -> String {
        guard let text = unsafe strerror(number) else { return "error \(number)" }
        return unsafe String(cString: text)
    }
}
