// Walks the elements of untrusted bytes: one level at a time, without recursion, marking what it tolerates.

/// The tag, VR and length in front of a value (PS3.5 Section 7.1).
struct ElementHeader {
    static let undefinedLength: UInt32 = 0xFFFF_FFFF

    var tag: Tag
    var vr: VR
    /// Offset of the value.
    var valueOffset: Int
    var length: UInt32
    /// What was wrong with it, nil for nothing.
    var flaw: Flaw.Kind?

    var isUndefined: Bool { length == ElementHeader.undefinedLength }
    var end: Int { valueOffset + Int(length) }
}

/// A reader over one array of bytes that collects flaws.
struct ElementScanner {
    let bytes: [UInt8]
    let limits: ReadLimits
    private(set) var flaws: [Flaw] = []

    init(_ bytes: [UInt8], limits: ReadLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    mutating func mark(_ kind: Flaw.Kind, _ tag: Tag?, at offset: Int) {
        if flaws.count < limits.flaws { flaws.append(Flaw(kind, tag, at: offset)) }
    }

    /// Which level is scanned: it decides what ends it.
    enum Level { case dataSet, item, undefinedItem }

    /// The elements of one level and where it ended.
    struct Scan {
        var elements: [DataElement] = []
        var isOrdered = true
        var pixelData: PixelData?
        /// First byte after the level, its delimitation item included.
        var next: Int
    }

    /// Reads one level. Values are skipped by their length; sequences are not entered, those of undefined length are
    /// walked to find their end.
    mutating func scan(from start: Int, to end: Int, encoding: Encoding, level: Level) -> Scan {
        var scan = Scan(next: start)
        if level == .dataSet { scan.elements.reserveCapacity(160) }
        var previous: Tag?
        var at = start
        while at < end {
            guard let header = header(at: at, end: end, encoding: encoding) else {
                mark(.truncated, nil, at: at)
                at = end
                break
            }
            if header.tag.group == 0xFFFE {
                guard let next = delimiter(header, at: at, level: level) else { break }
                at = next
                if level == .undefinedItem { break }
                continue
            }
            if header.tag.rawValue == 0, header.length == 0 {
                mark(.trailingGarbage, nil, at: at)
                at = end
                break
            }
            if level == .dataSet, PixelData.isPixelData(header.tag) {
                scan.pixelData = PixelData(header, at: at)
                break
            }
            guard scan.elements.count < limits.elements else {
                mark(.tooManyElements, header.tag, at: at)
                at = end
                break
            }
            if let flaw = header.flaw { mark(flaw, header.tag, at: at) }
            if let previous, header.tag <= previous {
                mark(header.tag == previous ? .duplicateElement : .outOfOrder, header.tag, at: at)
                scan.isOrdered = false
            }
            previous = header.tag
            at = take(header, at: at, end: end, encoding: encoding, into: &scan)
        }
        scan.next = min(at, end)
        if !scan.isOrdered { sort(&scan, from: start) }
        return scan
    }

    /// Where to go on after a tag of group FFFE, nil when it ends the level before itself.
    private mutating func delimiter(_ header: ElementHeader, at: Int, level: Level) -> Int? {
        switch (header.tag, level) {
        case (.itemDelimitation, .undefinedItem):
            return header.valueOffset
        case (_, .undefinedItem):
            mark(.missingDelimiter, header.tag, at: at)
            return nil
        case (.itemDelimitation, _), (.sequenceDelimitation, _):
            mark(.strayDelimiter, header.tag, at: at)
            return header.valueOffset
        default:
            mark(.trailingGarbage, header.tag, at: at)
            return nil
        }
    }

    /// Adds the element and answers where the next begins.
    private mutating func take(
        _ header: ElementHeader, at: Int, end: Int, encoding: Encoding, into scan: inout Scan
    ) -> Int {
        if header.isUndefined || isUncounted(header, end: end, encoding: encoding) {
            let content = sequenceEncoding(header, at: header.valueOffset, end: end, encoding: encoding)
            let extent = skipUndefined(from: header.valueOffset, to: end, encoding: content)
            if !extent.isClosed { mark(.missingDelimiter, header.tag, at: at) }
            if extent.isTruncated { mark(.truncated, header.tag, at: at) }
            // UN of undefined length is a sequence in implicit VR little endian (PS3.5 Section 6.2.2).
            let vr = header.vr == .UN ? VR.SQ : header.vr
            scan.elements.append(
                DataElement(
                    tag: header.tag, vr: vr, offset: header.valueOffset, length: extent.contentEnd - header.valueOffset,
                    isUndefinedLength: true, itemEncoding: content))
            return extent.next
        }
        var length = Int(header.length)
        if length > end - header.valueOffset {
            mark(.truncated, header.tag, at: at)
            // The items that are there can be read; half a value of any other kind is worse than none.
            guard header.vr == .SQ else { return end }
            length = end - header.valueOffset
        } else if length & 1 == 1 {
            mark(.oddLength, header.tag, at: at)
        }
        let content =
            header.vr == .SQ || header.vr == .UN
            ? sequenceEncoding(header, at: header.valueOffset, end: header.valueOffset + length, encoding: encoding)
            : encoding
        scan.elements.append(
            DataElement(
                tag: header.tag, vr: header.vr, offset: header.valueOffset, length: length,
                isUndefinedLength: false, itemEncoding: content))
        return header.valueOffset + length
    }

    /// A sequence that says it is empty, with items behind it all the same.
    private func isUncounted(_ header: ElementHeader, end: Int, encoding: Encoding) -> Bool {
        header.vr == .SQ && header.length == 0 && end - header.valueOffset >= 8
            && tag(at: header.valueOffset, bigEndian: encoding.isBigEndian) == .item
    }

    /// Puts the elements in order of tag, stably, so that the first of a tag is found first.
    private mutating func sort(_ scan: inout Scan, from start: Int) {
        let hadDuplicate = flaws.contains { $0.kind == .duplicateElement }
        scan.elements.sort { $0.tag == $1.tag ? $0.offset < $1.offset : $0.tag < $1.tag }
        guard !hadDuplicate else { return }
        for (left, right) in zip(scan.elements, scan.elements.dropFirst()) where left.tag == right.tag {
            mark(.duplicateElement, right.tag, at: right.offset)
            return
        }
    }
}
