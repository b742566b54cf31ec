// Codes objects for the line: pictures frame by frame, everything else deflated.

import DICOMImaging
import Metrics
import Synchronization

/// An object to be coded. Reading blocks.
package struct LineSource: Sendable {
    package let sopClassUID: String
    package let transferSyntaxUID: String
    /// Length of the Part 10 file.
    package let length: Int64
    /// Where the data set begins in it.
    package let dataSetOffset: Int
    /// SHA-256 of the file where it is known: what is read must be that.
    package let digest: [UInt8]?
    private let reading: @Sendable (Int64, Int) throws(LineCodingFailure) -> [UInt8]

    package init(
        sopClassUID: String, transferSyntaxUID: String, length: Int64, dataSetOffset: Int, digest: [UInt8]?,
        reading: @escaping @Sendable (Int64, Int) throws(LineCodingFailure) -> [UInt8]
    ) {
        self.sopClassUID = sopClassUID
        self.transferSyntaxUID = transferSyntaxUID
        self.length = length
        self.dataSetOffset = dataSetOffset
        self.digest = digest
        self.reading = reading
    }

    /// Exactly so many octets.
    func read(from offset: Int64, count: Int) throws(LineCodingFailure) -> [UInt8] {
        let bytes = try reading(offset, count)
        guard bytes.count == count else { throw .unreadable("the object ends early") }
        return bytes
    }
}

/// What is done to make an object small.
package enum CodingEffort: Sendable, Hashable {
    /// Frames are coded, everything else is deflated.
    case small
    /// Everything is deflated: for a receiver that does not decode what the codecs of frames made.
    case deflated
    /// Nothing: for lines that are faster than the codecs.
    case stored
}

/// Codes objects, and keeps what it made for a while: an object that is sent on after a cut is not coded again. Calls
/// block.
package final class LineCoder: Sendable {
    private let codecs: FrameCodecs
    private let scratch: String
    private let kept: Mutex<KeptObjects>

    private static let before = Counter(label: "phim_line_coding_bytes_total", dimensions: [("form", "object")])
    private static let after = Counter(label: "phim_line_coding_bytes_total", dimensions: [("form", "line")])

    /// - Parameters:
    ///   - scratch: folder for temporary files.
    ///   - keeping: octets of coded objects that are kept.
    package init(codecs: FrameCodecs, scratch: String, keeping: Int64 = 256 << 20) {
        self.codecs = codecs
        self.scratch = scratch
        kept = Mutex(KeptObjects(room: keeping))
    }

    /// The object in its form for the line. The same object gives the same form.
    package func coded(
        _ source: LineSource, _ effort: CodingEffort = .small
    ) throws(LineCodingFailure) -> CodedObject {
        if let digest = source.digest, let found = kept.withLock({ $0.object(digest, effort) }) { return found }
        let made = try run(source, effort)
        Self.before.increment(by: made.originalLength)
        Self.after.increment(by: made.length)
        kept.withLock { $0.keep(made, effort) }
        return made
    }

    private func run(_ source: LineSource, _ effort: CodingEffort) throws(LineCodingFailure) -> CodedObject {
        var run = CodingRun(source, codecs: codecs, isPlain: effort == .deflated, scratch: scratch)
        if effort == .stored { try run.copy() } else { try run.code() }
        let made = try run.finish()
        // Of frames that are nearly nothing no receiver would believe how much they stand for.
        if effort == .small, !LineFormat.isPlausible(length: made.originalLength, codedLength: made.length) {
            return try self.run(source, .deflated)
        }
        return made
    }

    /// It has arrived.
    package func forget(_ object: CodedObject) { kept.withLock { $0.remove(object.originalDigest) } }
}

/// Coded objects, the last used last.
private struct KeptObjects {
    private var objects: [(object: CodedObject, effort: CodingEffort)] = []
    private let room: Int64

    init(room: Int64) { self.room = room }

    /// What was made of an object is sent on, with however much effort; unless the receiver makes nothing of coded frames.
    func object(_ digest: [UInt8], _ effort: CodingEffort) -> CodedObject? {
        objects.first { $0.object.originalDigest == digest && (effort != .deflated || $0.effort == .deflated) }?.object
    }

    mutating func keep(_ object: CodedObject, _ effort: CodingEffort) {
        remove(object.originalDigest)
        objects.append((object, effort))
        // The newest stays in any case: it is being sent.
        while objects.count > 1, objects.reduce(0, { $0 + $1.object.length }) > room { objects.removeFirst() }
    }

    mutating func remove(_ digest: [UInt8]) { objects.removeAll { $0.object.originalDigest == digest } }
}
