// What a worker is asked for, and what it answers; the bytes of frames travel beside.

import DICOMCore

/// Work on the bytes of one frame.
package enum CodecJob: Sendable, Hashable, Codable {
    /// The frame in another transfer syntax.
    case convert(from: String, to: String, layout: PixelLayout, quality: Int)
    /// The frame as an image file.
    case render(from: String, plan: RenderingPlan)
    /// Pictures of 8 bits, one after the other, as an animation.
    case animate(columns: Int, rows: Int, isColour: Bool, frames: Int, frameTime: Double)

    /// Does it, in this process: only workers and tests do.
    package func perform(_ bytes: [UInt8]) throws(ImagingFailure) -> NativeFrame {
        switch self {
        case .convert(let from, let to, let layout, let quality):
            let native = try FrameCodec.decode(bytes, from: TransferSyntax(from), layout: layout)
            return try FrameCodec.encode(native, to: TransferSyntax(to), quality: quality)
        case .render(let from, let plan):
            let file = try Renderer.render(bytes, from: TransferSyntax(from), plan: plan)
            return NativeFrame(bytes: file, layout: plan.layout)
        case .animate(let columns, let rows, let isColour, let frames, let time):
            let file = try Renderer.animate(
                bytes, columns: columns, rows: rows, isColour: isColour, frames: frames, frameTime: time)
            return NativeFrame(bytes: file, layout: PixelLayout(rows: rows, columns: columns, bitsAllocated: 8))
        }
    }
}

/// The head of an answer.
struct CodecAnswer: Sendable, Hashable, Codable {
    var failure: ImagingFailure?
    var layout: PixelLayout?
}

/// A message between the archive and a worker: lengths, a head in JSON; the bytes are in `SharedFrames`.
enum WorkerMessage {
    static let prefixSize = 16
    static let mark: UInt32 = 0x4D49_4850
    /// Look-up tables and overlays are the long parts of a head.
    static let longestHead = 64 << 20
    /// A decoded frame, or the pictures of an animation.
    static let longestBody = FrameCodec.largestFrame

    static func prefix(head: Int, body: Int) -> [UInt8] {
        func bytes(_ number: UInt64, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: number >> (8 * UInt64($0))) }
        }
        return bytes(UInt64(mark), 4) + bytes(UInt64(head), 4) + bytes(UInt64(body), 8)
    }

    /// Lengths of head and body; nil for what is no message.
    static func lengths(_ prefix: [UInt8]) -> (head: Int, body: Int)? {
        func number(_ range: Range<Int>) -> UInt64 {
            range.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64(prefix[$1]) }
        }
        guard prefix.count == prefixSize, number(0..<4) == UInt64(mark) else { return nil }
        let (head, body) = (number(4..<8), number(8..<16))
        guard head <= UInt64(longestHead), body <= UInt64(longestBody) else { return nil }
        return (Int(head), Int(body))
    }
}
