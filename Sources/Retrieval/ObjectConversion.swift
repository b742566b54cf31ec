// A whole object in another transfer syntax: its elements re-encoded, its frames converted one by one (PS3.5 Annex A).

import DICOMCore
import DICOMImaging

/// One conversion. Memory holds the header and one frame.
struct ObjectConversion {
    private let source: PixelSource
    private let identity: ObjectIdentity
    private let target: TransferSyntax
    /// Nil where no frame may have to be converted.
    private let codecs: CodecPool?
    private let header: Header
    private let file: OwnFile
    private let sink: ObjectSink
    private let preambleLength: Int

    /// Bytes of an object without pixel data that is rewritten in memory, and of elements behind pixel data.
    private static let mostInMemory = 256 << 20

    init(
        source: PixelSource, identity: ObjectIdentity, to target: TransferSyntax, scratch: String, codecs: CodecPool?
    ) throws(RetrievalFailure) {
        self.source = source
        self.identity = identity
        self.target = target
        self.codecs = codecs
        header = try source.header(most: Self.mostInMemory)
        guard header.pixelData != nil || !header.isTruncated || source.length <= Int64(Self.mostInMemory) else {
            throw .unreadable(reason: "object without pixel data is too large")
        }
        file = try OwnFile(in: scratch)
        let preamble = Part10.header(
            sopClassUID: identity.sopClassUID, sopInstanceUID: identity.sopInstanceUID, transferSyntaxUID: target.uid)
        try file.append(preamble)
        preambleLength = preamble.count
        sink = try ObjectSink(file, deflates: target.isDeflated, uid: identity.transferSyntaxUID)
    }

    /// Does it; the result reads as the object.
    mutating func run() throws(RetrievalFailure) -> PixelSource {
        let isSigned = header.dataSet.int(.pixelRepresentation) == 1
        let rewriter = DataSetRewriter(encoding: target.encoding, isSigned: isSigned)
        guard let pixels = header.pixelData else {
            var bytes: [UInt8] = []
            rewriter.write(header.dataSet, into: &bytes)
            try sink.put(bytes)
            return try finish()
        }
        let end: Int64
        if let length = pixels.length, !target.isEncapsulated {
            let present = min(Int64(length), source.length - Int64(pixels.valueOffset))
            guard present == Int64(length) else { throw .unreadable(reason: "pixel data is cut off") }
            try copy(pixels, length, rewriter)
            end = Int64(pixels.valueOffset + length)
        } else {
            end = try convert(pixels, rewriter)
        }
        try writeRest(from: end, rewriter)
        return try finish()
    }

    private mutating func finish() throws(RetrievalFailure) -> PixelSource {
        try sink.finish()
        return PixelSource(file, dataSetOffset: preambleLength, transferSyntax: target)
    }

    /// Native pixels stay native: only their byte order may change.
    private mutating func copy(
        _ pixels: PixelData, _ length: Int, _ rewriter: DataSetRewriter
    ) throws(RetrievalFailure) {
        var bytes: [UInt8] = []
        rewriter.write(header.dataSet, into: &bytes)
        rewriter.header(pixels.tag, pixels.vr, length: UInt32(clamping: length + length % 2), into: &bytes)
        try sink.put(bytes)
        // Cells of more than a word turn as a whole.
        let allocated = header.dataSet.int(.bitsAllocated) ?? 16
        let unit = pixels.vr == .OW ? max(2, allocated / 8) : pixels.vr.unitSize
        let swaps = header.dataSet.encoding.isBigEndian != target.isBigEndian
        var at = 0
        while at < length {
            var piece = try source.read(from: Int64(pixels.valueOffset + at), count: min(1 << 20, length - at))
            if swaps { DataSetRewriter.swap(&piece, unit: unit) }
            try sink.put(piece)
            at += piece.count
        }
        if length % 2 == 1 { try sink.put([0]) }
    }

