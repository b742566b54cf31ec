// An object on its way out: as it is, with another header, or in another transfer syntax. Its bytes are read by range.

package import Catalog
package import DICOMCore
import DICOMImaging

/// A header that was written anew: the data set up to its pixel data, and the identity that it tells.
package struct WrittenHeader: Sendable {
    package let bytes: [UInt8]
    package let studyInstanceUID: String
    package let sopClassUID: String
    package let sopInstanceUID: String

    package init(bytes: [UInt8], studyInstanceUID: String, sopClassUID: String, sopInstanceUID: String) {
        self.bytes = bytes
        self.studyInstanceUID = studyInstanceUID
        self.sopClassUID = sopClassUID
        self.sopInstanceUID = sopInstanceUID
    }
}

/// A Part 10 file as somebody will get it.
package struct PreparedObject: Sendable {
    let source: PixelSource
    let identity: ObjectIdentity
    package let studyInstanceUID: String

    package var sopClassUID: String { identity.sopClassUID }
    package var sopInstanceUID: String { identity.sopInstanceUID }
    package var transferSyntaxUID: String { source.transferSyntax.uid }
    package var length: Int64 { source.length }
    /// Where the data set begins.
    package var dataSetOffset: Int64 { Int64(source.dataSetOffset) }

    /// Samples per Pixel (0028,0002); nil where the header does not say, or cannot be read. Blocks.
    package var samplesPerPixel: Int? { (try? source.header())?.dataSet.int(.samplesPerPixel) }

    /// Part of the file. Blocks.
    package func read(from offset: Int64, count: Int) throws(RetrievalFailure) -> [UInt8] {
        try source.read(from: offset, count: count)
    }
}

extension InstanceRetrieval {
    /// More of a header than is rewritten in memory.
    private static let longestWritten = 64 << 20

    /// The object as it goes out: see `outgoing`.
    package func prepared(_ instance: StoredInstance) throws(RetrievalFailure) -> PreparedObject {
        PreparedObject(
            source: PixelSource(try outgoing(instance)), identity: ObjectIdentity(instance),
            studyInstanceUID: instance.studyInstanceUID)
    }

    /// The object with a header that is written anew, after its corrections; the pixel data pass untouched, and nothing
    /// else: neither the preamble nor what stands behind the pixel data, such as signatures that are no longer true.
    ///
    /// Throws `.unreadable` where not every byte of the header is understood: what is not read cannot be rewritten.
    /// - Parameter write: is given the data set and the transfer syntax to write in.
    package func prepared(
        _ instance: StoredInstance,
        writing write: (DataSet, TransferSyntax) throws(RetrievalFailure) -> WrittenHeader
    ) throws(RetrievalFailure) -> PreparedObject {
        var source = PixelSource(try outgoing(instance))
        // Compressed as a whole, it is given uncompressed.
        if source.transferSyntax.isDeflated {
            source = try source.readable(ObjectIdentity(instance), scratch: converter.scratch)
        }
        let header = try source.header(most: Self.longestWritten)
        guard !header.flaws.contains(where: { $0.kind.losesBytes }),
            header.pixelData != nil || Int64(header.dataSet.bytes.count) == source.length
        else { throw .unreadable(reason: "its header is damaged and cannot be written anew") }
        let syntax = source.transferSyntax
        guard header.dataSet.encoding.isBigEndian == syntax.isBigEndian else {
            throw .unreadable(reason: "it is not encoded as its transfer syntax says")
        }
        let written = try write(header.dataSet, syntax)
        let meta = Part10.header(
            sopClassUID: written.sopClassUID, sopInstanceUID: written.sopInstanceUID, transferSyntaxUID: syntax.uid)
        var head = meta + written.bytes
        var tail = source.length..<source.length
        if let pixels = header.pixelData {
            tail = try source.value(of: pixels)
            DataSetRewriter(encoding: syntax.encoding, isSigned: false).header(
                pixels.tag, pixels.vr, length: pixels.length.map { UInt32(clamping: $0) } ?? 0xFFFF_FFFF, into: &head)
        }
        var identity = ObjectIdentity(instance)
        (identity.sopClassUID, identity.sopInstanceUID) = (written.sopClassUID, written.sopInstanceUID)
        identity.transferSyntaxUID = syntax.uid
        return PreparedObject(
            source: PixelSource(rewriting: source, head: head, dataSetOffset: meta.count, tail: tail),
            identity: identity, studyInstanceUID: written.studyInstanceUID)
    }

