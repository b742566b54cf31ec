// Elements of a data set in another encoding, value by value, as they are: no text is decoded, nothing is dropped but
// group lengths, which would be wrong (PS3.5 Sections 7 and A).

package import DICOMCore

/// Writes elements of a data set that was read in any encoding.
package struct DataSetRewriter {
    private let encoding: Encoding
    /// Whether `US or SS` attributes hold signed numbers.
    private let isSigned: Bool

    package init(encoding: Encoding, isSigned: Bool) {
        self.encoding = encoding
        self.isSigned = isSigned
    }

    /// Elements in their order; one of `replacing` goes out with that value instead and is added where it is absent, and
    /// one of `dropping` is left out.
    package func write(
        _ dataSet: DataSet, replacing: [Tag: (vr: VR, value: [UInt8])] = [:], dropping: Set<Tag> = [],
        into out: inout [UInt8]
    ) {
        var pending = replacing.sorted { $0.key < $1.key }[...]
        for element in dataSet.elements where element.tag.element != 0 && !dropping.contains(element.tag) {
            while let next = pending.first, next.key <= element.tag {
                write(next.key, next.value.vr, next.value.value, into: &out)
                pending.removeFirst()
            }
            if replacing[element.tag] == nil { write(element, of: dataSet, into: &out) }
        }
        for next in pending { write(next.key, next.value.vr, next.value.value, into: &out) }
    }

    private func write(_ element: DataElement, of dataSet: DataSet, into out: inout [UInt8]) {
        if element.vr == .SQ {
            var items: [UInt8] = []
            for item in dataSet.items(of: element) {
                var content: [UInt8] = []
                write(item, into: &content)
                append(tag: .item, to: &items)
                append(UInt32(clamping: content.count), to: &items)
                items += content
            }
            return write(element.tag, .SQ, items, into: &out)
        }
        var vr = element.vr
        if !dataSet.encoding.isExplicitVR, isSigned, vr == .US, Self.followsPixelRepresentation.contains(element.tag) {
            vr = .SS
        }
        var value = Array(dataSet.rawValue(element))
        if dataSet.encoding.isBigEndian != encoding.isBigEndian { Self.swap(&value, unit: vr.unitSize) }
        write(element.tag, vr, value, into: &out)
    }

    /// One element with a value in the byte order of this encoding.
    package func write(_ tag: Tag, _ vr: VR, _ value: [UInt8], into out: inout [UInt8]) {
        let padded = value.count & 1
        header(tag, vr, length: UInt32(clamping: value.count + padded), into: &out)
        out += value
        if padded == 1 { out.append(vr.padding) }
    }

    /// Tag, VR and length; undefined for `0xFFFFFFFF`. Items have no VR (PS3.5 Section 7.5).
    package func header(_ tag: Tag, _ vr: VR, length: UInt32, into out: inout [UInt8]) {
        append(tag: tag, to: &out)
        guard encoding.isExplicitVR, tag.group != 0xFFFE else { return append(length, to: &out) }
        // A value too long for the short form goes out as UN (PS3.5 Section 6.2.2).
        let written = vr.hasLongLength || length <= 0xFFFE ? vr : .UN
        out += Array(written.rawValue.utf8)
        if written.hasLongLength {
            out += [0, 0]
            append(length, to: &out)
        } else {
            append(UInt16(length), to: &out)
        }
    }

    private func append(tag: Tag, to out: inout [UInt8]) {
        append(tag.group, to: &out)
        append(tag.element, to: &out)
    }

    private func append<Number: FixedWidthInteger>(_ number: Number, to out: inout [UInt8]) {
        let size = Number.bitWidth / 8
        for index in 0..<size {
            let shift = (encoding.isBigEndian ? size - 1 - index : index) * 8
            out.append(UInt8(truncatingIfNeeded: number >> Number(shift)))
        }
    }

    /// Reverses the bytes of each unit; a rest that is none stays.
    package static func swap(_ value: inout [UInt8], unit: Int) {
        guard unit > 1 else { return }
        var at = 0
        while at + unit <= value.count {
            var (low, high) = (at, at + unit - 1)
            while low < high {
                value.swapAt(low, high)
                low += 1
                high -= 1
            }
            at += unit
        }
    }

    /// US or SS by Pixel Representation (PS3.6 Section 6), which implicit VR does not say.
    private static let followsPixelRepresentation: Set<Tag> = [
        .smallestImagePixelValue, .largestImagePixelValue, .pixelPaddingValue, .pixelPaddingRangeLimit,
        Tag(0x0028, 0x0108), Tag(0x0028, 0x0109),
    ]
}
