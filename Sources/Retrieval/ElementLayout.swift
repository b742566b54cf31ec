// Where each element of a data set lies, header and all: what is not changed is copied as it is.

import DICOMCore
import DICOMImaging

/// The elements of one level as pieces of bytes that follow each other without a gap.
struct ElementLayout {
    /// One element.
    struct Chunk {
        let tag: Tag
        /// Header, value, and delimitation item; a slice of the bytes that were read where they are as they were.
        let bytes: ArraySlice<UInt8>
        /// The items of a sequence, without its delimitation item; nil for what is encoded as no sequence.
        let items: ArraySlice<UInt8>?
    }

    private let dataSet: DataSet
    private let elements: [(element: DataElement, range: Range<Int>)]
    private let range: Range<Int>

    var count: Int { range.count }
    /// What stands behind the last element and is none.
    var rest: ArraySlice<UInt8> {
        dataSet.bytes[(elements.last?.range.upperBound ?? range.lowerBound)..<range.upperBound]
    }

    /// Nil when the bytes of a range are not elements one after the other.
    init?(_ dataSet: DataSet, _ range: Range<Int>) {
        guard let (elements, _) = Self.tiled(dataSet, from: range.lowerBound, to: range.upperBound) else { return nil }
        self.dataSet = dataSet
        self.range = range
        self.elements = elements
    }

    /// In the order in which they lie.
    var chunks: [Chunk] {
        elements.map { element, range in
            let content = element.offset..<element.offset + element.length
            return Chunk(
                tag: element.tag, bytes: dataSet.bytes[range],
                items: Self.isSequence(element, dataSet, range) ? dataSet.bytes[content] : nil)
        }
    }

    // MARK: Where elements lie

    /// Elements by place, each beginning where the one before ends; and where the last one ends.
    private static func tiled(
        _ dataSet: DataSet, from start: Int, to end: Int
    ) -> (elements: [(element: DataElement, range: Range<Int>)], next: Int)? {
        var at = start
        var found: [(element: DataElement, range: Range<Int>)] = []
        found.reserveCapacity(dataSet.elements.count)
        for element in dataSet.elements.sorted(by: { $0.offset < $1.offset }) {
            guard begin(of: element, dataSet) == at else { return nil }
            var next = element.offset + element.length
            if element.isUndefinedLength {
                guard next + 8 <= end, tag(at: next, dataSet) == .sequenceDelimitation else { return nil }
                next += 8
            }
            guard next <= end else { return nil }
            found.append((element, at..<next))
            at = next
        }
        return (found, at)
    }

    /// The header of an element is 8 or 12 bytes long, and begins with its tag (PS3.5 Section 7.1).
    private static func begin(of element: DataElement, _ dataSet: DataSet) -> Int? {
        for length in dataSet.encoding.isExplicitVR ? [8, 12] : [8] where element.offset >= length {
            if tag(at: element.offset - length, dataSet) == element.tag { return element.offset - length }
        }
        return nil
    }

    private static func tag(at offset: Int, _ dataSet: DataSet) -> Tag? {
        guard offset >= 0, offset + 4 <= dataSet.bytes.count else { return nil }
        func number(_ at: Int) -> UInt16 {
            let (first, second) = (UInt16(dataSet.bytes[at]), UInt16(dataSet.bytes[at + 1]))
            return dataSet.encoding.isBigEndian ? first << 8 | second : second << 8 | first
        }
        return Tag(number(offset), number(offset + 2))
    }

    private static func length(at offset: Int, _ dataSet: DataSet) -> UInt32 {
        (0..<4).reduce(UInt32(0)) { number, index in
            number << 8 | UInt32(dataSet.bytes[offset + (dataSet.encoding.isBigEndian ? index : 3 - index)])
        }
    }

    /// Whether an element is a sequence in the encoding of its data set; one in UN is implicit whatever is around it.
    private static func isSequence(_ element: DataElement, _ dataSet: DataSet, _ range: Range<Int>) -> Bool {
        guard element.vr == .SQ else { return false }
        guard dataSet.encoding.isExplicitVR else { return true }
        return range.count >= 8 && dataSet.bytes[range.lowerBound + 4] == UInt8(ascii: "S")
            && dataSet.bytes[range.lowerBound + 5] == UInt8(ascii: "Q")
    }

    // MARK: Texts in UTF-8

    /// The same elements with every text in UTF-8, in sequences too; what is in UN is left alone. Nil when a text cannot be
    /// read for certain, or a sequence is damaged: nothing may be lost on the way.
    func inUTF8(_ rewriter: DataSetRewriter) -> [Chunk]? { Self.inUTF8(dataSet, elements, rewriter) }

    private static func inUTF8(
        _ dataSet: DataSet, _ elements: [(element: DataElement, range: Range<Int>)], _ rewriter: DataSetRewriter
    ) -> [Chunk]? {
        let set = SpecificCharacterSet(terms: dataSet.characterSets)
        guard !set.isUnknown else { return nil }
        var chunks: [Chunk] = []
        // Group lengths would be wrong, and are not needed (PS3.5 Section 7.2).
        for (element, range) in elements where element.tag != .specificCharacterSet && element.tag.element != 0 {
            var bytes = dataSet.bytes[range]
            var items: ArraySlice<UInt8>?
            if isSequence(element, dataSet, range) {
                guard let written = self.items(of: element, dataSet, rewriter) else { return nil }
                items = written[...]
                bytes = rewriter.element(element.tag, .SQ, written)[...]
            } else if element.vr.hasSpecificCharacterSet {
                let value = dataSet.rawValue(element)
                if value.contains(where: { $0 >= 0x80 || $0 == 0x1B }) {
                    guard let text = set.certainText(value, isPersonName: element.vr == .PN) else { return nil }
                    let utf8 = Array(text.utf8)
                    guard element.vr.hasLongLength || utf8.count < 0xFFFE else { return nil }
                    bytes = rewriter.element(element.tag, element.vr, utf8)[...]
                }
            }
            chunks.append(Chunk(tag: element.tag, bytes: bytes, items: items))
        }
        return chunks
    }

    /// The items of a sequence, each of defined length.
    private static func items(
        of element: DataElement, _ dataSet: DataSet, _ rewriter: DataSetRewriter
    ) -> [UInt8]? {
        var out: [UInt8] = []
        var at = element.offset
        let end = element.offset + element.length
        for item in dataSet.items(of: element) {
            guard at + 8 <= end, tag(at: at, dataSet) == .item, item.encoding == dataSet.encoding else { return nil }
            let length = length(at: at + 4, dataSet)
            let isUndefined = length == 0xFFFF_FFFF
            let most = isUndefined ? end : at + 8 + Int(length)
            guard most <= end, let (elements, next) = tiled(item, from: at + 8, to: most) else { return nil }
            guard let chunks = inUTF8(item, elements, rewriter) else { return nil }
            out += rewriter.item(chunks.flatMap(\.bytes))
            if isUndefined {
                guard next + 8 <= end, tag(at: next, dataSet) == .itemDelimitation else { return nil }
                at = next + 8
            } else {
                guard next == most else { return nil }
                at = most
            }
        }
        return at == end ? out : nil
    }
}
