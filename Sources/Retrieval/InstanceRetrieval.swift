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
}

/// Reads instances that the catalogue has named.
package final class InstanceRetrieval: Sendable {
    private let volumes: VolumeStore
    private let converter: Converter

    /// - Parameter converter: turns compressed objects into uncompressed ones, away from this process.
    package init(volumes: VolumeStore, converter: Converter) {
        self.volumes = volumes
        self.converter = converter
    }

    /// The object as it was received.
    package func stored(_ instance: StoredInstance) -> StoredObject {
        StoredObject(instance: instance, volumes: volumes)
    }

    /// The object in another transfer syntax, in a temporary file that goes with the value.
    package func converted(
        _ instance: StoredInstance, to transferSyntaxUID: String
    ) throws(RetrievalFailure) -> ConvertedObject {
        try converter.convert(stored(instance), to: transferSyntaxUID)
    }

    /// Everything before the pixel data.
    package func header(of instance: StoredInstance) throws(RetrievalFailure) -> DataSet {
        let transferSyntax = TransferSyntax(instance.transferSyntaxUID)
        // Most headers end within the first read; long ones (enhanced multi-frame) are read again, larger.
        var count = 64 << 10
        let object = stored(instance)
        while true {
            let bytes = try object.read(from: 0, count: Int(min(Int64(count), object.length)))
            guard
                let header = try? HeaderReader.read(bytes, from: instance.dataSetOffset, transferSyntax: transferSyntax)
            else { throw .unreadable(reason: "header") }
            if header.pixelDataOffset != nil || Int64(bytes.count) == object.length || count >= Self.largestHeader {
                return header.dataSet
            }
            count *= 8
        }
    }

    private static let largestHeader = 32 << 20
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
}
