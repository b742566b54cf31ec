// Whatever goes over the line comes out as it went in, byte for byte.

import Crypto
import DICOMCore
import DICOMImaging
import Foundation
import LineCoding
import Synchronization
import Testing

/// Pictures of every kind, and how their pixels are made.
private enum Pictures {
    private static let noise: [UInt8] = {
        var generator = Generator(9)
        return (0..<60_000).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    }()

    static let all: [(String, Bench.Image, @Sendable (Bench.Image) -> [UInt8])] = [
        ("12 bits in 16", .init(), { Bench.words(Bench.smooth($0.count, 0...4095)) }),
        ("signed", .init(stored: 16, isSigned: true), { Bench.words(Bench.smooth($0.count, -2000...3000)) }),
        (
            "signed, 12 bits, sign extended", .init(isSigned: true),
            { Bench.words(Bench.smooth($0.count, -1024...2047)) }
        ),
        (
            "an overlay in the upper bits", .init(),
            { Bench.words(Bench.smooth($0.count, 0...4095).enumerated().map { $1 | ($0 % 7 == 0 ? 0x1000 : 0) }) }
        ),
        (
            "padding far below the picture", .init(stored: 16, isSigned: true),
            { Bench.words(Bench.smooth($0.count, 0...900).enumerated().map { $0 < 200 ? -32768 : $1 }) }
        ),
        ("all 16 bits", .init(stored: 16), { Bench.words(Bench.smooth($0.count, 0...65_535).map { $0 &* 37 }) }),
        ("noise", .init(stored: 16), { Array(noise.prefix($0.count * 2)) }),
        ("small values in wide words", .init(), { Bench.words(Bench.smooth($0.count, 100...160)) }),
        ("all alike", .init(), { Bench.words([Int](repeating: 1_234, count: $0.count)) }),
        ("all alike but one", .init(), { Bench.words([7] + [Int](repeating: 8, count: $0.count - 1)) }),
        (
            "8 bits", .init(allocated: 8, stored: 8),
            { Bench.smooth($0.count, 3...250).map { UInt8(truncatingIfNeeded: $0) } }
        ),
        (
            "palette", .init(allocated: 8, stored: 8, photometric: "PALETTE COLOR"),
            { Bench.smooth($0.count, 0...255).map { UInt8(truncatingIfNeeded: $0) } }
        ),
        (
            "RGB", .init(allocated: 8, stored: 8, samples: 3, photometric: "RGB"),
            { Bench.smooth($0.count, 0...255).map { UInt8(truncatingIfNeeded: $0) } }
        ),
        (
            "RGB in planes", .init(allocated: 8, stored: 8, samples: 3, isPlanar: true, photometric: "RGB"),
            { Bench.smooth($0.count, 0...255).map { UInt8(truncatingIfNeeded: $0) } }
        ),
        (
            "YBR_FULL", .init(allocated: 8, stored: 8, samples: 3, photometric: "YBR_FULL"),
            { Bench.smooth($0.count, 0...255).map { UInt8(truncatingIfNeeded: $0) } }
        ),
        ("many frames", .init(frames: 9), { Bench.words(Bench.smooth($0.count, 0...4095)) }),
        (
            "implicit VR", .init(syntax: .implicitVRLittleEndian), { Bench.words(Bench.smooth($0.count, 0...4095)) }
        ),
        (
            "big endian", .init(syntax: .explicitVRBigEndian),
            { Bench.smooth($0.count, 0...4095).flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] } }
        ),
        (
            "32 bits", .init(allocated: 32, stored: 32),
            { Bench.smooth($0.count, 0...100_000).flatMap { value in (0..<4).map { UInt8(value >> (8 * $0) & 255) } } }
        ),
        ("single bits", .init(allocated: 1, stored: 1), { Array(noise.prefix(($0.count + 7) / 8)) }),
        ("a frame of one line", .init(rows: 1, columns: 333), { Bench.words(Bench.smooth($0.count, 0...4095)) }),
        ("one pixel", .init(rows: 1, columns: 1), { _ in [1, 2] }),
        ("pixel data cut short", .init(), { Array(Bench.words(Bench.smooth($0.count, 0...4095)).dropLast(1_001)) }),
        ("longer than its frames", .init(), { Bench.words(Bench.smooth($0.count, 0...4095)) + noise.prefix(77) }),
        ("empty pixel data", .init(), { _ in [] }),
        (
            "something behind the picture", .init(tail: [UInt8](repeating: 0, count: 3_333)),
            { Bench.words(Bench.smooth($0.count, 0...4095)) }
        ),
    ]

    /// Files of others, where they lie beside the package.
    static let corpus = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "shared/data").path
}

