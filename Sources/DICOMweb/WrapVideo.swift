// What an MP4 file says of its video (ISO/IEC 14496-12 and 14496-15).

import DICOMCore
import Ingest

/// The video track of an MP4 file.
struct MP4Video: Equatable, Sendable {
    let rows: Int
    let columns: Int
    let frames: Int
    /// Frames in a second.
    let rate: Double
    let transferSyntax: TransferSyntax
    let compressionMethod: String

    /// The index of a file is seldom a thousandth of it; a longer one is not read.
    private static let mostIndex: Int64 = 32 << 20
    private static let mostBoxes = 10_000
    /// Slower or faster is no video, and its times could not be written.
    private static let lawfulRates = 0.001...10_000

    /// Finds the index box of a file that is read by ranges; nil when there is none that can be used.
    static func find(
        count: Int64, read: (Range<Int64>) throws(IngestFailure) -> [UInt8]
    ) throws(IngestFailure) -> MP4Video? {
        var at: Int64 = 0
        var boxes = 0
        while at + 8 <= count, boxes < mostBoxes {
            boxes += 1
            let head = try read(at..<min(at + 16, count))
            var reader = BoxReader(head[...])
            guard let size32 = reader.uint32(), let type = reader.uint32() else { return nil }
            var size = Int64(size32)
            if size32 == 1 { size = Int64(clamping: reader.uint64() ?? 0) }
            if size32 == 0 { size = count - at }
            guard size >= 8, size <= count - at else { return nil }
            if type == fourCC("moov") {
                guard size <= mostIndex else { return nil }
                return MP4Video(index: try read(at..<at + size))
            }
            at += size
        }
        return nil
    }

    private init?(index: [UInt8]) {
        let tracks = BoxReader.boxes(index[...]).first { $0.type == Self.fourCC("moov") }.map {
            BoxReader.boxes($0.body).filter { $0.type == Self.fourCC("trak") }
        }
        for track in tracks ?? [] {
            guard let media = BoxReader.descend(track.body, ["mdia"]),
                let handler = BoxReader.descend(media, ["hdlr"]), handler.count >= 12,
                BoxReader(handler.dropFirst(8)).peek == Self.fourCC("vide")
            else { continue }
            self.init(media: media)
            return
        }
        return nil
    }

    private init?(media: ArraySlice<UInt8>) {
        guard let times = BoxReader.descend(media, ["mdhd"]), let version = times.first,
            let table = BoxReader.descend(media, ["minf", "stbl"]),
            let descriptions = BoxReader.descend(table, ["stsd"]),
            let sizes = BoxReader.descend(table, ["stsz"]),
            let entry = BoxReader.boxes(descriptions.dropFirst(8)).first, entry.body.count > 78
        else { return nil }
        var time = BoxReader(times.dropFirst(version == 1 ? 20 : 12))
        guard let scale = time.uint32(), scale > 0,
            let duration = version == 1 ? time.uint64() : time.uint32().map(UInt64.init), duration > 0
        else { return nil }
        var count = BoxReader(sizes.dropFirst(8))
        // PS3.5 Section 6.2, IS: no more than a signed number of 32 bits.
        guard let frames = count.uint32(), (1...UInt32(Int32.max)).contains(frames) else { return nil }
        var size = BoxReader(entry.body.dropFirst(24))
        guard let extent = size.uint32(), extent >> 16 > 0, extent & 0xFFFF > 0 else { return nil }
        columns = Int(extent >> 16)
        rows = Int(extent & 0xFFFF)
        self.frames = Int(frames)
        rate = Double(frames) * Double(scale) / Double(duration)
        guard Self.lawfulRates.contains(rate) else { return nil }
        guard let known = Self.syntax(of: entry) else { return nil }
        (transferSyntax, compressionMethod) = known
    }

