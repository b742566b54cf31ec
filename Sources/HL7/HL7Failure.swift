// Why a message cannot be read or a value cannot be taken, in sentences for the people who run the sender.

/// A failure of reading. Its text is one sentence, names segment and field, and never repeats what stood there.
package enum HL7Failure: Error, Hashable, Sendable, CustomStringConvertible {
    case empty
    case tooLarge(limit: Int)
    /// The first segment is not MSH.
    case noHeader
    /// FHS or BHS: files and batches (HL7 v2.5.1 Section 2.10.3).
    case batch
    case separators
    /// The line of this number, from 1, does not begin with the name of a segment.
    case notASegment(line: Int)
    /// More fields, repetitions or components than are taken; `at` is where it was noticed.
    case tooMany(String, limit: Int, at: Location?)
    /// A letter carries more combining marks than any script has.
    case tooManyMarks(limit: Int)
    /// A value that is missing or not what its type asks for; the sentence says what is expected.
    case invalid(Location, String)

    package var description: String {
        switch self {
        case .empty: "the message is empty"
        case .tooLarge(let limit): "the message is larger than the \(limit) bytes that are taken"
        case .noHeader: "MSH: the message does not begin with an MSH segment"
        case .batch: "the message is a batch (FHS or BHS); send its messages one by one"
        case .separators:
            "MSH-2: separators must be punctuation and all different, as in MSH|^~\\&"
        case .notASegment(let line): "segment \(line): does not begin with the three characters of a segment's name"
        case .tooMany(let what, let limit, let location):
            (location.map { "\($0): " } ?? "") + "more than the \(limit) \(what) that are taken"
        case .tooManyMarks(let limit): "a letter has more than the \(limit) combining marks that are taken"
        case .invalid(let location, let sentence): "\(location): \(sentence)"
        }
    }

    /// Where in the message it is, as far as it is known: ERR-2.
    package var location: Location? {
        switch self {
        case .empty, .tooLarge, .batch, .notASegment, .tooManyMarks: nil
        case .noHeader: Location("MSH")
        case .separators: Location("MSH", 2)
        case .tooMany(_, _, let location): location
        case .invalid(let location, _): location
        }
    }

    /// ERR-3.
    package var code: ErrorCode {
        switch self {
        case .empty, .noHeader, .batch, .notASegment: .segmentSequence
        case .separators, .invalid, .tooManyMarks: .dataType
        case .tooLarge, .tooMany: .internalError
        }
    }
}

/// How much of a message is taken; what is beyond was not made by a hospital's system.
package struct ReadingLimits: Sendable {
    package var bytes = 16 << 20
    package var segments = 10_000
    package var fields = 512
    package var repetitions = 1_000
    package var components = 256
    package var subcomponents = 256

    package init() {}
}
