// Untrusted bytes: seeded mutations of real and made objects, nesting without end, lengths that lie.

import DICOMCore
import Testing

/// A small generator with a seed (SplitMix64), so that a failure can be repeated.
private struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        return word ^ word >> 31
    }
}

@Suite("Hostile input")
struct HostileInputTests {
    /// Reads bytes as a file, checks that every element lies inside them, and looks at every value.
    static func readEverything(_ bytes: [UInt8]) -> (elements: Int, isSound: Bool) {
        guard let file = try? Part10.parse(bytes) else { return (0, true) }
        guard
            let header = try? HeaderReader.read(
                bytes, from: file.dataSetOffset, transferSyntax: file.transferSyntax,
                limits: ReadLimits(depth: 8, inflatedBytes: 1 << 16))
        else { return (0, true) }
        var elements = 0
        var isSound = header.flaws.count <= 32
        walk(header.dataSet) { element, owner, depth in
            elements += 1
            let end = element.offset + element.length
            isSound = isSound && element.offset >= 8 && element.length >= 0 && end <= owner.bytes.count && depth <= 8
            if isSound, element.length < 256 { _ = owner.values(of: element) }
        }
        // No level can hold more elements than its bytes can hold headers, and there are nine levels.
        isSound = isSound && elements <= (header.dataSet.bytes.count / 8 + 1) * 9
        return (elements, isSound)
    }

