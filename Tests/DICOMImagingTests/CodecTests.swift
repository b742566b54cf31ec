// Every encoder gives back what it was given, bit by bit; every decoder refuses what is no image.
import DICOMCore
import DICOMImaging
import Testing

@Suite("Codecs")
struct CodecTests {
    struct Kind: CustomTestStringConvertible, Sendable {
        var allocated: Int
        var stored: Int
        var isSigned = false
        var samples = 1
        var photometric = PhotometricInterpretation.monochrome2
        var testDescription: String { "\(photometric.rawValue) \(stored)/\(allocated)\(isSigned ? " signed" : "")" }
    }

    static let kinds = [
        Kind(allocated: 8, stored: 8), Kind(allocated: 8, stored: 6), Kind(allocated: 16, stored: 8),
        Kind(allocated: 16, stored: 10), Kind(allocated: 16, stored: 12), Kind(allocated: 16, stored: 16),
        Kind(allocated: 16, stored: 12, isSigned: true), Kind(allocated: 16, stored: 16, isSigned: true),
        Kind(allocated: 8, stored: 8, isSigned: true), Kind(allocated: 8, stored: 8, photometric: .paletteColor),
        Kind(allocated: 8, stored: 8, samples: 3, photometric: .rgb),
        Kind(allocated: 8, stored: 8, samples: 3, photometric: .ybrFull),
        Kind(allocated: 16, stored: 16, samples: 3, photometric: .rgb),
    ]
    static let lossless: [TransferSyntax] = [
        .rleLossless, .jpegLossless, .jpegLosslessSV1, .jpegLSLossless, .jpeg2000Lossless, .htj2kLossless,
        .htj2kLosslessRPCL,
    ]

    static func frame(_ kind: Kind, rows: Int = 37, columns: Int = 53, seed: UInt64 = 3) -> NativeFrame {
        var layout = PixelLayout(rows: rows, columns: columns, bitsAllocated: kind.allocated, bitsStored: kind.stored)
        layout.isSigned = kind.isSigned
        layout.samplesPerPixel = kind.samples
        layout.photometricInterpretation = kind.photometric
        let half = kind.isSigned ? 1 << (kind.stored - 1) : 0
        let values = Samples.noise(rows * columns * kind.samples, below: 1 << kind.stored, seed: seed).map { $0 - half }
        let bytes = kind.allocated == 8 ? values.map { UInt8(truncatingIfNeeded: $0) } : Samples.words(values)
        return NativeFrame(bytes: bytes, layout: layout)
    }

    @Test("lossless means bit by bit", arguments: lossless, kinds)
    func roundTrip(syntax: TransferSyntax, kind: Kind) throws {
        for (rows, columns) in [(37, 53), (1, 1), (2, 300), (64, 64)] {
            let frame = Self.frame(kind, rows: rows, columns: columns)
            let encoded = try FrameCodec.encode(frame, to: syntax)
            let decoded = try FrameCodec.decode(encoded.bytes, from: syntax, layout: encoded.layout)
            #expect(decoded.bytes == frame.bytes)
            #expect(decoded.layout == frame.layout)
        }
    }

    @Test("bits above Bits Stored, such as an embedded overlay, are kept", arguments: lossless)
    func unusedBits(syntax: TransferSyntax) throws {
        var frame = Self.frame(Kind(allocated: 16, stored: 12))
        for index in stride(from: 1, to: frame.bytes.count, by: 14) { frame.bytes[index] |= 0x80 }
        let encoded = try FrameCodec.encode(frame, to: syntax)
        #expect(try FrameCodec.decode(encoded.bytes, from: syntax, layout: encoded.layout).bytes == frame.bytes)
    }

    @Test("planar samples come back by pixel", arguments: lossless)
    func planar(syntax: TransferSyntax) throws {
        var frame = Self.frame(Kind(allocated: 8, stored: 8, samples: 3, photometric: .rgb), rows: 2, columns: 2)
        frame.layout.isPlanar = true
        frame.bytes = [1, 2, 3, 4, 11, 12, 13, 14, 21, 22, 23, 24]
        let encoded = try FrameCodec.encode(frame, to: syntax)
        let decoded = try FrameCodec.decode(encoded.bytes, from: syntax, layout: encoded.layout)
        #expect(decoded.bytes == [1, 11, 21, 2, 12, 22, 3, 13, 23, 4, 14, 24])
        #expect(!decoded.layout.isPlanar)
    }

