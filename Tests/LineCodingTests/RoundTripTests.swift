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
        let plain = try Bench.coder().coded(try Bench.source(file), isPlain: true)
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
        let second = try Bench.coder(MethodMemory()).coded(source)
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
        let coder = LineCoder(
            codecs: codecs, memory: MethodMemory(), scratch: FileManager.default.temporaryDirectory.path)
        let object = try coder.coded(try Bench.source(file))
        #expect(try Bench.restored(object.read(from: 0, count: Int(object.length))) == file)
    }

    @Test("what codes a kind of image better is remembered, also by the next process") func memory() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "phim-\(UUID().uuidString).json").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let image = Bench.Image(rows: 64, columns: 64)
        let calls = CallCount()
        let codecs = FrameCodecs { job, bytes throws(ImagingFailure) in
            calls.add()
            return try job.perform(bytes)
        }
        var before = 0
        var costs: [Int] = []
        for seed in 1...24 {
            // A new process each time.
            let coder = LineCoder(
                codecs: codecs, memory: MethodMemory(path: path), scratch: FileManager.default.temporaryDirectory.path)
            let file = image.file(Bench.words(Bench.smooth(image.count, 0...4095, seed: UInt64(seed))))
            _ = try coder.coded(try Bench.source(file))
            costs.append(calls.count - before)
            before = calls.count
        }
        // Encoded and decoded, by both methods at first, by one later.
        #expect(costs.prefix(3) == [4, 4, 4])
        #expect(costs.count { $0 == 2 } >= 18)
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
    private let value = Mutex(0)

    var count: Int { value.withLock { $0 } }

    func add() { value.withLock { $0 += 1 } }
}
