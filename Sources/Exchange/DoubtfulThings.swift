// What the centre remembers of trouble, in memory and within bounds: copies that rotted, forms that decoders ended over.

import Catalog
import Synchronization
import Volumes

/// Copies whose octets were not those that were received when they were read again. They count as absent, so that a station
/// sends the object again and the good one takes the place of the bad one.
final class UnsoundCopies: Sendable {
    private struct Copy: Hashable {
        let sopInstanceUID: String
        let place: Place
    }

    private let copies = Mutex<Set<Copy>>([])
    /// More are forgotten, and found again at the next proof.
    private static let most = 100_000

    func note(_ uid: String, _ place: Place, isSound: Bool) {
        copies.withLock { copies in
            if isSound {
                copies.remove(Copy(sopInstanceUID: uid, place: place))
            } else {
                if copies.count >= Self.most { copies = [] }
                copies.insert(Copy(sopInstanceUID: uid, place: place))
            }
        }
    }

    func contains(_ uid: String, _ place: Place) -> Bool {
        copies.withLock { !$0.isEmpty && $0.contains(Copy(sopInstanceUID: uid, place: place)) }
    }
}

/// How often decoders ended over a coded form. Once says nothing: the machine may have had too much to do.
final class LostDecodings: Sendable {
    private let losses = Mutex<[[UInt8]: Int]>([:])
    private static let most = 10_000
    /// So many losses are the form's own fault.
    private static let enough = 3

    /// - Returns: whether the form is not to be tried again.
    func isHopeless(afterLossOf digest: [UInt8]) -> Bool {
        losses.withLock { losses in
            if losses.count >= Self.most { losses = [:] }
            let count = (losses[digest] ?? 0) + 1
            losses[digest] = count < Self.enough ? count : nil
            return count >= Self.enough
        }
    }
}