    @Test(
        "lossy JPEG stays close: 8 bits and 12 bits",
        arguments: [
            (TransferSyntax.jpegBaseline, Kind(allocated: 8, stored: 8), 6),
            (.jpegExtended, Kind(allocated: 16, stored: 12), 24),
        ])
    func lossy(syntax: TransferSyntax, kind: Kind, tolerance: Int) throws {
        let frame = Self.frame(kind, rows: 64, columns: 64)
        let encoded = try FrameCodec.encode(frame, to: syntax, quality: 100)
        let decoded = try FrameCodec.decode(encoded.bytes, from: syntax, layout: encoded.layout)
        let width = kind.allocated / 8
        func value(_ bytes: [UInt8], _ index: Int) -> Int {
            width == 1 ? Int(bytes[index]) : Int(bytes[2 * index]) | Int(bytes[2 * index + 1]) << 8
        }
        let worst = (0..<64 * 64).map { abs(value(frame.bytes, $0) - value(decoded.bytes, $0)) }.max()
        #expect(try #require(worst) <= tolerance)
        #expect(encoded.bytes.count < frame.bytes.count)
    }

    @Test("a known lossless codestream of 8 by 8 samples of 12 bits, value 61 times the index (OpenJPEG 2.5)")
    func knownCodestream() throws {
        let digits = Array(Self.codestream.filter { !$0.isWhitespace })
        let bytes = stride(from: 0, to: digits.count, by: 2).compactMap {
            UInt8(String(digits[$0...$0 + 1]), radix: 16)
        }
        let layout = PixelLayout(rows: 8, columns: 8, bitsAllocated: 16, bitsStored: 12)
        let decoded = try FrameCodec.decode(bytes, from: .jpeg2000Lossless, layout: layout)
        #expect(decoded.bytes == Samples.words((0..<64).map { $0 * 61 }))
    }

    static let codestream = """
        ff4fff5100290000000000080000000800000000000000000000000800000008000000000000000000010b0101ff52000c00000001000104
        040001ff5c00074060686870ff640025000143726561746564206279204f70656e4a5045472076657273696f6e20322e352e30ff90000a00
        000000003d0001ff93dfe068120f849fd4d47e0a55bc5ee43cf825a27c494d4d959c912f9809c03ea0583f3060221880787f037e6928bb77
        ffd9
        """

    @Test("an RLE frame of hand: two planes, a run and literals (PS3.5 Annex G)")
    func rleByHand() throws {
        // Two pixels of 16 bits, 0x0102 and 0x0103: high bytes a run of two, low bytes two literals.
        var bytes = [UInt8](repeating: 0, count: 64)
        (bytes[0], bytes[4], bytes[8]) = (2, 64, 66)
        bytes += [0xFF, 0x01, 0x01, 0x02, 0x03, 0x00]
        let layout = PixelLayout(rows: 1, columns: 2, bitsAllocated: 16)
        #expect(try FrameCodec.decode(bytes, from: .rleLossless, layout: layout).bytes == [0x02, 0x01, 0x03, 0x01])
    }

    @Test(
        "codestreams that end early, are nonsense, or are of another size are refused",
        arguments: lossless + [.jpegBaseline])
    func hostile(syntax: TransferSyntax) throws {
        let frame = Self.frame(Kind(allocated: 8, stored: 8), rows: 64, columns: 64)
        let encoded = try FrameCodec.encode(frame, to: syntax)
        for cut in [0, 1, 3, encoded.bytes.count / 3] {
            #expect(throws: ImagingFailure.self, "cut at \(cut)") {
                _ = try FrameCodec.decode(Array(encoded.bytes.prefix(cut)), from: syntax, layout: encoded.layout)
            }
        }
        #expect(throws: ImagingFailure.self) {
            _ = try FrameCodec.decode([UInt8](repeating: 0x5A, count: 500), from: syntax, layout: encoded.layout)
        }
        var larger = encoded.layout
        larger.rows *= 2
        #expect(throws: ImagingFailure.self) { _ = try FrameCodec.decode(encoded.bytes, from: syntax, layout: larger) }
        var bomb = encoded.layout
        (bomb.rows, bomb.columns) = (65_535, 65_535)
        #expect(throws: ImagingFailure.self) { _ = try FrameCodec.decode(encoded.bytes, from: syntax, layout: bomb) }
    }

    @Test("what no encoder takes is refused, never mangled")
    func refusals() throws {
        let words = Self.frame(Kind(allocated: 16, stored: 16))
        #expect(throws: ImagingFailure.self) { _ = try FrameCodec.encode(words, to: .jpegBaseline) }
        #expect(throws: ImagingFailure.self) { _ = try FrameCodec.encode(words, to: .jpegExtended) }
        #expect(throws: ImagingFailure.self) { _ = try FrameCodec.encode(words, to: .jpeg2000) }
        #expect(throws: ImagingFailure.self) { _ = try FrameCodec.encode(words, to: TransferSyntax("1.2.3")) }
    }
}
