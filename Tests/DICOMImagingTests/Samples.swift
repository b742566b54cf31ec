// Objects and frames made on the spot.
import DICOMCore
import DICOMImaging

enum Samples {
    /// A data set with an image's attributes and whatever is added.
    static func header(
        rows: Int = 4, columns: Int = 4, allocated: Int = 16, stored: Int? = nil, signed: Bool = false,
        samples: Int = 1, photometric: String = "MONOCHROME2", frames: Int? = nil,
        pixels: [UInt8] = [0, 0], _ more: (inout DataSetWriter) -> Void = { _ in }
    ) throws -> Header {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .ascii)
        writer.put(.samplesPerPixel, .US, ints: [samples])
        writer.put(.photometricInterpretation, .CS, [photometric])
        if let frames { writer.put(.numberOfFrames, .IS, ints: [frames]) }
        writer.put(.rows, .US, ints: [rows])
        writer.put(.columns, .US, ints: [columns])
        writer.put(.bitsAllocated, .US, ints: [allocated])
        writer.put(.bitsStored, .US, ints: [stored ?? allocated])
        writer.put(.highBit, .US, ints: [(stored ?? allocated) - 1])
        writer.put(.pixelRepresentation, .US, ints: [signed ? 1 : 0])
        more(&writer)
        writer.put(.pixelData, .OW, bytes: pixels)
        return try HeaderReader.read(writer.finish(), transferSyntax: .explicitVRLittleEndian)
    }

    /// Little-endian words.
    static func words(_ values: [Int]) -> [UInt8] {
        values.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
    }

    /// The same noise for the same seed; neighbours are alike, as in images.
    static func noise(_ count: Int, below limit: Int, seed: UInt64 = 1) -> [Int] {
        var state = seed
        var value = limit / 2
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            value += Int(state >> 56) % 33 - 16
            value = min(max(value, 0), limit - 1)
            return value
        }
    }

    /// An item of fragments.
    static func item(_ content: [UInt8]) -> [UInt8] {
        [0xFE, 0xFF, 0x00, 0xE0] + (0..<4).map { UInt8(truncatingIfNeeded: content.count >> (8 * $0)) } + content
    }

    static let delimiter: [UInt8] = [0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]

    /// An object with encapsulated pixel data: its bytes and its header.
    static func encapsulated(
        _ items: [[UInt8]], frames: Int, rest: [UInt8] = delimiter, _ more: (inout DataSetWriter) -> Void = { _ in }
    ) throws -> (bytes: [UInt8], header: Header) {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .ascii)
        writer.put(.samplesPerPixel, .US, ints: [1])
        writer.put(.photometricInterpretation, .CS, ["MONOCHROME2"])
        writer.put(.numberOfFrames, .IS, ints: [frames])
        writer.put(.rows, .US, ints: [4])
        writer.put(.columns, .US, ints: [4])
        writer.put(.bitsAllocated, .US, ints: [8])
        more(&writer)
        let bytes =
            writer.finish() + [0xE0, 0x7F, 0x10, 0x00, 0x4F, 0x42, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF] + items.flatMap(item)
            + rest
        return (bytes, try HeaderReader.read(bytes, transferSyntax: .rleLossless))
    }

    static func table(
        _ object: (bytes: [UInt8], header: Header), _ syntax: TransferSyntax = .rleLossless
    ) throws -> FrameTable {
        try FrameTable.make(
            header: object.header, transferSyntax: syntax, objectLength: Int64(object.bytes.count)
        ) { offset, count in
            Array(object.bytes[Int(offset)..<min(object.bytes.count, Int(offset) + count)])
        }
    }

    static func plan(_ header: Header, _ change: (inout RenderingRequest) -> Void = { _ in }) throws -> RenderingPlan {
        var request = RenderingRequest()
        request.format = .gif  // the picture's samples alone
        change(&request)
        return RenderingPlan(try ImageAttributes(header), frame: 1, request: request)
    }
}
