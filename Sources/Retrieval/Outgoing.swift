// Objects on their way out: with the header that is true of their study now; the pixels pass untouched.

package import Catalog
package import DICOMCore
import DICOMImaging

extension InstanceRetrieval {
    /// More of a header than is rewritten in memory.
    private static let longestHeader = 256 << 20

    /// The object as it goes out: as it was received, unless its study was corrected. Memory holds the header; what follows
    /// it is read as it is sent.
    ///
    /// Throws `.unreadable` for an object of a corrected study whose header cannot be corrected: what names another patient
    /// must not leave.
    package func outgoing(_ instance: StoredInstance) throws(RetrievalFailure) -> StoredObject {
        let object = stored(instance)
        guard let correction = instance.correction else { return object }
        let source = PixelSource(object)
        if source.transferSyntax.isDeflated { return try inflated(object, correction) }
        let header = try Self.wholeHeader(source)
        guard let bytes = try HeaderCorrection(header, from: source.dataSetOffset, correction).bytes() else {
            return object
        }
        return object.with(
            head: header.dataSet.bytes[..<source.dataSetOffset] + bytes,
            resumingAt: header.pixelData.map { Int64($0.elementOffset) } ?? object.length)
    }

    private static func wholeHeader(_ source: PixelSource) throws(RetrievalFailure) -> Header {
        let header = try source.header(most: longestHeader)
        guard header.pixelData != nil || Int64(header.dataSet.bytes.count) == source.length else {
            throw .unreadable(reason: "the study is corrected, and the header of this object is too long")
        }
        return header
    }

    /// A data set that is compressed as a whole is corrected in a file of its own, and compressed again.
    private func inflated(
        _ object: StoredObject, _ correction: StudyCorrection
    ) throws(RetrievalFailure) -> StoredObject {
        let identity = ObjectIdentity(object.instance)
        let plain = try PixelSource(object).readable(identity, scratch: converter.scratch)
        let header = try Self.wholeHeader(plain)
        guard let bytes = try HeaderCorrection(header, from: plain.dataSetOffset, correction).bytes() else {
            return object
        }
        let resume = header.pixelData.map { Int64($0.elementOffset) } ?? plain.length
        let preamble = try object.read(from: 0, count: object.instance.dataSetOffset)
        // Declared compressed, but sent as it is.
        guard plain.isCopy else { return object.with(head: preamble + bytes, resumingAt: resume) }
        let file = try OwnFile(in: converter.scratch)
        try file.append(preamble)
        let sink = try ObjectSink(file, deflates: true, uid: identity.transferSyntaxUID)
        try sink.put(bytes)
        var at = resume
        while at < plain.length {
            let piece = try plain.read(from: at, count: Int(min(1 << 20, plain.length - at)))
            try sink.put(piece)
            at += Int64(piece.count)
        }
        try sink.finish()
        return object.with(file)
    }

    /// Everything before the pixel data as it goes out, and where that was received.
    /// - Parameter guess: see `wholeHeader(of:guess:)`.
    package func outgoingHeader(of instance: StoredInstance, guess: inout Int) throws(RetrievalFailure) -> Header {
        let header = try wholeHeader(of: instance, guess: &guess)
        guard let correction = instance.correction else { return header }
        return try Self.corrected(header, of: instance, correction)
    }

    static func corrected(
        _ header: Header, of instance: StoredInstance, _ correction: StudyCorrection
    ) throws(RetrievalFailure) -> Header {
        // What was inflated begins with its data set.
        let first = header.dataSet.elements.map(\.offset).min() ?? 0
        let start = first < instance.dataSetOffset ? 0 : instance.dataSetOffset
        guard var bytes = try HeaderCorrection(header, from: start, correction).bytes() else { return header }
        if let pixels = header.pixelData {
            bytes += header.dataSet.bytes[pixels.elementOffset..<min(pixels.valueOffset, header.dataSet.bytes.count)]
        }
        do throws(ReadFailure) {
            return try HeaderReader.read(bytes, transferSyntax: header.dataSet.encoding.transferSyntax)
        } catch { throw .unreadable(reason: "corrected header") }
    }
}
