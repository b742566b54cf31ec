// The metadata of one series as bytes that are ready to be sent: JSON, and the same deflated.

/// DICOM JSON of the instances of a series, built once.
package struct SeriesMetadata: Sendable {
    package let seriesInstanceUID: String
    /// Says what this was built from: equal fingerprints, equal bytes.
    package let fingerprint: String
    /// One object per instance, separated by commas, without the brackets of an array.
    package let objects: [UInt8]
    /// Where each instance's object lies in `objects`, in order.
    package let instances: [(sopInstanceUID: String, range: Range<Int>)]
    /// `objects` as deflate blocks, none of them the last, ending at a whole byte.
    package let deflated: DeflatedBytes

    /// The object of one instance.
    package func object(of sopInstanceUID: String) -> ArraySlice<UInt8>? {
        instances.first { $0.sopInstanceUID == sopInstanceUID }.map { objects[$0.range] }
    }

    var size: Int { objects.count + deflated.bytes.count + instances.count * 96 }
}

extension SeriesMetadata {
    /// The JSON array of several series.
    package static func array(_ series: [SeriesMetadata]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(series.reduce(2) { $0 + $1.objects.count + 1 })
        bytes.append(0x5B)
        for (index, one) in series.enumerated() {
            if index > 0 { bytes.append(0x2C) }
            bytes += one.objects
        }
        bytes.append(0x5D)
        return bytes
    }

    /// The same array as a gzip file, put together from what is deflated already (RFC 1952).
    package static func gzip(_ series: [SeriesMetadata]) -> [UInt8] {
        var writer = GzipWriter(reserving: series.reduce(64) { $0 + $1.deflated.bytes.count + 8 })
        writer.append(stored: 0x5B)
        for (index, one) in series.enumerated() {
            if index > 0 { writer.append(stored: 0x2C) }
            writer.append(one.deflated)
        }
        return writer.finish(stored: 0x5D)
    }
}
