// Headers and names: what happens to every object in memory.

import Benchmark
import DICOMCore

/// A Part 10 header as bytes, and where its data set begins.
private struct Sample {
    let bytes: [UInt8]

    func read() throws -> Header { try HeaderReader.read(bytes, transferSyntax: Slices.transferSyntax) }
}

func readingBenchmarks() {
    micro("HeaderReader-CT") {
        Sample(bytes: Slices.dataSet(0, size: 16 << 10))
    } operation: { sample in
        let header = try sample.read()
        guard header.dataSet.elements.count == Slices.elements, header.pixelData != nil, header.flaws.isEmpty else {
            throw BenchmarkFailure.unexpectedOutcome
        }
    }
    micro("HeaderReader-EnhancedCT") {
        Sample(bytes: enhanced(frames: 400))
    } operation: { sample in
        let frames = try sample.read().dataSet.items(.perFrameFunctionalGroupsSequence)
        let positions = frames.compactMap { $0.items(planePosition).first?.string(.imagePositionPatient) }
        guard positions.count == 400 else { throw BenchmarkFailure.unexpectedOutcome }
    }
    micro("HeaderReader-Nested") {
        Sample(bytes: nested(levels: 20_000))
    } operation: { sample in
        blackHole(try? sample.read())
    }
}

func foldBenchmarks() {
    micro("Fold-1000names") {
        (0..<1000).map(Names.patient)
    } operation: { names in
        for name in names { blackHole(Fold.fold(name)) }
    }
}

private let planePosition = Tag(0x0020, 0x9113)

/// An enhanced multi-frame CT header: functional groups of every frame (PS3.3 Section C.7.6.16), lengths undefined, as
/// makers send them.
private func enhanced(frames: Int) -> [UInt8] {
    var writer = Slices.header(0)
    writer.put(.numberOfFrames, "\(frames)")
    writer.put(.pixelData, .OW, bytes: [0, 0])
    let flat = writer.finish()
    let groups = sequence(
        .perFrameFunctionalGroupsSequence,
        items: (0..<frames).map { frame in
            let position = Slices.item { $0.put(.imagePositionPatient, "-190\\-190\\-\(frame).5") }
            let orientation = Slices.item { $0.put(Tag(0x0020, 0x0037), "1\\0\\0\\0\\1\\0") }
            let content = Slices.item {
                $0.put(Tag(0x0020, 0x9057), "\(frame + 1)")
                $0.put(Tag(0x0020, 0x9128), "1")
            }
            return sequence(Tag(0x0020, 0x9111), items: [content]) + sequence(planePosition, items: [position])
                + sequence(Tag(0x0020, 0x9116), items: [orientation])
        })
    let pixels = flat.count - 14
    return Array(flat[..<pixels]) + groups + Array(flat[pixels...])
}

/// Sequences within sequences that never end, far beyond what the reader opens.
private func nested(levels: Int) -> [UInt8] {
    let opening = sequence(Tag(0x0040, 0xA730), items: [[]]).prefix(20)
    return Slices.header(0).finish() + (0..<levels).flatMap { _ in opening }
}

/// A sequence of undefined length whose items have none either (PS3.5 Section 7.5).
private func sequence(_ tag: Tag, items: [[UInt8]]) -> [UInt8] {
    let undefined: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF]
    let group = tag.rawValue >> 16
    var bytes = [group, group >> 8, tag.rawValue, tag.rawValue >> 8].map { UInt8(truncatingIfNeeded: $0) }
    bytes += Array("SQ".utf8) + [0, 0] + undefined
    for item in items {
        bytes += [0xFE, 0xFF, 0x00, 0xE0] + undefined
        bytes += item
        bytes += [0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0]
    }
    return bytes + [0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]
}

extension Slices {
    /// The elements of an item, encoded.
    fileprivate static func item(_ fill: (inout DataSetWriter) -> Void) -> [UInt8] {
        var writer = DataSetWriter(transferSyntax: transferSyntax, characterSet: .utf8)
        fill(&writer)
        return writer.finish()
    }
}
