// Gives stored objects back: their bytes as received, their header, or their pixels in a syntax the asker knows.

package import Catalog
package import DICOMCore
package import DICOMImaging
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
    /// The codecs, in processes of their own.
    package var codecs: CodecPool { converter.codecs }
    let images = ImageCache()

    /// - Parameter converter: the codecs, away from this process.
    package init(volumes: VolumeStore, converter: Converter) {
        self.volumes = volumes
        self.converter = converter
    }

    /// The object as it was received.
    package func stored(_ instance: StoredInstance) -> StoredObject {
        StoredObject(instance, volumes)
    }

    /// Everything before the pixel data, as it goes out.
    package func header(of instance: StoredInstance) throws(RetrievalFailure) -> DataSet {
        let header = try PixelSource(stored(instance)).header()
        guard let correction = instance.correction else { return header.dataSet }
        return try Self.corrected(header, of: instance, correction).dataSet
    }

    /// Everything before the pixel data, as it was received.
    package func originalHeader(of instance: StoredInstance) throws(RetrievalFailure) -> DataSet {
        try PixelSource(stored(instance)).header().dataSet
    }
}