    /// Frames go through a codec; where the pixel data ended in the source.
    private mutating func convert(
        _ pixels: PixelData, _ rewriter: DataSetRewriter
    ) throws(RetrievalFailure) -> Int64 {
        let uid = identity.transferSyntaxUID
        let image = try ImageEntry(source, header: header, identity)
        guard image.table.count == image.attributes.numberOfFrames else {
            throw .unreadable(reason: "frames are missing")
        }
        guard let codecs else { throw .notConvertible(from: uid, reason: "no codec") }
        let native = target.isEncapsulated ? target : TransferSyntax.explicitVRLittleEndian
        func frame(_ number: Int) throws(RetrievalFailure) -> NativeFrame {
            let bytes = try image.stored(number)
            do throws(ImagingFailure) {
                return try codecs.convert(bytes, from: image.pixelSyntax, to: native, layout: image.attributes.layout)
            } catch { throw RetrievalFailure(error, from: uid) }
        }
        let first = try frame(1)
        try writeHeader(describing: first.layout, stored: image.attributes.layout, rewriter)
        let vr = target.isEncapsulated || first.layout.bitsAllocated <= 8 ? VR.OB : .OW
        let count = image.table.count
        if target.isEncapsulated {
            try writeFragments(count, first, vr, rewriter, frame)
        } else {
            try writeNative(count, first, vr, rewriter, frame)
        }
        return image.table.end
    }

    private mutating func writeHeader(
        describing layout: PixelLayout, stored: PixelLayout, _ rewriter: DataSetRewriter
    ) throws(RetrievalFailure) {
        var replacing: [Tag: (vr: VR, value: [UInt8])] = [:]
        if layout.photometricInterpretation != stored.photometricInterpretation {
            replacing[.photometricInterpretation] = (.CS, Array(layout.photometricInterpretation.rawValue.utf8))
        }
        if layout.samplesPerPixel > 1 {
            // Samples by pixel are zero in any byte order.
            replacing[.planarConfiguration] = (.US, [0, 0])
        }
        var bytes: [UInt8] = []
        rewriter.write(
            header.dataSet, replacing: replacing, dropping: [.extendedOffsetTable, .extendedOffsetTableLengths],
            into: &bytes)
        try sink.put(bytes)
    }

    private mutating func writeNative(
        _ count: Int, _ first: NativeFrame, _ vr: VR, _ rewriter: DataSetRewriter,
        _ frame: (Int) throws(RetrievalFailure) -> NativeFrame
    ) throws(RetrievalFailure) {
        let uid = identity.transferSyntaxUID
        let total = (Int64(count) * Int64(first.layout.bitsPerFrame) + 7) / 8
        guard total < 0xFFFF_FFFE else { throw .notConvertible(from: uid, reason: "more than 4 GB of pixels") }
        var bytes: [UInt8] = []
        rewriter.header(.pixelData, vr, length: UInt32(total + total % 2), into: &bytes)
        try sink.put(bytes)
        var bits = BitJoiner()
        for number in 1...count {
            var pixels = number == 1 ? first.bytes : try frame(number).bytes
            guard pixels.count == first.layout.bytesPerFrame else {
                throw .unreadable(reason: "frames of several sizes")
            }
            if target.isBigEndian {
                DataSetRewriter.swap(&pixels, unit: vr == .OW ? first.layout.bitsAllocated / 8 : 1)
            }
            try sink.put(bits.join(pixels, count: first.layout.bitsPerFrame))
        }
        try sink.put(bits.rest)
        if total % 2 == 1 { try sink.put([0]) }
    }

