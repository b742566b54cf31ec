// Writes a data set: in order of tag, padded to even length, in any uncompressed encoding (PS3.5 Section 7).

/// Collects elements and writes them. Text is given as Swift strings; the writer encodes it and declares Specific
/// Character Set (0008,0005) itself when something beyond ASCII is written, or when that attribute was put.
package struct DataSetWriter: Sendable {
    private struct Entry: Sendable {
        let tag: Tag
        let vr: VR
        let value: [UInt8]
    }

    /// How the data set is encoded.
    package let transferSyntax: TransferSyntax
    /// What text is written in.
    package let characterSet: OutputCharacterSet
    private var entries: [Entry] = []
    private var declaresCharacterSet = false
    private var isItem = false

    private var encoding: Encoding { transferSyntax.encoding }

    /// A writer of a data set without elements yet.
    package init(transferSyntax: TransferSyntax, characterSet: OutputCharacterSet) {
        self.transferSyntax = transferSyntax
        self.characterSet = characterSet
    }

    /// A writer for an item of a sequence of this data set.
    package func makeItem() -> DataSetWriter {
        var item = DataSetWriter(transferSyntax: transferSyntax, characterSet: characterSet)
        item.isItem = true
        return item
    }

    /// Whether nothing has been put.
    package var isEmpty: Bool { entries.isEmpty }

    /// One value under the VR of the dictionary; numbers are given as decimal text.
    package mutating func put(_ tag: Tag, _ value: String) { put(tag, DataDictionary.vr(of: tag), [value]) }

    /// Several values under the VR of the dictionary.
    package mutating func put(_ tag: Tag, _ values: [String]) { put(tag, DataDictionary.vr(of: tag), values) }

    /// An element of zero length.
    package mutating func putEmpty(_ tag: Tag, _ vr: VR? = nil) {
        put(tag, vr ?? DataDictionary.vr(of: tag), bytes: [])
    }

    /// Values as texts. For binary VRs each is a decimal number, or eight hexadecimal digits for AT; what is no number is
    /// left out.
    package mutating func put(_ tag: Tag, _ vr: VR, _ values: [String]) {
        if tag == .specificCharacterSet {
            declaresCharacterSet = true
            return
        }
        switch vr {
        case .FL, .OF: append(tag, vr, values.compactMap(Float.init).flatMap { number($0.bitPattern) })
        case .FD, .OD: append(tag, vr, values.compactMap(Double.init).flatMap { number($0.bitPattern) })
        case .AT: append(tag, vr, values.compactMap { UInt32($0, radix: 16) }.flatMap(tagBytes))
        case .UV: append(tag, vr, values.compactMap { UInt64($0) }.flatMap(number))
        case .US, .SS, .UL, .SL, .SV: put(tag, vr, ints: values.compactMap { Int($0) })
        default:
            let text = values.joined(separator: "\\")
            let encoded = vr.hasSpecificCharacterSet ? characterSet.encode(text) : Array(text.utf8)
            if encoded.contains(where: { $0 >= 0x80 }) { declaresCharacterSet = true }
            append(tag, vr, encoded)
        }
    }

    /// Integers: binary for US, SS, UL, SL, UV, SV, OW, OL and OV, else decimal text. A number that does not fit is cut.
    package mutating func put(_ tag: Tag, _ vr: VR, ints: [Int]) {
        switch vr.unitSize {
        case 2: append(tag, vr, ints.flatMap { number(UInt16(truncatingIfNeeded: $0)) })
        case 4: append(tag, vr, ints.flatMap { number(UInt32(truncatingIfNeeded: $0)) })
        case 8: append(tag, vr, ints.flatMap { number(UInt64(truncatingIfNeeded: $0)) })
        default: append(tag, vr, Array(ints.map { String($0) }.joined(separator: "\\").utf8))
        }
    }

    /// A value as it stands: in the byte order of this data set, and in its character set.
    package mutating func put(_ tag: Tag, _ vr: VR, bytes: [UInt8]) {
        if tag == .specificCharacterSet {
            declaresCharacterSet = true
            return
        }
        append(tag, vr, bytes)
    }

    /// A sequence of items that were made by `makeItem` (PS3.5 Section 7.5).
    package mutating func put(_ tag: Tag, items: [DataSetWriter]) {
        var value: [UInt8] = []
        for item in items {
            if item.declaresCharacterSet { declaresCharacterSet = true }
            let bytes = item.encoded()
            value += tagBytes(Tag.item.rawValue) + number(UInt32(clamping: bytes.count)) + bytes
        }
        append(tag, .SQ, value)
    }

    /// Copies an element of a data set that was read: text goes into this character set, numbers into this byte order,
    /// sequences item by item.
    package mutating func put(_ element: DataElement, from dataSet: DataSet) {
        if element.vr == .SQ {
            let items = dataSet.items(of: element).map { source in
                var item = makeItem()
                for element in source.elements { item.put(element, from: source) }
                return item
            }
            put(element.tag, items: items)
        } else if element.vr.hasSpecificCharacterSet {
            let text = dataSet.characterSet.decode(dataSet.rawValue(element), isPersonName: element.vr == .PN)
            put(element.tag, element.vr, [text])
        } else {
            put(element.tag, element.vr, bytes: swapped(Array(dataSet.rawValue(element)), element.vr, dataSet.encoding))
        }
    }

    /// The encoded data set.
    package func finish() -> [UInt8] {
        let bytes = encoded()
        return transferSyntax.isDeflated ? Inflate.deflate(bytes) : bytes
    }

    private func encoded() -> [UInt8] {
        var sorted = entries
        if declaresCharacterSet, !isItem {
            let term = Array((characterSet.definedTerm ?? "").utf8)
            sorted.append(Entry(tag: .specificCharacterSet, vr: .CS, value: padded(term, .CS)))
        }
        // A tag that was put twice is written as it was put last.
        var positions: [Tag: Int] = [:]
        for (position, entry) in sorted.enumerated() { positions[entry.tag] = position }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(sorted.reduce(0) { $0 + $1.value.count + 12 })
        for tag in positions.keys.sorted() {
            if let position = positions[tag] { write(sorted[position], to: &bytes) }
        }
        return bytes
    }

    private func write(_ entry: Entry, to bytes: inout [UInt8]) {
        bytes += tagBytes(entry.tag.rawValue)
        if encoding.isExplicitVR {
            // A value too long for the short form goes out as UN (PS3.5 Section 6.2.2).
            let vr = entry.vr.hasLongLength || entry.value.count <= 0xFFFE ? entry.vr : .UN
            bytes += [vr.code.0, vr.code.1]
            bytes +=
                vr.hasLongLength
                ? [0, 0] + number(UInt32(clamping: entry.value.count)) : number(UInt16(entry.value.count))
        } else {
            bytes += number(UInt32(clamping: entry.value.count))
        }
        bytes += entry.value
    }

    private mutating func append(_ tag: Tag, _ vr: VR, _ value: [UInt8]) {
        entries.append(Entry(tag: tag, vr: vr, value: padded(value, vr)))
    }

    private func padded(_ value: [UInt8], _ vr: VR) -> [UInt8] {
        value.count & 1 == 1 ? value + [vr.padding] : value
    }

    private func tagBytes(_ tag: UInt32) -> [UInt8] {
        number(UInt16(tag >> 16)) + number(UInt16(truncatingIfNeeded: tag))
    }

    private func number<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        let size = Number.bitWidth / 8
        return (0..<size).map { index in
            let shift = (encoding.isBigEndian ? size - 1 - index : index) * 8
            return UInt8(truncatingIfNeeded: number >> Number(shift))
        }
    }

    private func swapped(_ value: [UInt8], _ vr: VR, _ source: Encoding) -> [UInt8] {
        let size = vr.unitSize
        guard size > 0, source.isBigEndian != encoding.isBigEndian, value.count % size == 0 else { return value }
        return stride(from: 0, to: value.count, by: size).flatMap { value[$0..<$0 + size].reversed() }
    }
}