@Suite("Objects on the line")
struct RoundTripTests {
    @Test("every kind of picture", arguments: Pictures.all.indices) func pictures(_ index: Int) throws {
        let (name, image, pixels) = Pictures.all[index]
        let file = image.file(pixels(image))
        let coded = try Bench.coded(file)
        #expect(try Bench.restored(coded) == file, "\(name)")
        let plain = try Bench.coder().coded(try Bench.source(file), .stored)
        #expect(try Bench.restored(plain.read(from: 0, count: Int(plain.length))) == file, "\(name)")
        #expect(coded.count <= file.count + 200, "\(name): \(coded.count) of \(file.count)")
    }

    @Test("pictures become much smaller") func gain() throws {
        for (name, image, pixels) in Pictures.all
        where ["12 bits in 16", "signed", "RGB", "many frames"].contains(name) {
            var large = image
            (large.rows, large.columns) = (256, 256)
            let file = large.file(pixels(large))
            let coded = try Bench.coded(file)
            #expect(Double(coded.count) < Double(file.count) * (name == "RGB" ? 0.75 : 0.45), "\(name): \(coded.count)")
        }
    }

    @Test("what is no picture, and what is compressed already") func others() throws {
        var generator = Generator(3)
        let text = [UInt8]("1.2.840.10008 CT Abdomen nativ ".utf8)
        let report = Bench.Image(rows: 1, columns: 1).file((0..<4_000).flatMap { _ in text })
        #expect(try Bench.restored(Bench.coded(report)) == report)
        #expect(try Bench.coded(report).count < report.count / 20)
        let header = Part10.header(
            sopClassUID: "1.2", sopInstanceUID: "1.2.3", transferSyntaxUID: TransferSyntax.jpegLSLossless.uid)
        let compressed = header + (0..<3_000_000).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        let coded = try Bench.coded(compressed)
        #expect(try Bench.restored(coded) == compressed)
        #expect(coded.count < compressed.count + 100)
    }

    @Test("the same object has the same form, also when it is long enough for a file") func deterministic() throws {
        let image = Bench.Image(rows: 512, columns: 512, frames: 9)
        let file = image.file(Bench.words(Bench.smooth(image.count, 0...4095)))
        let source = try Bench.source(file)
        let first = try Bench.coder().coded(source)
        let second = try Bench.coder().coded(source)
        #expect(first.digest == second.digest)
        #expect(first.originalDigest == Array(SHA256.hash(data: file)))
        let isInFile = !first.isInMemory
        #expect(isInFile)
        let bytes = try first.read(from: 0, count: Int(first.length))
        #expect(Array(SHA256.hash(data: bytes)) == first.digest)
        #expect(try Bench.restored(bytes) == file)
        for offset in stride(from: Int64(0), to: first.length, by: 99_991) {
            let piece = try second.read(from: offset, count: 70_000)
            #expect(piece == Array(bytes[Int(offset)..<min(Int(offset) + 70_000, bytes.count)]))
        }
    }

    @Test("a stored object that has rotted is not sent") func rotten() throws {
        let source = try Bench.source(Bench.Image().file(Bench.words(Bench.smooth(1_920, 0...4095))), lying: true)
        #expect(throws: LineCodingFailure.rotten) { _ = try Bench.coder().coded(source) }
    }

    @Test("a codec that gives back something else is not believed") func lyingCodec() throws {
        let image = Bench.Image()
        let file = image.file(Bench.words(Bench.smooth(image.count, 0...4095)))
        let codecs = FrameCodecs { job, bytes throws(ImagingFailure) in
            var frame = try job.perform(bytes)
            if frame.bytes.count == image.count * 2 { frame.bytes[77] ^= 1 }
            return frame
        }
        let object = try Bench.coder(codecs).coded(try Bench.source(file))
        #expect(try Bench.restored(object.read(from: 0, count: Int(object.length))) == file)
    }

