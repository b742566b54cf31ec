// Where each frame of an object lies (PS3.5 Section 8 and Annex A.4).

package import DICOMCore

/// The byte ranges of every frame inside a Part 10 object. Frames are numbered from 1.
package struct FrameTable: Sendable, Equatable {
    /// Frames that are there: fewer than Number of Frames where the object was cut off.
    package let count: Int
    /// Whether the ranges are fragments of compressed pixel data.
    package let isEncapsulated: Bool
    /// First byte after the pixel data.
    package let end: Int64
    /// Whether the ranges are of the object as it is stored. They are not where its data set is deflated or big endian: then
    /// they are of a copy that the archive reads instead.
    package var isDirect = true
    private let places: Places

    private enum Places: Sendable, Equatable {
        /// Value offset and bits of a frame.
        case native(offset: Int64, bits: Int)
        /// All fragments, and for each frame the index of its first.
        case fragments([Range<Int64>], first: [Int])
    }

    /// The ranges whose bytes, one after the other, are the frame; nil when there is no such frame. Padding of the last
    /// fragment is included, and so are bits of neighbours where frames of single bits do not begin at a byte.
    package func ranges(of frame: Int) -> [Range<Int64>]? {
        guard frame >= 1, frame <= count else { return nil }
        switch places {
        case .native(let offset, let bits):
            let first = Int64(bits) * Int64(frame - 1)
            let end = first + Int64(bits)
            return [offset + first / 8..<offset + (end + 7) / 8]
        case .fragments(let fragments, let first):
            let end = frame < first.count ? first[frame] : fragments.count
            return Array(fragments[first[frame - 1]..<end])
        }
    }

    /// Bits of the first byte that belong to the frame before: 0 but for frames of single bits.
    package func bitOffset(of frame: Int) -> Int {
        guard case .native(_, let bits) = places else { return 0 }
        return Int(Int64(bits) * Int64(frame - 1) % 8)
    }

    /// Bytes of a frame as it is stored, nil when there is no such frame.
    package func byteCount(of frame: Int) -> Int? { ranges(of: frame)?.reduce(0) { $0 + $1.count } }

    /// Bytes of memory that this table takes, about.
    package var cost: Int {
        guard case .fragments(let fragments, let first) = places else { return 64 }
        return fragments.count * 16 + first.count * 8
    }

    /// Native frames, one after the other in a value of known length.
    package init(
        native offset: Int64, length: Int64, layout: PixelLayout, numberOfFrames: Int
    ) throws(ImagingFailure) {
        let bits = layout.bitsPerFrame
        let present = Int(length * 8 / Int64(bits))
        guard present >= 1 else { throw .damaged("pixel data is shorter than a frame") }
        count = min(max(1, numberOfFrames), present)
        isEncapsulated = false
        end = offset + length
        places = .native(offset: offset, bits: bits)
    }

    /// Frames made of fragments.
    init(_ fragments: [Range<Int64>], first: [Int], end: Int64) {
        self.end = end
        count = first.count
        isEncapsulated = true
        places = .fragments(fragments, first: first)
    }

    /// The table of an object whose header was read.
    ///
    /// - Parameters:
    ///   - offset: where the bytes that the header was read from begin in the object.
    ///   - objectLength: length of the whole object.
    ///   - read: bytes of the object; fewer at its end.
    package static func make(
        header: Header, transferSyntax: TransferSyntax, objectLength: Int64,
        read: (Int64, Int) throws(ImagingFailure) -> [UInt8]
    ) throws(ImagingFailure) -> FrameTable {
        guard let pixels = header.pixelData else { throw .noPixels }
        let dataSet = header.dataSet
        let wanted = max(1, dataSet.int(.numberOfFrames) ?? 1)
        if let length = pixels.length {
            let layout = try PixelLayout(dataSet, pixelData: pixels.tag)
            let start = Int64(pixels.valueOffset)
            return try FrameTable(
                native: start, length: max(0, min(Int64(length), objectLength - start)), layout: layout,
                numberOfFrames: wanted)
        }
        var scan = FragmentScan(objectLength: objectLength)
        try scan.run(from: Int64(pixels.valueOffset), read: read)
        // A video has frames of its own: its fragments are one stream.
        if CodecTable.isVideo(transferSyntax.uid) { return FrameTable(scan.fragments, first: [0], end: scan.end) }
        let extended = ExtendedOffsetTable.offsets(dataSet)
        let first = try scan.frames(wanted, extendedOffsets: extended)
        return FrameTable(scan.fragments, first: first, end: scan.end)
    }
}

/// The Extended Offset Table (7FE0,0001) (PS3.3 Section C.7.6.3.1.8).
enum ExtendedOffsetTable {
    static func offsets(_ dataSet: DataSet) -> [Int64] {
        guard let element = dataSet[.extendedOffsetTable], element.length % 8 == 0 else { return [] }
        let bytes = dataSet.rawValue(element)
        return stride(from: bytes.startIndex, to: bytes.endIndex, by: 8).map { at in
            (0..<8).reduce(Int64(0)) { $0 | Int64(bytes[at + $1]) << (8 * $1) }
        }
    }
}