    /// PS3.5 Sections 8.2.7 to 8.2.9, 10.8 to 10.12: profile and level of the stream choose the transfer syntax.
    private static func syntax(of entry: BoxReader.Box) -> (TransferSyntax, String)? {
        let settings = BoxReader.boxes(entry.body.dropFirst(78))
        switch entry.type {
        case fourCC("avc1"), fourCC("avc3"):
            guard let record = settings.first(where: { $0.type == fourCC("avcC") })?.body, record.count > 4 else {
                return nil
            }
            // Baseline and Main streams up to level 4.1 can be read by every decoder of High Profile 4.1.
            let level = record[record.startIndex + 3]
            guard level <= 42 else { return nil }
            return (TransferSyntax("1.2.840.10008.1.2.4." + (level <= 41 ? "102" : "104")), "ISO_14496_10")
        case fourCC("hvc1"), fourCC("hev1"):
            guard let record = settings.first(where: { $0.type == fourCC("hvcC") })?.body, record.count > 13 else {
                return nil
            }
            let profile = record[record.startIndex + 1] & 0x1F
            guard profile == 1 || profile == 2, record[record.startIndex + 12] <= 153 else { return nil }
            return (TransferSyntax("1.2.840.10008.1.2.4." + (profile == 1 ? "107" : "108")), "ISO_23008_2")
        default: return nil
        }
    }

    fileprivate static func fourCC(_ name: StaticString) -> UInt32 { Self.fourCC(name.description) }
    fileprivate static func fourCC(_ name: String) -> UInt32 { name.utf8.reduce(0) { $0 << 8 | UInt32($1) } }

    /// Puts the image pixel, multi-frame and cine modules (PS3.3 Sections C.7.6.3, C.7.6.5 and C.7.6.6).
    func put(into writer: inout DataSetWriter, compressedBytes: Int64) {
        writer.put(.samplesPerPixel, .US, ints: [3])
        writer.put(.photometricInterpretation, "YBR_PARTIAL_420")
        writer.put(.planarConfiguration, .US, ints: [0])
        writer.put(.numberOfFrames, "\(frames)")
        writer.put(.frameIncrementPointer, .AT, [Tag.frameTime.hexadecimal])
        writer.put(.rows, .US, ints: [rows])
        writer.put(.columns, .US, ints: [columns])
        let depth = transferSyntax.uid.hasSuffix(".108") ? 10 : 8
        writer.put(.bitsAllocated, .US, ints: [depth > 8 ? 16 : 8])
        writer.put(.bitsStored, .US, ints: [depth])
        writer.put(.highBit, .US, ints: [depth - 1])
        writer.put(.pixelRepresentation, .US, ints: [0])
        writer.put(.frameTime, Self.decimal(1000 / rate))
        writer.put(.cineRate, "\(max(1, Int(rate.rounded())))")
        let whole = Double(rows * columns * 3) * Double(frames)
        JPEGImage.putLoss(into: &writer, method: compressionMethod, ratio: whole / Double(max(compressedBytes, 1)))
    }

    /// At most sixteen characters (PS3.5 Table 6.2-1, VR DS).
    private static func decimal(_ value: Double) -> String {
        let thousandths = Int((value * 1000).rounded())
        let fraction = String(thousandths % 1000 + 1000).dropFirst()
        return "\(thousandths / 1000).\(fraction)"
    }
}

/// Reads boxes of an MP4 file; lengths that lie end the reading.
private struct BoxReader {
    struct Box {
        let type: UInt32
        let body: ArraySlice<UInt8>
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// The next number, left where it is; 0 at the end.
    var peek: UInt32 { var copy = self; return copy.uint32() ?? 0 }

    mutating func uint32() -> UInt32? { number(4).map { UInt32(truncatingIfNeeded: $0) } }
    mutating func uint64() -> UInt64? { number(8) }

    private mutating func number(_ count: Int) -> UInt64? {
        guard rest.count >= count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The boxes side by side in these bytes.
    static func boxes(_ bytes: ArraySlice<UInt8>) -> [Box] {
        var boxes: [Box] = []
        var rest = bytes
        while rest.count >= 8, boxes.count < 1000 {
            var reader = BoxReader(rest)
            guard let size = reader.uint32(), let type = reader.uint32(), size >= 8, Int(size) <= rest.count else {
                break
            }
            boxes.append(Box(type: type, body: rest.prefix(Int(size)).dropFirst(8)))
            rest = rest.dropFirst(Int(size))
        }
        return boxes
    }

    /// The body of a box within boxes.
    static func descend(_ bytes: ArraySlice<UInt8>, _ path: [String]) -> ArraySlice<UInt8>? {
        path.reduce(bytes) { found, name in
            found.flatMap { bytes in boxes(bytes).first { $0.type == MP4Video.fourCC(name) }?.body }
        }
    }
}
