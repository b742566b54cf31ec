// What reading untrusted bytes may say: why nothing could be read, what was tolerated, how far reading goes.

/// Why no data set could be read. It names offsets, never values.
package enum ReadFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// No bytes at all.
    case empty
    /// Neither a `DICM` prefix nor anything that begins like a data set.
    case notDICOM(offset: Int)
    /// The first element cannot be read under any encoding.
    case unreadable(offset: Int)
    /// The deflated data set does not inflate (PS3.5 Section A.5).
    case notDeflated(offset: Int)

    /// One line for a log: what and where, never a value.
    package var description: String {
        switch self {
        case .empty: "no bytes"
        case .notDICOM(let offset): "not DICOM: no data element at offset \(offset)"
        case .unreadable(let offset): "unreadable data element at offset \(offset)"
        case .notDeflated(let offset): "deflated data set does not inflate at offset \(offset)"
        }
    }
}

/// Something against the standard that was tolerated while reading.
package struct Flaw: Hashable, Sendable, CustomStringConvertible {
    /// The kinds of flaws; the raw value is stable and may be stored.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        /// The bytes end inside an element: a damaged object, or only the beginning of one.
        case truncated
        /// Bytes after the last element that are no element.
        case trailingGarbage
        /// VR bytes that name no VR (PS3.5 Section 6.2).
        case illegalVR
        /// An element that is encoded otherwise than the rest.
        case mixedEncoding
        /// The data set is not encoded as its transfer syntax says.
        case wrongTransferSyntax
        /// Elements not in ascending order of tag (PS3.5 Section 7.1).
        case outOfOrder
        /// The same tag twice; the first counts (PS3.5 Section 7.1).
        case duplicateElement
        /// A value of odd length (PS3.5 Section 7.1.1).
        case oddLength
        /// An undefined length without its delimitation item (PS3.5 Section 7.5).
        case missingDelimiter
        /// A delimitation item where nothing was to be delimited (PS3.5 Section 7.5).
        case strayDelimiter
        /// More elements than the limit.
        case tooManyElements
        /// A defined term of Specific Character Set that is unknown (PS3.3 Section C.12.1.1.2).
        case unknownCharacterSet
        /// No preamble or no `DICM` prefix (PS3.10 Section 7.1).
        case missingPreamble
        /// No file meta information (PS3.10 Section 7.1).
        case missingFileMetaInformation
        /// A missing or wrong File Meta Information Group Length (0002,0000).
        case wrongGroupLength
        /// No Transfer Syntax UID (0002,0010); it was guessed.
        case missingTransferSyntax
    }

    /// What is wrong.
    package let kind: Kind
    /// The element, where one is known.
    package let tag: Tag?
    /// Offset of the element in the bytes that were read.
    package let offset: Int

    /// A flaw of an element.
    package init(_ kind: Kind, _ tag: Tag?, at offset: Int) {
        self.kind = kind
        self.tag = tag
        self.offset = offset
    }

    /// One line for a log: what and where, never a value.
    package var description: String {
        "\(kind.rawValue)\(tag.map { " \($0)" } ?? "") at offset \(offset)"
    }
}

/// How far reading untrusted bytes goes.
package struct ReadLimits: Hashable, Sendable {
    /// Sequences within sequences that are opened; deeper ones read as empty.
    package var depth: Int
    /// Elements of one data set, and items of one sequence.
    package var elements: Int
    /// Flaws that are kept; more are not listed.
    package var flaws: Int
    /// Bytes that a deflated data set may grow to.
    package var inflatedBytes: Int

    /// Limits other than the standard ones.
    package init(depth: Int = 64, elements: Int = 500_000, flaws: Int = 32, inflatedBytes: Int = 64 << 20) {
        self.depth = depth
        self.elements = elements
        self.flaws = flaws
        self.inflatedBytes = inflatedBytes
    }

    /// What no honest object exceeds.
    package static let standard = ReadLimits()
}