    /// One fragment a frame, behind a Basic Offset Table that is filled in at the end (PS3.5 Section A.4).
    private mutating func writeFragments(
        _ count: Int, _ first: NativeFrame, _ vr: VR, _ rewriter: DataSetRewriter,
        _ frame: (Int) throws(RetrievalFailure) -> NativeFrame
    ) throws(RetrievalFailure) {
        var bytes: [UInt8] = []
        rewriter.header(.pixelData, vr, length: 0xFFFF_FFFF, into: &bytes)
        Self.item(length: count * 4, into: &bytes)
        try sink.put(bytes)
        let tableOffset = file.length
        try sink.put([UInt8](repeating: 0, count: count * 4))
        let base = file.length
        var offsets: [Int64] = []
        for number in 1...count {
            var pixels = number == 1 ? first.bytes : try frame(number).bytes
            if pixels.count & 1 == 1 { pixels.append(0) }
            offsets.append(file.length - base)
            var item: [UInt8] = []
            Self.item(length: pixels.count, into: &item)
            try sink.put(item)
            try sink.put(pixels)
        }
        guard file.length - base < 0xFFFF_FFFE else {
            throw .notConvertible(from: identity.transferSyntaxUID, reason: "more than 4 GB of fragments")
        }
        let table = offsets.flatMap { offset in (0..<4).map { UInt8(truncatingIfNeeded: offset >> (8 * $0)) } }
        try file.write(table, at: tableOffset)
        try sink.put([0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0])
    }

    private static func item(length: Int, into bytes: inout [UInt8]) {
        bytes += [0xFE, 0xFF, 0x00, 0xE0] + (0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
    }

    /// Elements behind the pixel data, such as digital signatures.
    private mutating func writeRest(from end: Int64, _ rewriter: DataSetRewriter) throws(RetrievalFailure) {
        let count = source.length - end
        guard count >= 8 else { return }
        guard count <= Int64(Self.mostInMemory) else { throw .unreadable(reason: "too much behind the pixel data") }
        let bytes = try source.read(from: end, count: Int(count))
        let syntax = header.dataSet.encoding.transferSyntax
        // What is no element is padding of a careless writer.
        guard let rest = try? HeaderReader.read(bytes, transferSyntax: syntax),
            let first = rest.dataSet.elements.first, first.tag > .pixelData
        else { return }
        var out: [UInt8] = []
        rewriter.write(rest.dataSet, into: &out)
        try sink.put(out)
    }
}

/// Puts frames of single bits behind each other without padding (PS3.5 Section 8.1.1).
private struct BitJoiner {
    private var carry: UInt8 = 0
    private var used = 0

    /// What is whole of all bits so far.
    mutating func join(_ bytes: [UInt8], count: Int) -> [UInt8] {
        if used == 0, count % 8 == 0 { return bytes }
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count + 1)
        for (index, byte) in bytes.enumerated() {
            let fresh = min(8, count - index * 8)
            let value = fresh < 8 ? byte & (1 << UInt8(fresh) - 1) : byte
            let joined = UInt16(carry) | UInt16(value) << UInt16(used)
            used += fresh
            carry = UInt8(truncatingIfNeeded: joined)
            if used >= 8 {
                out.append(carry)
                carry = UInt8(truncatingIfNeeded: joined >> 8)
                used -= 8
            }
        }
        return out
    }

    /// The byte that is not full yet.
    var rest: [UInt8] { used > 0 ? [carry] : [] }
}

/// Where a converted data set goes: into a file, deflated on the way where the syntax says so.
final class ObjectSink {
    private let file: OwnFile
    private let uid: String
    private var stream: DataSetStream?

    init(_ file: OwnFile, deflates: Bool, uid: String) throws(RetrievalFailure) {
        self.file = file
        self.uid = uid
        do throws(ImagingFailure) { stream = deflates ? try DataSetStream(.deflate) : nil } catch {
            throw RetrievalFailure(error, from: uid)
        }
    }

    func put(_ bytes: [UInt8]) throws(RetrievalFailure) { try put(bytes, isLast: false) }

    func finish() throws(RetrievalFailure) {
        guard stream != nil else { return }
        try put([], isLast: true)
        if file.length & 1 == 1 { try file.append([0]) }
    }

    private func put(_ bytes: [UInt8], isLast: Bool) throws(RetrievalFailure) {
        guard stream != nil else { return try file.append(bytes) }
        let (file, uid) = (file, uid)
        try stream?.put(bytes, isLast: isLast, onDamage: { RetrievalFailure($0, from: uid) }) {
            piece throws(RetrievalFailure) in try file.append(piece)
        }
    }
}
