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

/// Codes objects, and keeps what it made for a while: an object that is sent on after a cut is not coded again. Calls
/// block.
package final class LineCoder: Sendable {
    private let codecs: FrameCodecs
    private let memory: MethodMemory
    private let scratch: String
    private let kept: Mutex<KeptObjects>

    private static let before = Counter(label: "phim_line_coding_bytes_total", dimensions: [("form", "object")])
    private static let after = Counter(label: "phim_line_coding_bytes_total", dimensions: [("form", "line")])

    /// - Parameters:
    ///   - scratch: folder for temporary files.
    ///   - keeping: octets of coded objects that are kept.
    package init(codecs: FrameCodecs, memory: MethodMemory, scratch: String, keeping: Int64 = 256 << 20) {
        self.codecs = codecs
        self.memory = memory
        self.scratch = scratch
        kept = Mutex(KeptObjects(room: keeping))
    }

    /// The object in its form for the line. The same object gives the same form.
    /// - Parameter isPlain: nothing is made smaller: for lines that are faster than the codecs.
    package func coded(_ source: LineSource, isPlain: Bool = false) throws(LineCodingFailure) -> CodedObject {
        if let digest = source.digest, let found = kept.withLock({ $0[digest] }) { return found }
        var run = CodingRun(source, codecs: codecs, memory: memory, scratch: scratch)
        if isPlain { try run.copy() } else { try run.code() }
        let made = try run.finish()
        Self.before.increment(by: made.originalLength)
        Self.after.increment(by: made.length)
        kept.withLock { $0.keep(made) }
        return made
    }

    /// It has arrived.
    package func forget(_ object: CodedObject) { kept.withLock { $0.remove(object.originalDigest) } }
}

/// Coded objects, the last used last.
private struct KeptObjects {
    private var objects: [CodedObject] = []
    private let room: Int64

    init(room: Int64) { self.room = room }

    subscript(_ digest: [UInt8]) -> CodedObject? { objects.first { $0.originalDigest == digest } }

    mutating func keep(_ object: CodedObject) {
        remove(object.originalDigest)
        objects.append(object)
        // The newest stays in any case: it is being sent.
        while objects.count > 1, objects.reduce(0, { $0 + $1.length }) > room { objects.removeFirst() }
    }

    mutating func remove(_ digest: [UInt8]) { objects.removeAll { $0.originalDigest == digest } }
}