    /// The object in another transfer syntax without loss, in a temporary file that goes with the value.
    package func converted(
        _ object: PreparedObject, to transferSyntaxUID: String
    ) throws(RetrievalFailure) -> PreparedObject {
        let made = try converter.convert(object.source, object.identity, to: transferSyntaxUID)
        var identity = object.identity
        identity.transferSyntaxUID = transferSyntaxUID
        return PreparedObject(source: made.source, identity: identity, studyInstanceUID: object.studyInstanceUID)
    }

    /// Whether two objects show the same samples, bit by bit: both are read anew and every frame is decoded.
    package func haveSamePixels(
        _ one: PreparedObject, _ other: PreparedObject
    ) throws(RetrievalFailure) -> Bool {
        let first = try ImageEntry(one.source, one.identity, scratch: converter.scratch)
        let second = try ImageEntry(other.source, other.identity, scratch: converter.scratch)
        let (left, right) = (first.attributes.layout, second.attributes.layout)
        guard first.table.count == second.table.count, first.table.count == first.attributes.numberOfFrames,
            left.rows == right.rows, left.columns == right.columns, left.samplesPerPixel == right.samplesPerPixel,
            left.bitsAllocated == right.bitsAllocated, left.bitsStored == right.bitsStored,
            left.highBit == right.highBit, left.isSigned == right.isSigned
        else { return false }
        for number in 1...first.table.count {
            guard try samples(number, of: first) == samples(number, of: second) else { return false }
        }
        return true
    }

    /// The samples of a frame in order of pixels.
    private func samples(_ number: Int, of image: ImageEntry) throws(RetrievalFailure) -> [UInt8] {
        let bytes = try image.stored(number)
        do throws(ImagingFailure) {
            guard image.pixelSyntax == .explicitVRLittleEndian else {
                return try converter.codecs.convert(
                    bytes, from: image.pixelSyntax, to: .explicitVRLittleEndian, layout: image.attributes.layout
                ).bytes
            }
            return try FrameCodec.byPixel(NativeFrame(bytes: bytes, layout: image.attributes.layout)).bytes
        } catch { throw RetrievalFailure(error, from: image.pixelSyntax.uid) }
    }
}

extension PixelSource {
    /// The value of a pixel data element: of fragments with the table in front and the delimitation item behind.
    fileprivate func value(of pixels: PixelData) throws(RetrievalFailure) -> Range<Int64> {
        let start = Int64(pixels.valueOffset)
        if let count = pixels.length {
            guard start + Int64(count) <= length else { throw .unreadable(reason: "pixel data is cut off") }
            return start..<start + Int64(count)
        }
        var at = start
        while at + 8 <= length {
            let item = try read(from: at, count: 8)
            let count = (4..<8).reduce(Int64(0)) { $0 | Int64(item[$1]) << (8 * Int64($1 - 4)) }
            if item.starts(with: [0xFE, 0xFF, 0xDD, 0xE0]) { return start..<at + 8 }
            guard item.starts(with: [0xFE, 0xFF, 0x00, 0xE0]), count < 0xFFFF_FFFF else { break }
            at += 8 + count
        }
        throw .unreadable(reason: "the fragments of its pixel data have no end")
    }
}

extension Flaw.Kind {
    /// Whether bytes were passed over that may have meant something.
    fileprivate var losesBytes: Bool {
        switch self {
        case .truncated, .trailingGarbage, .missingDelimiter, .strayDelimiter, .tooManyElements: true
        case .illegalVR, .mixedEncoding, .wrongTransferSyntax, .outOfOrder, .duplicateElement, .oddLength,
            .unknownCharacterSet, .missingPreamble, .missingFileMetaInformation, .wrongGroupLength,
            .missingTransferSyntax:
            false
        }
    }
}
