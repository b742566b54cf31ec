// One object on its way into the form for the line.

import Crypto
import DICOMCore
import DICOMImaging
import Metrics

struct CodingRun: ~Copyable {
    private let source: LineSource
    private let codecs: FrameCodecs
    /// Whether pictures are coded as everything else is.
    private let isPlain: Bool
    private var writer: CodedObject.Writer
    private var hash = SHA256()
    private var at: Int64 = 0
    /// Whether the last piece that was no picture became smaller: of what is compressed already little is tried.
    private var helps = true
    private var pieces = 0

    /// More of a header than is looked through for the picture.
    private static let longestHeader = 64 << 20
    /// Of what does not become smaller, one piece of so many is tried all the same.
    private static let retries = 16
    /// Pictures of so many frames are tried on frames of their own, others on a strip of each: an eighth of its rows, and not
    /// fewer than these.
    private static let manyFrames = 4
    private static let stripRows = 32
    private static let mismatches = Counter(label: "phim_line_coding_mismatches_total")

    init(_ source: LineSource, codecs: FrameCodecs, isPlain: Bool, scratch: String) {
        self.source = source
        self.codecs = codecs
        self.isPlain = isPlain
        writer = CodedObject.Writer(scratch: scratch)
    }

    mutating func code() throws(LineCodingFailure) {
        try writer.append(LineFormat.magic + LineFormat.number(UInt64(source.length)))
        if !isPlain, let picture = try picture() {
            try plain(until: picture.start)
            if let methods = try methods(for: picture) {
                for _ in 0..<picture.frames {
                    try frame(try source.read(from: at, count: picture.layout.bytesPerFrame), picture, methods)
                }
            } else {
                let width = picture.layout.bitsAllocated / 8
                try plain(
                    until: picture.start + Int64(picture.frames) * Int64(picture.layout.bytesPerFrame),
                    width: width)
            }
        }
        helps = true
        try plain(until: source.length)
    }

    /// The object as it is.
    mutating func copy() throws(LineCodingFailure) {
        try writer.append(LineFormat.magic + LineFormat.number(UInt64(source.length)))
        while at < source.length {
            let bytes = try source.read(from: at, count: Int(min(Int64(LineFormat.longestPiece), source.length - at)))
            try put(.stored, bytes, bytes)
        }
    }

    consuming func finish() throws(LineCodingFailure) -> CodedObject {
        let digest = Array(hash.finalize())
        if let known = source.digest, known != digest { throw .rotten }
        try writer.append([LineFormat.end] + digest)
        return writer.finish(originalDigest: digest, originalLength: source.length)
    }

    // MARK: Where the picture lies

    private struct Picture {
        let start: Int64
        let layout: PixelLayout
        let frames: Int
    }

    /// Native little-endian frames; nil for everything else.
    private func picture() throws(LineCodingFailure) -> Picture? {
        let syntax = TransferSyntax(source.transferSyntaxUID)
        guard !syntax.isDeflated, let header = try header(syntax), !header.dataSet.encoding.isBigEndian,
            let pixels = header.pixelData, let length = pixels.length,
            let layout = try? PixelLayout(header.dataSet, pixelData: pixels.tag), layout.bitsAllocated >= 8
        else { return nil }
        let start = Int64(pixels.valueOffset)
        let there = max(0, min(Int64(length), source.length - start))
        let frames = min(
            Int64(max(1, header.dataSet.int(.numberOfFrames) ?? 1)), there / Int64(max(1, layout.bytesPerFrame)))
        guard frames > 0 else { return nil }
        return Picture(start: start, layout: layout, frames: Int(frames))
    }

    private func header(_ syntax: TransferSyntax) throws(LineCodingFailure) -> Header? {
        var count = 64 << 10
        while true {
            let bytes = try source.read(from: 0, count: Int(min(Int64(count), source.length)))
            guard let header = try? HeaderReader.read(bytes, from: source.dataSetOffset, transferSyntax: syntax) else {
                return nil
            }
            if header.pixelData != nil { return header }
            if Int64(bytes.count) == source.length || count >= Self.longestHeader { return nil }
            count *= 8
        }
    }

    // MARK: Frames

    /// The methods for the frames of a picture, none where each frame has its own; nil where no codec is of use. They depend
    /// on the object alone, so that it is coded after a cut as it was before.
    private func methods(for picture: Picture) throws(LineCodingFailure) -> [FrameMethod]? {
        let length = picture.layout.bytesPerFrame
        guard length <= LineFormat.largestFrame, picture.layout.photometricInterpretation != .ybrFull422,
            picture.layout.bitsAllocated <= 16
        else { return nil }
        guard picture.frames >= Self.manyFrames else { return [] }
        var sizes: [FrameMethod: Int] = [:]
        for number in [0, picture.frames / 2] {
            let bytes = try source.read(from: picture.start + Int64(number) * Int64(length), count: length)
            guard let form = FrameForm.of(bytes, picture.layout) else { return nil }
            for (method, coded) in try coded(bytes, form, picture, FrameMethod.allCases) {
                sizes[method, default: 0] += coded.count
            }
        }
        return Self.best(sizes).map { [$0] } ?? FrameMethod.allCases
    }

    private static func best(_ sizes: [FrameMethod: Int]) -> FrameMethod? {
        sizes.min { ($0.value, $0.key.rawValue) < ($1.value, $1.key.rawValue) }?.key
    }

