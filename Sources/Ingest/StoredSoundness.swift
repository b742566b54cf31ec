// Whether a stored copy is still what came, before anything is promised or erased on its account.

import Glibc
import Volumes

extension VolumeStore {
    /// Whether the file at `place` can be read and has this SHA-256; false when it was erased or its volume is gone.
    /// - Throws: where the system refuses, which says nothing of the bytes; a disk that cannot give them (EIO) does.
    func isSound(_ place: Place, digest: [UInt8]) throws(VolumeFailure) -> Bool {
        do throws(VolumeFailure) { return try verify(place, digest: digest) } catch {
            switch error {
            case .erased, .corrupt, .notFound, .io(errno: EIO, _): return false
            case .noSpace, .io, .invalidEntry, .closed: throw error
            }
        }
    }
}