    private static func mutate(_ seed: [UInt8], with other: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = seed
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
            guard bytes.count > 16 else { break }
            let at = Int.random(in: 0..<bytes.count - 8, using: &generator)
            switch Int.random(in: 0..<9, using: &generator) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 2: bytes.replaceSubrange(at..<at + 4, with: [0xFF, 0xFF, 0xFF, 0xFF])
            case 3: bytes.replaceSubrange(at..<at + 8, with: [0xFE, 0xFF, 0x00, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF])
            case 4:
                bytes.replaceSubrange(
                    at..<at + 8, with: [0xFE, 0xFF, [0x0D, 0xDD].randomElement(using: &generator)!, 0xE0, 0, 0, 0, 0])
            case 5: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...32, using: &generator)))
            case 6: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 64)], at: at)
            case 7: bytes.removeLast(Int.random(in: 1...bytes.count / 2, using: &generator))
            default:
                let from = Int.random(in: 0..<max(1, other.count - 64), using: &generator)
                bytes.insert(contentsOf: other[from..<min(other.count, from + 64)], at: at)
            }
        }
        return bytes
    }

    static let seeds: [[UInt8]] = {
        var seeds = [
            Synthetic.file(.explicitVRLittleEndian), Synthetic.file(.implicitVRLittleEndian),
            Synthetic.file(.explicitVRBigEndian), Synthetic.file(.deflatedExplicitVRLittleEndian),
            Part10.header(sopClassUID: "1.2", sopInstanceUID: "1.2.3", transferSyntaxUID: "1.2.840.10008.1.2.1")
                + Synthetic.undefinedLengths,
        ]
        // Headers of real files, spread over what is there.
        let paths = RealFiles.paths
        for index in stride(from: 0, to: paths.count, by: max(1, paths.count / 60)) {
            seeds.append(RealFiles.bytes(paths[index], most: 4096))
        }
        return seeds
    }()

    @Test("20,000 mutated objects are read or refused, never more", arguments: 0..<20)
    func mutations(_ round: Int) {
        var generator = SeededGenerator(state: 0x5048_494D + UInt64(round))
        var read = 0
        for _ in 0..<1000 {
            let seed = Self.seeds.randomElement(using: &generator) ?? []
            let other = Self.seeds.randomElement(using: &generator) ?? []
            let bytes = Self.mutate(seed, with: other, &generator)
            let (elements, isSound) = Self.readEverything(bytes)
            #expect(isSound)
            if elements > 0 { read += 1 }
        }
        #expect(read > 300, "most mutations are still read in part")
    }

    @Test("Random bytes behind a good beginning are survived", arguments: 0..<4)
    func noise(_ round: Int) {
        var generator = SeededGenerator(state: UInt64(round))
        for _ in 0..<250 {
            let noise = (0..<512).map { _ in UInt8.random(in: 0...255, using: &generator) }
            #expect(Self.readEverything(Synthetic.file(.explicitVRLittleEndian) + noise).isSound)
            #expect(Self.readEverything(noise).isSound)
        }
    }

    @Test("Nesting without end costs no stack and ends at the depth limit", arguments: [true, false])
    func nesting(_ isClosed: Bool) throws {
        let levels = 50_000
        let open = hex("0800 4011 5351 0000 FFFFFFFF FEFF 00E0 FFFFFFFF")
        let close = hex("FEFF 0DE0 00000000 FEFF DDE0 00000000")
        var bytes: [UInt8] = []
        for _ in 0..<levels { bytes += open }
        if isClosed { for _ in 0..<levels { bytes += close } }
        bytes += hex("1000 2000 4C4F 0200 3432")
        let header = try HeaderReader.read(
            bytes, transferSyntax: .explicitVRLittleEndian, limits: ReadLimits(depth: 16))
        #expect(header.isTruncated != isClosed)
        #expect((header.dataSet.string(.patientID) == "42") == isClosed)
        var deepest = 0
        walk(header.dataSet) { _, _, depth in deepest = max(deepest, depth) }
        #expect(deepest == 16)
    }

    @Test("Elements and items beyond the limit are left out and marked")
    func elementLimit() throws {
        let limits = ReadLimits(elements: 100)
        var bytes: [UInt8] = []
        for number in 0..<1000 {
            bytes += [0x09, 0x00, UInt8(number % 256), UInt8(0x10 + number / 256)] + hex("4C4F 0000")
        }
        let header = try HeaderReader.read(bytes, transferSyntax: .explicitVRLittleEndian, limits: limits)
        #expect(header.dataSet.elements.count == 100)
        #expect(header.flaws.map(\.kind) == [.tooManyElements])

        var items = hex("0800 4011 5351 0000 FFFFFFFF")
        for _ in 0..<1000 { items += hex("FEFF 00E0 00000000") }
        items += hex("FEFF DDE0 00000000")
        let sequence = try HeaderReader.read(items, transferSyntax: .explicitVRLittleEndian, limits: limits)
        #expect(sequence.dataSet.items(.referencedImageSequence).count == 100)
    }

    /// One implicit VR element, which has room for a long value.
    private static func element(_ tag: Tag, _ value: [UInt8]) -> [UInt8] {
        let numbers = [UInt32(tag.group) | UInt32(tag.rawValue & 0xFFFF) << 16, UInt32(value.count)]
        return numbers.flatMap { number in (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) } } + value
    }

    @Test("Millions of values in one element are split only in part")
    func valueLimits() throws {
        let flood = [UInt8](repeating: 0x5C, count: 4 << 20)
        let bytes =
            Self.element(.specificCharacterSet, flood) + Self.element(.patientID, Array("42".utf8) + flood)
            + Self.element(.patientComments, [UInt8](repeating: 0x41, count: 4 << 20))
            + Self.element(.rows, [UInt8](repeating: 1, count: 1 << 20))
        let dataSet = try HeaderReader.read(bytes, transferSyntax: .implicitVRLittleEndian).dataSet
        #expect(dataSet.characterSets.count == 32)
        #expect(dataSet.string(.patientID) == "42")
        #expect(dataSet.strings(.patientID).count == 10_000)
        #expect(dataSet.strings(.patientID).last == "")
        #expect(dataSet.string(.patientComments)?.utf8.count == 64 << 10)
        #expect(dataSet.text(.patientComments)?.utf8.count == 1 << 20)
        #expect(dataSet.string(.rows) == "257")
        #expect(dataSet.ints(.rows).count == 10_000)
    }

    @Test(
        "A long text is not cut inside a character",
        arguments: [
            ("ISO_IR 192", "E1BB85", "ễ"), ("ISO_IR 192", "F09F9982", "🙂"), ("", "E1BB85", "ễ"),
            ("GB18030", "D6D0", "中"), ("GB18030", "81308130", "\u{80}"), ("GBK", "D65C", "謀"),
            ("\\ISO 2022 IR 87", "1B2442 3B33 1B2842", "山"), ("\\ISO 2022 IR 149", "1B242943 B1E8", "김"),
        ])
    func safeCut(_ terms: String, _ code: String, _ letter: Character) throws {
        let unit = hex(code)
        for shift in 0..<unit.count {
            var value = [UInt8](repeating: 0x41, count: shift)
            while value.count < 66 << 10 { value += unit }
            let bytes = Self.element(.specificCharacterSet, Array(terms.utf8)) + Self.element(.patientComments, value)
            let dataSet = try HeaderReader.read(bytes, transferSyntax: .implicitVRLittleEndian).dataSet
            let text = try #require(dataSet.string(.patientComments))
            #expect(text.prefix(shift).allSatisfy { $0 == "A" } && text.dropFirst(shift).allSatisfy { $0 == letter })
            // Never more than a letter and an escape sequence are lost.
            #expect(text.count - shift >= ((64 << 10) - shift) / unit.count - 1)
        }
    }

    @Test("Meta information without end is left after a few hundred elements")
    func metaLimit() throws {
        let flood = [[UInt8]](repeating: hex("0200 1600 4145 0000"), count: 50_000).flatMap(\.self)
        let file = try Part10.parse([UInt8](repeating: 0, count: 128) + Array("DICM".utf8) + flood)
        #expect(file.fileMetaInformation?.elements.count == 256)
        #expect(file.flaws.contains { $0.kind == .tooManyElements })
    }

    @Test("A flood of flaws is listed only in part")
    func flawLimit() throws {
        let bytes = (0..<5000).flatMap { _ in hex("1000 2000 4C4F 0100 41") }
        let header = try HeaderReader.read(bytes, transferSyntax: .explicitVRLittleEndian)
        #expect(header.flaws.count == ReadLimits.standard.flaws)
        #expect(header.dataSet.elements.count == 5000)
    }

    @Test("A deflate bomb is inflated to its bound only (PS3.5 Section A.5)")
    func bomb() throws {
        var writer = DataSetWriter(transferSyntax: .deflatedExplicitVRLittleEndian, characterSet: .ascii)
        writer.put(.sopInstanceUID, "1.2.3")
        writer.put(Tag(0x0029, 0x1001), .UN, bytes: [UInt8](repeating: 0, count: 16 << 20))
        writer.put(Tag(0x0040, 0xA730), .SQ, bytes: [])
        let bytes = writer.finish()
        #expect(bytes.count < 64 << 10)
        let header = try HeaderReader.read(
            bytes, transferSyntax: .deflatedExplicitVRLittleEndian, limits: ReadLimits(inflatedBytes: 1 << 20))
        #expect(header.dataSet.bytes.count == 1 << 20)
        #expect(header.isTruncated)
        #expect(header.dataSet.string(.sopInstanceUID) == "1.2.3")
        let whole = try HeaderReader.read(bytes, transferSyntax: .deflatedExplicitVRLittleEndian)
        #expect(!whole.isTruncated && whole.dataSet.elements.count == 3)
    }

    @Test("A header in front of much deflated pixel data is inflated only as far as needed")
    func deflatedPrefix() throws {
        var writer = DataSetWriter(transferSyntax: .deflatedExplicitVRLittleEndian, characterSet: .ascii)
        writer.put(.sopInstanceUID, "1.2.3")
        writer.put(.pixelData, .OW, bytes: [UInt8](repeating: 7, count: 8 << 20))
        let bytes = writer.finish()
        for count in [bytes.count, bytes.count / 2] {
            let header = try HeaderReader.read(
                Array(bytes[..<count]), transferSyntax: .deflatedExplicitVRLittleEndian)
            #expect(header.pixelData?.length == 8 << 20)
            #expect(header.dataSet.bytes.count <= 1 << 20)
        }
    }

    @Test(
        "Lengths that lie are never followed outside the bytes",
        arguments: ["FFFFFFFE", "FFFFFF7F", "00000080", "F0FFFFFF"])
    func lyingLengths(_ length: String) {
        for vr in ["OB", "SQ", "UN", "UT"] {
            let code = Array(vr.utf8)
            let bytes =
                hex("0800 1800 5549 0400 312E3200 0800 4011") + code + hex("0000 \(length) FEFF 00E0 \(length) 0800")
            #expect(Self.readEverything(bytes).isSound)
            #expect(Self.readEverything(Array(bytes[..<12]) + hex("0800 4011 \(length) 00")).isSound)
        }
    }
}
