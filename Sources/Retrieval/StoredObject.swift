// The bytes of one stored object, read by range: as they were received, or with the header that is true now.

package import Catalog
import DICOMCore
import Volumes

/// A Part 10 file.
package struct StoredObject: Sendable {
    package let instance: StoredInstance
    let volumes: VolumeStore
    private let form: Form

    private enum Form: Sendable {
        case received
        /// Other bytes in front; behind them the object goes on as it was received, from an offset.
        case corrected(head: [UInt8], resume: Int64)
        /// Made anew, for it was compressed as a whole.
        case made(OwnFile)
    }

    init(_ instance: StoredInstance, _ volumes: VolumeStore) {
        self.instance = instance
        self.volumes = volumes
        form = .received
    }

    private init(_ object: StoredObject, _ form: Form) {
        instance = object.instance
        volumes = object.volumes
        self.form = form
    }

    func with(head: [UInt8], resumingAt offset: Int64) -> StoredObject {
        StoredObject(self, .corrected(head: head, resume: offset))
    }

    func with(_ file: OwnFile) -> StoredObject { StoredObject(self, .made(file)) }

    /// What of it is held in memory.
    package var octetsHeld: Int {
        if case .corrected(let head, _) = form { head.count } else { 0 }
    }

    /// Length of the Part 10 file.
    package var length: Int64 {
        switch form {
        case .received: instance.place.length
        case .corrected(let head, let resume): Int64(head.count) + instance.place.length - resume
        case .made(let file): file.length
        }
    }

    /// Part of the Part 10 file.
    package func read(from offset: Int64, count: Int) throws(RetrievalFailure) -> [UInt8] {
        switch form {
        case .received: return try received(from: offset, count: count)
        case .corrected(let head, let resume):
            guard offset < head.count else {
                return try received(from: resume + offset - Int64(head.count), count: count)
            }
            let own = head[Int(offset)..<min(Int(offset) + count, head.count)]
            guard own.count < count else { return Array(own) }
            return try own + received(from: resume, count: count - own.count)
        case .made(let file): return try file.read(from: offset, count: count)
        }
    }

    /// Appends part of the Part 10 file to memory of the caller; the range lies inside the file.
    package func read(
        from offset: Int64, count: Int, into buffer: inout OutputRawSpan
    ) throws(RetrievalFailure) {
        switch form {
        case .received: try received(from: offset, count: count, into: &buffer)
        case .corrected(let head, let resume):
            var (offset, count) = (offset, count)
            if offset < head.count {
                let own = head[Int(offset)..<min(Int(offset) + count, head.count)]
                for byte in own { buffer.append(byte) }
                (offset, count) = (Int64(head.count), count - own.count)
            }
            guard count > 0 else { return }
            try received(from: resume + offset - Int64(head.count), count: count, into: &buffer)
        case .made(let file):
            for byte in try file.read(from: offset, count: count) { buffer.append(byte) }
        }
    }

    // MARK: As it was received

    /// Whether the bytes are still those that were received: all are read, and digested again.
    package func isWhole() throws(RetrievalFailure) -> Bool {
        do throws(VolumeFailure) {
            return try volumes.verify(instance.place, digest: instance.digest)
        } catch {
            switch error {
            case .erased: throw .absent
            case .corrupt, .notFound: return false
            case .noSpace, .io, .invalidEntry, .closed: throw .unreadable(reason: "\(error)")
            }
        }
    }

    private func received(from offset: Int64, count: Int) throws(RetrievalFailure) -> [UInt8] {
        do throws(VolumeFailure) { return try volumes.read(instance.place, from: offset, count: count) } catch {
            throw Self.failure(error)
        }
    }

    private func received(
        from offset: Int64, count: Int, into buffer: inout OutputRawSpan
    ) throws(RetrievalFailure) {
        do throws(VolumeFailure) {
            try volumes.read(instance.place, from: offset, count: count, into: &buffer)
        } catch { throw Self.failure(error) }
    }

    private static func failure(_ failure: VolumeFailure) -> RetrievalFailure {
        failure == .erased ? .absent : .unreadable(reason: "\(failure)")
    }
}
