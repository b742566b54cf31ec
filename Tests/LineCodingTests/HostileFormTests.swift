// What comes over the line is anybody's: no form of it may do more than be refused.

import Crypto
import DICOMCore
import DICOMImaging
import Foundation
import LineCoding
import Testing

/// Forms that are none.
private enum Forms {
    private static func number(_ value: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    private static func object(_ length: Int, _ pieces: [[UInt8]], of bytes: [UInt8] = []) -> [UInt8] {
        Array("PHL1".utf8) + number(length, 8) + pieces.flatMap { $0 } + [0xFF] + Array(SHA256.hash(data: bytes))
    }

    private static func piece(_ kind: UInt8, _ length: Int, _ payload: [UInt8], codedLength: Int? = nil) -> [UInt8] {
        [kind] + number(length, 4) + number(codedLength ?? payload.count, 4) + payload
    }

    private static func frame(
        method: UInt8 = 2, flags: UInt8 = 1, samples: UInt8 = 1, bits: UInt8 = 12, split: UInt8 = 0,
        columns: Int = 8, rows: Int = 8, high: Int = 0, _ codestream: [UInt8] = [0xFF, 0xD8, 0xFF, 0xF7, 0, 0]
    ) -> [UInt8] {
        [method, flags, samples, bits, split] + number(columns, 2) + number(rows, 2) + [0, 0] + number(high, 4) + [
            0, 0,
        ]
            + codestream
    }

    static let all: [(String, [UInt8])] = [
        ("nothing", []),
        ("half a header", Array("PHL1".utf8) + [0, 0]),
        ("another form", Array("PHL2".utf8) + number(0, 8) + [0xFF] + [UInt8](repeating: 0, count: 32)),
        ("a length beyond all bounds", object(-1, [])),
        ("a length beyond the limit", object(1 << 40, [])),
        ("its end at once", object(5, [])),
        ("a wrong digest", object(1, [piece(0, 1, [7])], of: [8])),
        ("more behind its end", object(1, [piece(0, 1, [7])], of: [7]) + [0]),
        ("an unknown kind", object(1, [piece(9, 1, [7])], of: [7])),
        ("an empty piece", object(1, [piece(0, 0, [])], of: [7])),
        ("a piece longer than the object", object(1, [piece(0, 2, [7, 7])], of: [7])),
        ("a piece longer than what came", object(9, [piece(0, 9, [7], codedLength: 9)])),
        ("a stored piece of another length", object(2, [piece(0, 2, [7])], of: [7])),
        ("lengths of four gigabytes", object(1 << 29, [piece(0, -1, [7], codedLength: -1)])),
        ("a piece of many megabytes", object(1 << 29, [piece(1, 1 << 28, [3, 0])])),
        ("no deflate", object(9, [piece(1, 9, [0xFF, 0xFF, 0xFF])])),
        ("deflate of another length", object(9, [piece(1, 9, [3, 0])])),
        ("planes of no width", object(9, [piece(3, 9, [0, 3, 0])])),
        ("planes of too great a width", object(9, [piece(3, 9, [200, 3, 0])])),
        ("half a frame", object(128, [piece(2, 128, [2, 1, 1])])),
        ("a frame of another length", object(100, [piece(2, 100, frame())])),
        ("a frame without size", object(128, [piece(2, 128, frame(columns: 0))])),
        ("a frame of two samples", object(128, [piece(2, 128, frame(samples: 2))])),
        ("a frame of no bits", object(128, [piece(2, 128, frame(bits: 0))])),
        ("a frame of too many bits", object(128, [piece(2, 128, frame(bits: 17))])),
        ("a frame of an unknown method", object(128, [piece(2, 128, frame(method: 3))])),
        ("a frame whose codestream is none", object(128, [piece(2, 128, frame())])),
        ("a frame without a codestream", object(128, [piece(2, 128, frame([]))])),
        ("a frame all alike with a codestream", object(128, [piece(2, 128, frame(method: 0))])),
        ("a frame whose other part is longer than all", object(128, [piece(2, 128, frame(split: 12, high: 99))])),
        ("other bits without a place", object(128, [piece(2, 128, frame(high: 2))])),
        ("other bits of bytes", object(64, [piece(2, 64, frame(flags: 0, bits: 8, split: 12))])),
        (
            "a huge frame from nothing",
            object(1 << 26, [piece(2, 1 << 26, frame(columns: 8_192, rows: 4_096, [1, 2]))])
        ),
    ]
}

@Suite("Hostile forms")
struct HostileFormTests {
    @Test("are refused", arguments: Forms.all.indices) func refused(_ index: Int) {
        let (name, form) = Forms.all[index]
        #expect(throws: LineCodingFailure.self, "\(name)") { _ = try Bench.restored(form) }
    }

    @Test("every cut of a good one is refused") func cuts() throws {
        let coded = try Bench.coded(Bench.Image(rows: 16, columns: 16).file(Bench.words(Bench.smooth(256, 0...4095))))
        for length in 0..<coded.count {
            #expect(throws: LineCodingFailure.self) { _ = try Bench.restored(Array(coded.prefix(length))) }
        }
    }

    @Test("changed octets never give another object") func mutations() throws {
        var generator = Generator(17)
        for (index, image) in [
            Bench.Image(rows: 24, columns: 24),
            .init(rows: 8, columns: 8, allocated: 8, stored: 8, samples: 3, photometric: "RGB"),
            .init(rows: 8, columns: 8, allocated: 32, stored: 32),
        ].enumerated() {
            let count = image.count * image.allocated / 8
            let file = image.file(
                Bench.smooth(count, 0...255, seed: UInt64(index)).map { UInt8(truncatingIfNeeded: $0) })
            let coded = try Bench.coded(file)
            for _ in 0..<400 {
                var other = coded
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    let at = Int.random(in: 0..<other.count, using: &generator)
                    switch Int.random(in: 0..<3, using: &generator) {
                    case 0: other[at] = UInt8.random(in: 0...255, using: &generator)
                    case 1: other.remove(at: at)
                    default: other.insert(UInt8.random(in: 0...255, using: &generator), at: at)
                    }
                }
                if let restored = try? Bench.restored(other, most: 1 << 24) { #expect(restored == file) }
            }
        }
    }
}
