// Values of a data set as Swift values: decoded, trimmed, split (PS3.5 Sections 6.2 to 6.4).

/// How much of one value becomes Swift values: a value may be as long as its object, and a text of many megabytes costs
/// several times that as substrings. Nothing that is indexed or asked for by name is longer; `rawValue` has everything.
enum ValueLimits {
    /// Bytes of an element whose first value is asked for.
    static let firstBytes = 64 << 10
    /// Bytes of a text or of a list; a retrieve request lists thousands of UIDs in one value.
    static let bytes = 1 << 20
    /// Values of one element.
    static let values = 10_000
}

extension DataSet {
    /// The first value, decoded and trimmed; nil when absent or empty. Numbers come as decimal text.
    package func string(_ tag: Tag) -> String? {
        guard let element = self[tag] else { return nil }
        guard let first = values(of: element, mostBytes: ValueLimits.firstBytes, most: 1).first else { return nil }
        return first.isEmpty ? nil : first
    }

    /// The values, decoded and trimmed, empty ones in between kept; none when absent or empty. At most 10,000 of them,
    /// from the first mebibyte.
    package func strings(_ tag: Tag) -> [String] { self[tag].map(values(of:)) ?? [] }

    /// The whole value as one text, not split, but at most its first mebibyte; nil when absent or empty.
    package func text(_ tag: Tag) -> String? {
        guard let element = self[tag] else { return nil }
        guard element.vr.isString || element.vr == .UN else { return values(of: element).joined(separator: "\\") }
        let text = DataSet.trimmed(
            decoded(element, most: ValueLimits.bytes), leading: !element.vr.keepsLeadingSpaces)
        return text.isEmpty ? nil : text
    }

    /// The first value as an integer: IS, DS without fraction, and the binary integers.
    package func int(_ tag: Tag) -> Int? { ints(tag).first }

    /// The values as integers, empty when any of them is none.
    package func ints(_ tag: Tag) -> [Int] {
        let values = strings(tag).map { text -> Int? in
            if let integer = Int(text.hasPrefix("+") ? String(text.dropFirst()) : text) { return integer }
            return Double(text).flatMap { Int(exactly: $0) }
        }
        return values.contains(nil) ? [] : values.compactMap(\.self)
    }

    /// The values as numbers, empty when any of them is none.
    package func doubles(_ tag: Tag) -> [Double] {
        let values = strings(tag).map { Double($0) }
        return values.contains(nil) ? [] : values.compactMap(\.self)
    }

    /// The values of an element as texts; binary numbers in decimal, AT as eight hexadecimal digits. Bytes and sequences
    /// have none. Bounded as `strings` is.
    package func values(of element: DataElement) -> [String] {
        values(of: element, mostBytes: ValueLimits.bytes, most: ValueLimits.values)
    }

    private func values(of element: DataElement, mostBytes: Int, most: Int) -> [String] {
        guard element.length > 0 else { return [] }
        guard element.vr.isString || element.vr == .UN && !DataSet.looksBinary(rawValue(element).prefix(mostBytes))
        else { return numbers(of: element, most: most) }
        let text = decoded(element, most: mostBytes)
        let leading = !element.vr.keepsLeadingSpaces
        guard element.vr.isMultiValued || element.vr == .UN else {
            return [DataSet.trimmed(text, leading: leading)].filter { !$0.isEmpty }
        }
        // One split more than wanted, so that the last value kept ends where it ends.
        let values = text.utf8.split(separator: 0x5C, maxSplits: most, omittingEmptySubsequences: false).prefix(most)
            .map { DataSet.trimmed(String(Substring($0)), leading: leading) }
        return values == [""] ? [] : values
    }

    private func decoded(_ element: DataElement, most: Int) -> String {
        let value = rawValue(element)
        // Other text is ASCII by rule; what is beyond it is guessed.
        let isGoverned = element.vr.hasSpecificCharacterSet || element.vr == .UN
        let set = isGoverned ? characterSet : SpecificCharacterSet.default
        return set.decode(value, isPersonName: element.vr == .PN, most: most)
    }

    /// UN is read as text for the attributes whose values have no control characters.
    private static func looksBinary(_ value: ArraySlice<UInt8>) -> Bool {
        value.dropLast().contains { $0 < 0x20 && $0 != 0x0A && $0 != 0x0D && $0 != 0x09 && $0 != 0x0C && $0 != 0x1B }
    }

    /// Without padding: spaces and NULs at the end, and at the start where they do not count.
    static func trimmed(_ text: String, leading: Bool) -> String {
        let bytes = text.utf8
        var end = bytes.endIndex
        while end > bytes.startIndex {
            let before = bytes.index(before: end)
            guard bytes[before] == 0x20 || bytes[before] == 0x00 else { break }
            end = before
        }
        var start = bytes.startIndex
        while leading, start < end, bytes[start] == 0x20 || bytes[start] == 0x00 { start = bytes.index(after: start) }
        if start == bytes.startIndex, end == bytes.endIndex { return text }
        return String(text[start..<end])
    }

    private func numbers(of element: DataElement, most: Int) -> [String] {
        switch element.vr {
        case .US, .UL, .UV: unsigned(element, most: most).map { String($0) }
        case .SS: unsigned(element, most: most).map { String(Int16(truncatingIfNeeded: $0)) }
        case .SL: unsigned(element, most: most).map { String(Int32(truncatingIfNeeded: $0)) }
        case .SV: unsigned(element, most: most).map { String(Int64(truncatingIfNeeded: $0)) }
        case .FL: unsigned(element, most: most).map { String(Float(bitPattern: UInt32(truncatingIfNeeded: $0))) }
        case .FD: unsigned(element, most: most).map { String(Double(bitPattern: $0)) }
        case .AT: tags(element, most: most).map { $0.hexadecimal }
        default: []
        }
    }

    /// The tags of an AT element, at most 10,000.
    package func tags(_ element: DataElement) -> [Tag] { tags(element, most: ValueLimits.values) }

    private func tags(_ element: DataElement, most: Int) -> [Tag] {
        let halves = unsigned(element, most: most * 2)
        return stride(from: 0, to: halves.count - 1, by: 2).map { Tag(UInt16(halves[$0]), UInt16(halves[$0 + 1])) }
    }

    /// The binary numbers of an element by the width of its VR, in the byte order of the data set.
    private func unsigned(_ element: DataElement, most: Int) -> [UInt64] {
        let size = element.vr.unitSize
        guard size > 0 else { return [] }
        return (0..<min(element.length / size, most)).lazy.map { element.offset + $0 * size }.map { start in
            (0..<size).reduce(UInt64(0)) { number, index in
                number << 8 | UInt64(bytes[start + (encoding.isBigEndian ? index : size - 1 - index)])
            }
        }
    }
}
