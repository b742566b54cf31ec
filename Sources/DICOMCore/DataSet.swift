// A data set that was read: elements as ranges into one shared array of bytes (PS3.5 Section 7).

/// One element: where its value lies.
package struct DataElement: Hashable, Sendable {
    /// Its attribute.
    package let tag: Tag
    /// Its VR as encoded; the dictionary's in implicit VR, and where the encoded one is illegal.
    package let vr: VR
    /// Offset of the value in the bytes of the data set.
    package let offset: Int
    /// Length of the value; of a sequence without its delimitation item.
    package let length: Int
    /// Whether the length was undefined: a delimited sequence, or encapsulated fragments.
    package let isUndefinedLength: Bool
    /// How items are encoded, when there are any.
    let itemEncoding: Encoding

    /// An element of known place.
    package init(
        tag: Tag, vr: VR, offset: Int, length: Int, isUndefinedLength: Bool, itemEncoding: Encoding
    ) {
        self.tag = tag
        self.vr = vr
        self.offset = offset
        self.length = length
        self.isUndefinedLength = isUndefinedLength
        self.itemEncoding = itemEncoding
    }
}

/// Where the pixel data of an object begins; the header reader stops there (PS3.5 Section 8).
package struct PixelData: Hashable, Sendable {
    /// Pixel Data, Float Pixel Data or Double Float Pixel Data.
    package let tag: Tag
    /// Its VR.
    package let vr: VR
    /// Offset of the element.
    package let elementOffset: Int
    /// Offset of the value, or of the Basic Offset Table's item.
    package let valueOffset: Int
    /// Length of the value, nil for encapsulated fragments (PS3.5 Section A.4).
    package let length: Int?

    init(_ header: ElementHeader, at offset: Int) {
        tag = header.tag
        vr = header.vr
        elementOffset = offset
        valueOffset = header.valueOffset
        length = header.isUndefined ? nil : Int(header.length)
    }

    static func isPixelData(_ tag: Tag) -> Bool {
        tag == .pixelData || tag == .floatPixelData || tag == .doubleFloatPixelData
    }
}

/// A data set, or an item of a sequence. Values are read from the bytes when they are asked for.
package struct DataSet: Sendable {
    /// The bytes that all elements point into; items share those of their data set.
    package let bytes: [UInt8]
    /// The elements in ascending order of tag; of a tag that occurs twice the first in the bytes comes first.
    package let elements: [DataElement]
    /// How the elements are encoded, as found.
    package let encoding: Encoding
    /// The defined terms of Specific Character Set in effect, an item's own or its data set's (PS3.5 Section 7.5.3).
    package let characterSets: [String]
    let characterSet: SpecificCharacterSet
    let limits: ReadLimits
    let depth: Int

    init(
        bytes: [UInt8], elements: [DataElement], encoding: Encoding, inherited: SpecificCharacterSet,
        limits: ReadLimits, depth: Int
    ) {
        self.bytes = bytes
        self.elements = elements
        self.encoding = encoding
        self.limits = limits
        self.depth = depth
        var own = inherited
        if let element = DataSet.element(.specificCharacterSet, in: elements) {
            let value = bytes[element.offset..<element.offset + element.length]
            own = SpecificCharacterSet(terms: SpecificCharacterSet.terms(in: value))
        }
        characterSet = own
        characterSets = own.terms
    }

    /// A data set without elements.
    package static let empty = DataSet(
        bytes: [], elements: [], encoding: .implicitLittle, inherited: .default, limits: .standard, depth: 0)

    /// The element with a tag, nil when absent.
    package subscript(_ tag: Tag) -> DataElement? { DataSet.element(tag, in: elements) }

    private static func element(_ tag: Tag, in elements: [DataElement]) -> DataElement? {
        var low = 0
        var high = elements.count
        while low < high {
            let middle = (low + high) >> 1
            if elements[middle].tag < tag { low = middle + 1 } else { high = middle }
        }
        return low < elements.count && elements[low].tag == tag ? elements[low] : nil
    }

    /// The bytes of a value as they are.
    package func rawValue(_ element: DataElement) -> ArraySlice<UInt8> {
        bytes[element.offset..<element.offset + element.length]
    }

    /// The items of a sequence, empty when absent, when it is none, or beyond the depth limit.
    package func items(_ tag: Tag) -> [DataSet] { self[tag].map(items(of:)) ?? [] }

    /// The items of a sequence element.
    package func items(of element: DataElement) -> [DataSet] {
        guard element.vr == .SQ || element.vr == .UN, depth < limits.depth else { return [] }
        var scanner = ElementScanner(bytes, limits: limits)
        let encoding = element.itemEncoding
        let end = element.offset + element.length
        var items: [DataSet] = []
        var at = element.offset
        while end - at >= 8, items.count < limits.elements {
            let tag = scanner.tag(at: at, bigEndian: encoding.isBigEndian)
            if tag == .itemDelimitation {
                at += 8
                continue
            }
            guard tag == .item else { break }
            let length = scanner.uint32(at: at + 4, bigEndian: encoding.isBigEndian)
            let isUndefined = length == ElementHeader.undefinedLength
            let itemEnd = isUndefined ? end : min(at + 8 + Int(length), end)
            let scan = scanner.scan(
                from: at + 8, to: itemEnd, encoding: encoding, level: isUndefined ? .undefinedItem : .item)
            items.append(
                DataSet(
                    bytes: bytes, elements: scan.elements, encoding: encoding, inherited: characterSet, limits: limits,
                    depth: depth + 1))
            at = isUndefined ? scan.next : itemEnd
        }
        return items
    }
}