    @Test("a codec is chosen by the object alone, by a strip of it") func chosen() throws {
        let image = Bench.Image(rows: 256, columns: 256)
        let calls = CallCount()
        let codecs = FrameCodecs { job, bytes throws(ImagingFailure) in
            calls.add(bytes.count)
            return try job.perform(bytes)
        }
        let coder = Bench.coder(codecs)
        var digests: [[UInt8]] = []
        for seed in [1, 2, 3, 1] {
            let file = image.file(Bench.words(Bench.smooth(image.count, 0...4095, seed: UInt64(seed))))
            let object = try coder.coded(try Bench.source(file))
            digests.append(object.digest)
            coder.forget(object)
        }
        #expect(digests[0] == digests[3])
        // Two strips, the frame, and the frame decoded again.
        #expect(calls.count == 16)
        #expect(calls.octets < 4 * image.count * 2 * 2)
    }

    @Test("while the codecs are busy nothing is coded, so that it has one form only") func busy() throws {
        let image = Bench.Image()
        let file = image.file(Bench.words(Bench.smooth(image.count, 0...4095)))
        let codecs = FrameCodecs { _, _ throws(ImagingFailure) in throw .busy }
        #expect(throws: LineCodingFailure.busy) { _ = try Bench.coder(codecs).coded(try Bench.source(file)) }
        let plain = try Bench.coder(codecs).coded(try Bench.source(file), .deflated)
        #expect(try Bench.restored(plain.read(from: 0, count: Int(plain.length)), codecs: codecs) == file)
    }

    @Test("a decoder that ends says nothing of the object") func lost() throws {
        let image = Bench.Image()
        let coded = try Bench.coded(image.file(Bench.words(Bench.smooth(image.count, 0...4095))))
        let codecs = FrameCodecs { _, _ throws(ImagingFailure) in throw .workerLost("too long") }
        #expect(throws: LineCodingFailure.lost) { _ = try Bench.restored(coded, codecs: codecs) }
    }

    @Test("what is coded apart is never more than the decoder takes") func longHigh() throws {
        // More than 8 MiB of other bits that do not become smaller.
        let image = Bench.Image(rows: 3_100, columns: 3_100)
        var generator = Generator(3)
        let words = Bench.smooth(image.count, 0...4095).map { sample in
            sample | Int(UInt8(truncatingIfNeeded: generator.next() >> 40)) << 12 & 0xF000
        }
        let file = image.file(Bench.words(words))
        #expect(try Bench.restored(try Bench.coded(file)) == file)
    }

    @Test("nearly nothing that stands for very much is written as receivers believe it") func black() throws {
        let image = Bench.Image(rows: 1_024, columns: 1_024, allocated: 8, stored: 8, frames: 96)
        let file = image.file([UInt8](repeating: 0, count: image.count))
        let coded = try Bench.coded(file)
        #expect(try Bench.restored(coded) == file)
        #expect(coded.count < file.count / 500)
        let bomb = Array("PHL1".utf8) + (0..<8).map { UInt8(truncatingIfNeeded: (80 << 20) >> ($0 * 8)) } + [0xFF]
        #expect(throws: LineCodingFailure.self) { _ = try Bench.restored(bomb + [UInt8](repeating: 0, count: 32)) }
    }

    @Test("files of others", .enabled(if: FileManager.default.fileExists(atPath: Pictures.corpus)))
    func corpus() throws {
        var (files, before, after) = (0, 0, 0)
        let all = FileManager.default.enumerator(atPath: Pictures.corpus)?.compactMap { $0 as? String } ?? []
        for name in all.sorted() {
            guard let data = FileManager.default.contents(atPath: Pictures.corpus + "/" + name), data.count > 132,
                data.count < 4 << 20, let source = try? Bench.source(Array(data))
            else { continue }
            let object = try Bench.coder().coded(source)
            #expect(try Bench.restored(object.read(from: 0, count: Int(object.length))) == Array(data), "\(name)")
            #expect(object.length <= Int64(data.count) + 200, "\(name)")
            (files, before, after) = (files + 1, before + data.count, after + Int(object.length))
        }
        #expect(files > 100)
        #expect(after < before)
    }
}

private final class CallCount: Sendable {
    private let value = Mutex((count: 0, octets: 0))

    var count: Int { value.withLock { $0.count } }
    var octets: Int { value.withLock { $0.octets } }

    func add(_ octets: Int) { value.withLock { $0 = ($0.count + 1, $0.octets + octets) } }
}
