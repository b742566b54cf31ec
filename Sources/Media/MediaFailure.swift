// Why an import or an export ended before its end.

import Glibc

/// The failures of this room. None carries a path or a value of a patient: reports name paths, errors do not.
package enum MediaFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The operating system refused `operation`.
    case io(errno: Int32, operation: String)
    /// The disk of the archive, or that of the target, is full.
    case outOfSpace
    /// The archive file, disc or directory cannot be read.
    case damaged(reason: String)
    /// The archive's own storage failed.
    case storage(reason: String)
    /// The target of an export exists and is not empty.
    case targetNotEmpty
    /// Nothing was chosen to be exported.
    case nothingToExport
    /// Another import of the same source is at work.
    case alreadyRunning
    /// Somebody called `cancel()`.
    case cancelled

    static func system(_ number: Int32, _ operation: String) -> MediaFailure {
        switch number {
        case ENOSPC, EDQUOT, EFBIG: .outOfSpace
        default: .io(errno: number, operation: operation)
        }
    }

    package var description: String {
        switch self {
        case .io(let number, let operation): "\(operation): \(Self.text(of: number))"
        case .outOfSpace: "no space left"
        case .damaged(let reason): reason
        case .storage(let reason): "the archive's storage failed: \(reason)"
        case .targetNotEmpty: "the target exists and is not empty"
        case .nothingToExport: "nothing to export"
        case .alreadyRunning: "another import of the same source is at work"
        case .cancelled: "cancelled"
        }
    }

    private static func text(of number: Int32) -> String {
        guard let text = unsafe strerror(number) else { return "error \(number)" }
        return unsafe String(cString: text)
    }
}
