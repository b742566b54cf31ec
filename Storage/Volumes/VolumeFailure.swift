// The one error type of this room, and where errno becomes it.

import Glibc

/// What can go wrong with a volume. Carries no patient data: numbers, offsets and names of operations only.
package enum VolumeFailure: Error, Equatable, Sendable {
    /// The file system is full, or fuller than the reserve allows. Appends work again once space returns.
    case noSpace
    /// The operating system refused `operation`.
    case io(errno: Int32, operation: String)
    /// The bytes at `offset` are not what Phim wrote there.
    case corrupt(volume: Int, offset: Int64, reason: String)
    /// The entry was deleted; its place remains, its body does not.
    case erased
    /// There is no such volume.
    case notFound(volume: Int)
    /// The caller's entry cannot be written as a tar entry (a UID that is none, a record key with `=`).
    case invalidEntry(reason: String)
    /// The store, or the streamed entry, was closed before.
    case closed

    /// The failure for `errno` after `operation`; a full disk and an exhausted quota are the same to the caller.
    package static func system(_ number: Int32, _ operation: String) -> VolumeFailure {
        switch number {
        case ENOSPC, EDQUOT, EFBIG: .noSpace
        default: .io(errno: number, operation: operation)
        }
    }

    /// Whether this is `operation`-independent errno `number`.
    func isErrno(_ number: Int32) -> Bool {
        if case .io(number, _) = self { true } else { false }
    }
}

/// What is wrong with a volume, beside what callers are told: nothing is lost, but somebody should look at the disk.
package enum VolumeTrouble: Equatable, Sendable {
    /// A full volume could not be cut to its end, or not be listed; the next start does it.
    case unsealed(volume: Int, VolumeFailure)
    /// What had failed could not be cleared from a volume: nothing more is appended to it before the next start.
    case abandoned(volume: Int, VolumeFailure)
}
