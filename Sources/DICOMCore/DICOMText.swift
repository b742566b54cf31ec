// The characters of values as UTF-8 bytes, whole and without a Swift string for each: what JSON and XML are written from.

extension DataSet {
    /// The text of an element in UTF-8, all of it, not split and not trimmed. Text of ASCII is the bytes as they are.
    func utf8(_ element: DataElement) -> ArraySlice<UInt8> {
        let value = rawValue(element)
        var isPlain = true
        for byte in value where byte >= 0x80 || byte == 0x1B {
            isPlain = false
            break
        }
        if isPlain { return value }
        let set = element.vr.hasSpecificCharacterSet ? characterSet : SpecificCharacterSet.default
        return Array(set.decode(value, isPersonName: element.vr == .PN).utf8)[...]
    }

    /// Without padding: spaces and NULs at the end, and at the start where they do not count.
    static func trimmed(_ bytes: ArraySlice<UInt8>, leading: Bool) -> ArraySlice<UInt8> {
        var end = bytes.endIndex
        while end > bytes.startIndex, bytes[end - 1] == 0x20 || bytes[end - 1] == 0x00 { end -= 1 }
        var start = bytes.startIndex
        while leading, start < end, bytes[start] == 0x20 || bytes[start] == 0x00 { start += 1 }
        return bytes[start..<end]
    }

    /// Calls a body for every value of a text, trimmed; not at all when there is none (PS3.5 Section 6.4).
    static func forEachValue(of text: ArraySlice<UInt8>, _ vr: VR, _ body: (ArraySlice<UInt8>) -> Void) {
        let leading = !vr.keepsLeadingSpaces
        let whole = trimmed(text, leading: leading)
        guard !whole.isEmpty else { return }
        guard vr.isMultiValued else { return body(whole) }
        var start = text.startIndex
        for at in text.indices where text[at] == 0x5C {
            body(trimmed(text[start..<at], leading: leading))
            start = at + 1
        }
        body(trimmed(text[start...], leading: leading))
    }

    /// A binary number of an element by the width of its VR, in the byte order of the data set.
    func unsigned(_ element: DataElement, at index: Int, size: Int) -> UInt64 {
        let start = element.offset + index * size
        var number: UInt64 = 0
        for position in 0..<size {
            number = number << 8 | UInt64(bytes[start + (encoding.isBigEndian ? position : size - 1 - position)])
        }
        return number
    }

    /// The bytes of a value in little endian, as every web form of it has them (PS3.18 Section 8.7.3.3.2).
    package func littleEndian(_ element: DataElement) -> ArraySlice<UInt8> {
        let size = element.vr.unitSize
        let value = rawValue(element)
        guard encoding.isBigEndian, size > 1 else { return value }
        var swapped = Array(value)
        for start in stride(from: 0, through: swapped.count - size, by: size) {
            swapped[start..<start + size].reverse()
        }
        return swapped[...]
    }
}

/// Attributes whose VR is US or SS by Pixel Representation (0028,0103), which an implicit data set does not say
/// (PS3.5 Section A.1).
enum AmbiguousVR {
    static func isSigned(_ tag: Tag) -> Bool {
        switch tag.rawValue {
        case 0x0028_0104...0x0028_010B, 0x0028_0110, 0x0028_0111, 0x0028_0120, 0x0028_0121, 0x0028_1101...0x0028_1103,
            0x0018_9810, 0x0022_1452, 0x0040_9211, 0x0040_9216, 0x0060_3004, 0x0060_3006:
            true
        default: false
        }
    }
}
