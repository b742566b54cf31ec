// Gives stored objects back: their bytes as received, their header, or their pixels in a syntax the asker knows.

package import Catalog
package import DICOMCore
package import Volumes

/// Why an object, or a form of it, cannot be given.
package enum RetrievalFailure: Error, Equatable, Sendable {
    /// The catalogue does not know it, or it was deleted meanwhile.
    case absent
    /// No codec here turns its transfer syntax into one that the asker accepts.
    case notConvertible(from: String, reason: String)
    /// Its bytes cannot be read.
    case unreadable(reason: String)
    /// The disk has no room for what had to be made of it.
    case outOfSpace
    /// The codecs have too much to do.
    case busy
}

/// Reads instances that the catalogue has named.
package final class InstanceRetrieval: Sendable {
    private let volumes: VolumeStore
    let converter: Converter
    let images = ImageCache()

    /// - Parameter converter: the codecs, away from this process.
    package init(volumes: VolumeStore, converter: Converter) {
        self.volumes = volumes
        self.converter = converter
    }

    /// The object as it was received.
    package func stored(_ instance: StoredInstance) -> StoredObject {
        StoredObject(instance: instance, volumes: volumes)
    }

    /// Everything before the pixel data.
    package func header(of instance: StoredInstance) throws(RetrievalFailure) -> DataSet {
        try PixelSource(stored(instance)).header().dataSet
    }
}

/// The bytes of one stored instance, read by range.
package struct StoredObject: Sendable {
    package let instance: StoredInstance
    let volumes: VolumeStore

    /// Length of the Part 10 file.
    package var length: Int64 { instance.place.length }

    /// Part of the Part 10 file.
    package func read(from offset: Int64, count: Int) throws(RetrievalFailure) -> [UInt8] {
        do throws(VolumeFailure) {
            return try volumes.read(instance.place, from: offset, count: count)
        } catch .erased {
            throw .absent
        } catch {
            throw .unreadable(reason: "\(error)")
        }
    }

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
}