    /// The method for one frame, by a strip of it.
    private func methods(
        for bytes: [UInt8], _ form: FrameForm, _ picture: Picture
    ) throws(LineCodingFailure) -> [FrameMethod] {
        let rows = max(form.rows / 8, Self.stripRows)
        guard form.rows >= 4 * rows else { return FrameMethod.allCases }
        var sizes: [FrameMethod: Int] = [:]
        for method in FrameMethod.allCases {
            var strip = Self.form(form, method, picture)
            let samples = strip.reduced(bytes)
            let line = form.columns * form.samples * (form.isCodedWide ? 2 : 1)
            let start = (form.rows - rows) / 2 * line
            strip.rows = rows
            guard let coded = try codecs.encode(Array(samples[start..<start + rows * line]), strip, by: method) else {
                return FrameMethod.allCases
            }
            sizes[method] = coded.count
        }
        return Self.best(sizes).map { [$0] } ?? FrameMethod.allCases
    }

    private static func form(_ form: FrameForm, _ method: FrameMethod, _ picture: Picture) -> FrameForm {
        var form = form
        form.method = method
        form.hasDifferences =
            method == .jpegLS && form.samples == 3 && picture.layout.photometricInterpretation == .rgb
        return form
    }

    /// What each method makes of a frame, whole pieces without their header.
    private func coded(
        _ bytes: [UInt8], _ form: FrameForm, _ picture: Picture, _ methods: [FrameMethod]
    ) throws(LineCodingFailure) -> [FrameMethod: [UInt8]] {
        var found: [FrameMethod: [UInt8]] = [:]
        for method in methods {
            var form = Self.form(form, method, picture)
            let high = form.split > 0 ? SmallForm.deflated(form.high(bytes)) : []
            guard let high, let coded = try codecs.encode(form.reduced(bytes), form, by: method) else { continue }
            form.highLength = high.count
            let piece = form.bytes + coded + high
            if try isTrue(.frame, bytes, piece) { found[method] = piece }
        }
        return found
    }

    /// Whether the decoder itself makes the very same octets of a piece: before that nobody believes it.
    private func isTrue(
        _ kind: LineFormat.Kind, _ bytes: [UInt8], _ piece: [UInt8]
    ) throws(LineCodingFailure) -> Bool {
        let header = LineFormat.PieceHeader(kind, length: bytes.count, codedLength: piece.count)
        do throws(LineCodingFailure) {
            if let known = LineFormat.PieceHeader(header.bytes),
                try LineDecoder.restored(piece, known, codecs) == bytes
            {
                return true
            }
        } catch {
            if case .busy = error { throw error }
        }
        Self.mismatches.increment()
        return false
    }

    private mutating func frame(
        _ bytes: [UInt8], _ picture: Picture, _ methods: [FrameMethod]
    ) throws(LineCodingFailure) {
        guard var form = FrameForm.of(bytes, picture.layout) else { return try small(bytes, picture.layout) }
        let isEven = form.samples == 1 && form.split == 0 && bytes == Self.even(form)
        if isEven {
            form.method = nil
            guard try isTrue(.frame, bytes, form.bytes) else { return try small(bytes, picture.layout) }
            return try put(.frame, bytes, form.bytes)
        }
        let own = methods.isEmpty ? try self.methods(for: bytes, form, picture) : methods
        let best = try coded(bytes, form, picture, own).min {
            ($0.value.count, $0.key.rawValue) < ($1.value.count, $1.key.rawValue)
        }?.value
        // Noise, and what is no picture, may be better off without a codec.
        guard let best, best.count < bytes.count - bytes.count / 8 else { return try small(bytes, picture.layout) }
        try put(.frame, bytes, best)
    }

    private static func even(_ form: FrameForm) -> [UInt8]? {
        form.bits == 1
            ? form.restored([UInt8](repeating: 0, count: form.sampleCount * (form.isCodedWide ? 2 : 1)), high: []) : nil
    }

    /// A frame without a codec.
    private mutating func small(_ bytes: [UInt8], _ layout: PixelLayout) throws(LineCodingFailure) {
        for start in stride(from: 0, to: bytes.count, by: LineFormat.longestPiece) {
            let piece = Array(bytes[start..<min(start + LineFormat.longestPiece, bytes.count)])
            try putPiece(piece, width: layout.bitsAllocated / 8)
        }
    }

    // MARK: Everything else

    private mutating func plain(until end: Int64, width: Int = 1) throws(LineCodingFailure) {
        while at < end {
            try putPiece(
                try source.read(from: at, count: Int(min(Int64(LineFormat.longestPiece), end - at))), width: width)
        }
    }

    private mutating func putPiece(_ bytes: [UInt8], width: Int) throws(LineCodingFailure) {
        pieces += 1
        guard helps || pieces % Self.retries == 0 else { return try put(.stored, bytes, bytes) }
        let deflated = SmallForm.deflated(bytes)
        let planes = width > 1 ? SmallForm.deflated(SmallForm.planes(bytes, width: width)) : nil
        let least = min(deflated?.count ?? .max, planes.map { $0.count + 1 } ?? .max)
        helps = least < bytes.count - bytes.count / 20
        if let planes, planes.count + 1 == least, least < bytes.count {
            let piece = [UInt8(width)] + planes
            if try isTrue(.planes, bytes, piece) { return try put(.planes, bytes, piece) }
        }
        if let deflated, try isTrue(.deflated, bytes, deflated) { return try put(.deflated, bytes, deflated) }
        try put(.stored, bytes, bytes)
    }

    private mutating func put(
        _ kind: LineFormat.Kind, _ bytes: [UInt8], _ coded: [UInt8]
    ) throws(LineCodingFailure) {
        hash.update(data: bytes)
        at += Int64(bytes.count)
        try writer.append(
            LineFormat.PieceHeader(kind, length: bytes.count, codedLength: coded.count).bytes + coded)
    }
}
