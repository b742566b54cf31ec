// Brings an object back from its form for the line. What comes is not trusted: every number is looked at before it counts.

import Crypto
import DICOMImaging

/// Reads one coded object, piece by piece: memory holds one frame. Calls block.
package struct LineDecoder: ~Copyable {
    private let codedLength: Int64
    private let codecs: FrameCodecs
    private let reading: @Sendable (Int64, Int) throws(LineCodingFailure) -> [UInt8]
    private var at: Int64
    private var restored: Int64 = 0
    private var hash = SHA256()
    /// Length of the object, as the coded form says.
    package let length: Int64
    /// SHA-256 of the object, proven by its octets; nil before its end.
    package private(set) var digest: [UInt8]?

    /// - Parameters:
    ///   - codedLength: octets of the coded form.
    ///   - most: a longer object is refused.
    ///   - reading: octets of the coded form; fewer at its end.
    package init(
        codedLength: Int64, most: Int64, codecs: FrameCodecs,
        reading: @escaping @Sendable (Int64, Int) throws(LineCodingFailure) -> [UInt8]
    ) throws(LineCodingFailure) {
        self.codedLength = codedLength
        self.codecs = codecs
        self.reading = reading
        let header = try reading(0, LineFormat.headerSize)
        guard header.count == LineFormat.headerSize, header.starts(with: LineFormat.magic) else {
            throw .damaged("not of this form")
        }
        let length = LineFormat.read(header, at: 4, 8)
        guard length <= UInt64(max(0, most)) else { throw .damaged("the object is too long") }
        guard LineFormat.isPlausible(length: Int64(length), codedLength: codedLength) else {
            throw .damaged("the object is too long for its form")
        }
        self.length = Int64(length)
        at = Int64(LineFormat.headerSize)
    }

    /// The next octets of the object; nil at its end, which is reached only when all of them are those that were coded.
    package mutating func next() throws(LineCodingFailure) -> [UInt8]? {
        guard digest == nil else { return nil }
        guard restored < length else {
            try finish()
            return nil
        }
        let bytes = try read(LineFormat.pieceHeaderSize)
        guard let header = LineFormat.PieceHeader(bytes) else { throw .damaged("a piece that is none") }
        guard Int64(header.length) <= length - restored else { throw .damaged("longer than it says") }
        let payload = try read(header.codedLength)
        guard let piece = try Self.restored(payload, header, codecs), piece.count == header.length else {
            throw .damaged("a piece does not decode")
        }
        hash.update(data: piece)
        restored += Int64(piece.count)
        return piece
    }

    private mutating func finish() throws(LineCodingFailure) {
        let trailer = try read(LineFormat.trailerSize)
        guard trailer[0] == LineFormat.end, at == codedLength else { throw .damaged("its end is missing") }
        let found = Array(hash.finalize())
        guard found == Array(trailer[1...]) else { throw .damaged("its digest is another") }
        digest = found
    }

    private mutating func read(_ count: Int) throws(LineCodingFailure) -> [UInt8] {
        guard Int64(count) <= codedLength - at else { throw .damaged("it ends early") }
        let bytes = try reading(at, count)
        guard bytes.count == count else { throw .damaged("it ends early") }
        at += Int64(count)
        return bytes
    }

    /// The octets that a piece stands for; nil where it contradicts itself.
    static func restored(
        _ payload: [UInt8], _ header: LineFormat.PieceHeader, _ codecs: FrameCodecs
    ) throws(LineCodingFailure) -> [UInt8]? {
        switch header.kind {
        case .stored: return payload
        case .deflated: return SmallForm.inflated(payload, length: header.length)
        case .planes:
            guard let width = payload.first, (2...8).contains(width),
                let planes = SmallForm.inflated(Array(payload.dropFirst()), length: header.length)
            else { return nil }
            return SmallForm.samples(planes, width: Int(width))
        case .frame: return try frame(payload, header.length, codecs)
        }
    }

    private static func frame(
        _ payload: [UInt8], _ length: Int, _ codecs: FrameCodecs
    ) throws(LineCodingFailure) -> [UInt8]? {
        guard let form = FrameForm(payload), form.length == length,
            form.highLength <= payload.count - FrameForm.size
        else { return nil }
        let codestream = Array(payload[FrameForm.size..<payload.count - form.highLength])
        guard let method = form.method else {
            guard codestream.isEmpty, form.split == 0 else { return nil }
            return form.restored(
                [UInt8](repeating: 0, count: form.sampleCount * (form.isCodedWide ? 2 : 1)), high: [])
        }
        guard !codestream.isEmpty, length <= codestream.count * LineFormat.mostExpansion else { return nil }
        var high: [UInt8] = []
        if form.split > 0 {
            let bytes = Array(payload[(payload.count - form.highLength)...])
            guard let found = SmallForm.inflated(bytes, length: form.sampleCount) else { return nil }
            high = found
        }
        return form.restored(try codecs.decode(codestream, form, by: method), high: high)
    }
}
