// Objects made on the spot, the codecs in this process, and both ways through the line.

import Crypto
import DICOMCore
import DICOMImaging
import Foundation
import LineCoding

enum Bench {
    /// The codecs without workers.
    static let codecs = FrameCodecs { job, bytes throws(ImagingFailure) in try job.perform(bytes) }

    static func coder(_ codecs: FrameCodecs = Bench.codecs) -> LineCoder {
        LineCoder(codecs: codecs, scratch: FileManager.default.temporaryDirectory.path)
    }

    static func source(_ file: [UInt8], lying: Bool = false) throws -> LineSource {
        let part10 = try Part10.parse(file)
        var digest = Array(SHA256.hash(data: file))
        if lying { digest[0] ^= 1 }
        return LineSource(
            sopClassUID: part10.mediaStorageSOPClassUID ?? "", transferSyntaxUID: part10.transferSyntax.uid,
            length: Int64(file.count), dataSetOffset: part10.dataSetOffset, digest: digest
        ) { offset, count throws(LineCodingFailure) in
            let start = Int(min(offset, Int64(file.count)))
            return Array(file[start..<min(start + count, file.count)])
        }
    }

    static func coded(_ file: [UInt8]) throws -> [UInt8] {
        let object = try coder().coded(try source(file))
        return try object.read(from: 0, count: Int(object.length))
    }

    static func restored(
        _ coded: [UInt8], most: Int64 = 1 << 30, codecs: FrameCodecs = Bench.codecs
    ) throws(LineCodingFailure) -> [UInt8] {
        var decoder = try LineDecoder(codedLength: Int64(coded.count), most: most, codecs: codecs) {
            offset, count throws(LineCodingFailure) in
            let start = Int(min(offset, Int64(coded.count)))
            return Array(coded[start..<min(start + count, coded.count)])
        }
        var bytes: [UInt8] = []
        while let piece = try decoder.next() { bytes += piece }
        return bytes
    }

    /// An object with native pixel data.
    struct Image {
        var rows = 48
        var columns = 40
        var allocated = 16
        var stored = 12
        var isSigned = false
        var samples = 1
        var isPlanar = false
        var photometric = "MONOCHROME2"
        var frames = 1
        var syntax = TransferSyntax.explicitVRLittleEndian
        /// What stands behind the pixel data.
        var tail: [UInt8] = []

        func file(_ pixels: [UInt8]) -> [UInt8] {
            var writer = DataSetWriter(transferSyntax: syntax, characterSet: .ascii)
            writer.put(.sopClassUID, .UI, ["1.2.840.10008.5.1.4.1.1.2"])
            writer.put(.sopInstanceUID, .UI, ["1.2.3.4"])
            writer.put(.samplesPerPixel, .US, ints: [samples])
            writer.put(.photometricInterpretation, .CS, [photometric])
            if samples == 3 { writer.put(.planarConfiguration, .US, ints: [isPlanar ? 1 : 0]) }
            if frames > 1 { writer.put(.numberOfFrames, .IS, ints: [frames]) }
            writer.put(.rows, .US, ints: [rows])
            writer.put(.columns, .US, ints: [columns])
            writer.put(.bitsAllocated, .US, ints: [allocated])
            writer.put(.bitsStored, .US, ints: [stored])
            writer.put(.highBit, .US, ints: [stored - 1])
            writer.put(.pixelRepresentation, .US, ints: [isSigned ? 1 : 0])
            writer.put(.pixelData, allocated > 8 ? .OW : .OB, bytes: pixels)
            let header = Part10.header(
                sopClassUID: "1.2.840.10008.5.1.4.1.1.2", sopInstanceUID: "1.2.3.4", transferSyntaxUID: syntax.uid)
            return header + writer.finish() + tail
        }

        var count: Int { rows * columns * samples * frames }
    }

    /// Numbers like those of a picture: neighbours are alike. The same for the same seed.
    static func smooth(_ count: Int, _ range: ClosedRange<Int>, seed: UInt64 = 1) -> [Int] {
        var generator = Generator(seed)
        var value = (range.lowerBound + range.upperBound) / 2
        return (0..<count).map { _ in
            value = min(max(value + Int(generator.next() >> 56) % 17 - 8, range.lowerBound), range.upperBound)
            return value
        }
    }

    static func words(_ values: [Int]) -> [UInt8] {
        values.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
    }
}

/// Numbers that look random and are the same each time.
struct Generator: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state &* 0x2545_F491_4F6C_DD1D
    }
}
