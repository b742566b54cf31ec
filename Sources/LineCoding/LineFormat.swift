// The form of an object on the line: a header, pieces one after the other, and the digest of what they restore.

/// Why an object cannot be coded, or what came is no coded object.
package enum LineCodingFailure: Error, Hashable, Sendable {
    /// The object, or the scratch folder, cannot be read or written; a sentence without patient data.
    case unreadable(String)
    /// The stored bytes are not those that were received.
    case rotten
    /// What came contradicts the form, or does not decode.
    case damaged(String)
    /// The disk has no room.
    case outOfSpace
    /// The codecs have too much to do.
    case busy
    /// A codec took too long over a frame, or was ended over it: that says nothing of the frame.
    case lost

    package var sentence: String {
        switch self {
        case .unreadable(let reason): reason
        case .rotten: "the stored object is damaged: it is not what was received"
        case .damaged(let reason): "the coded object is damaged: \(reason)"
        case .outOfSpace: "there is no room for temporary files"
        case .busy: "the codecs are busy"
        case .lost: "a codec ended over a frame"
        }
    }
}

/// Version 1. Numbers are little endian.
///
/// ```
/// "PHL1"  length of the object: 8
/// piece:  kind: 1   length in the object: 4   length here: 4   payload
/// …
/// 0xFF    SHA-256 of the object: 32
/// ```
package enum LineFormat {
    static let magic: [UInt8] = Array("PHL1".utf8)
    static let headerSize = 12
    static let pieceHeaderSize = 9
    static let end: UInt8 = 0xFF
    package static let trailerSize = 33
    /// Bytes of the object in a piece that is no frame, at most.
    static let longestPiece = 1 << 20
    /// Bytes of a frame that a codec is given, at most.
    static let largestFrame = 64 << 20
    /// A frame is so many times its codestream at most: what claims more is not decoded.
    static let mostExpansion = 20_000
    /// An object is so many times its coded form at most, and so much more.
    private static let mostRatio: Int64 = 2_000
    private static let ratioSlack: Int64 = 64 << 20

    /// Whether an object may be so long: what claims more is neither written nor decoded.
    static func isPlausible(length: Int64, codedLength: Int64) -> Bool {
        (length - ratioSlack) / mostRatio <= codedLength
    }

    /// Octets of the coded form of an object of so many octets, at most.
    package static func longestForm(of length: Int64) -> Int64 {
        let (more, isTooLong) = length.addingReportingOverflow(length / 4 + (1 << 20))
        return isTooLong ? .max : more
    }

    enum Kind: UInt8 {
        /// As it is.
        case stored = 0
        /// Raw deflate (RFC 1951).
        case deflated = 1
        /// A frame: `FrameForm`, then a codestream.
        case frame = 2
        /// Samples of some bytes, each less the one before, their first bytes, their second bytes …, deflated.
        case planes = 3
    }

    struct PieceHeader {
        let kind: Kind
        let length: Int
        let codedLength: Int

        var bytes: [UInt8] {
            [kind.rawValue] + number(UInt32(truncatingIfNeeded: length))
                + number(UInt32(truncatingIfNeeded: codedLength))
        }

        init(_ kind: Kind, length: Int, codedLength: Int) {
            self.kind = kind
            self.length = length
            self.codedLength = codedLength
        }

        /// Nil for a kind that this version does not know, and for lengths that it does not write.
        init?(_ bytes: [UInt8]) {
            guard bytes.count == LineFormat.pieceHeaderSize, let kind = Kind(rawValue: bytes[0]) else { return nil }
            self.kind = kind
            length = Int(LineFormat.read(bytes, at: 1, 4))
            codedLength = Int(LineFormat.read(bytes, at: 5, 4))
            let most = kind == .frame ? LineFormat.largestFrame : LineFormat.longestPiece
            // What is coded is never longer than what it stands for, but for a few bytes in front.
            guard (1...most).contains(length), (1...length + FrameForm.size).contains(codedLength) else { return nil }
        }
    }

    static func number<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
        (0..<Value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> Value(8 * $0)) }
    }

    static func read(_ bytes: [UInt8], at offset: Int, _ count: Int) -> UInt64 {
        (0..<count).reduce(UInt64(0)) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
    }
}
