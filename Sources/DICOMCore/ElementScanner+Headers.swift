// One element header at a time, also where its VR is illegal or its encoding is not the declared one.

extension ElementScanner {
    func uint16(at offset: Int, bigEndian: Bool) -> UInt16 {
        let first = UInt16(bytes[offset])
        let second = UInt16(bytes[offset + 1])
        return bigEndian ? first << 8 | second : second << 8 | first
    }

    func uint32(at offset: Int, bigEndian: Bool) -> UInt32 {
        let first = UInt32(uint16(at: offset, bigEndian: bigEndian))
        let second = UInt32(uint16(at: offset + 2, bigEndian: bigEndian))
        return bigEndian ? first << 16 | second : second << 16 | first
    }

    func tag(at offset: Int, bigEndian: Bool) -> Tag {
        Tag(uint16(at: offset, bigEndian: bigEndian), uint16(at: offset + 2, bigEndian: bigEndian))
    }

    /// The header at an offset, nil when the bytes end inside it (PS3.5 Section 7.1).
    func header(at offset: Int, end: Int, encoding: Encoding) -> ElementHeader? {
        guard end - offset >= 8 else { return nil }
        let big = encoding.isBigEndian
        let tag = tag(at: offset, bigEndian: big)
        guard encoding.isExplicitVR, tag.group != 0xFFFE else {
            let vr = tag.group == 0xFFFE ? VR.UN : DataDictionary.vr(of: tag)
            let length = uint32(at: offset + 4, bigEndian: big)
            return ElementHeader(tag: tag, vr: vr, valueOffset: offset + 8, length: length)
        }
        guard let vr = VR(bytes[offset + 4], bytes[offset + 5]) else {
            return illegal(tag, at: offset, end: end, encoding: encoding)
        }
        guard vr.hasLongLength else {
            let length = UInt32(uint16(at: offset + 6, bigEndian: big))
            return ElementHeader(tag: tag, vr: vr, valueOffset: offset + 8, length: length)
        }
        guard end - offset >= 12 else { return nil }
        return ElementHeader(
            tag: tag, vr: vr, valueOffset: offset + 12, length: uint32(at: offset + 8, bigEndian: big))
    }

    /// An explicit element without a VR that exists. Two letters are a VR of the future, with a long length (PS3.5
    /// Section 6.2); else it may be an illegal VR in the short form, or an element that is implicit. What can follow
    /// decides.
    private func illegal(_ tag: Tag, at offset: Int, end: Int, encoding: Encoding) -> ElementHeader? {
        let big = encoding.isBigEndian
        let known = DataDictionary.vr(of: tag)
        let short = ElementHeader(
            tag: tag, vr: known, valueOffset: offset + 8, length: UInt32(uint16(at: offset + 6, bigEndian: big)),
            flaw: .illegalVR)
        let implicit = ElementHeader(
            tag: tag, vr: known, valueOffset: offset + 8, length: uint32(at: offset + 4, bigEndian: big),
            flaw: .mixedEncoding)
        let isLetters = [bytes[offset + 4], bytes[offset + 5]].allSatisfy { $0 &- 0x41 < 26 }
        var candidates = [short, implicit]
        if end - offset >= 12 {
            let long = ElementHeader(
                tag: tag, vr: known, valueOffset: offset + 12, length: uint32(at: offset + 8, bigEndian: big),
                flaw: .illegalVR)
            candidates.insert(long, at: isLetters ? 0 : 2)
        }
        // Where the elements that follow are as illegal, at least the tag in front of them can be told.
        return candidates.first { isPlausible($0, end: end, encoding: encoding) }
            ?? candidates.first { isNear($0, end: end, encoding: encoding) } ?? candidates[0]
    }

    /// Whether a value is followed by a tag that is a little higher.
    private func isNear(_ header: ElementHeader, end: Int, encoding: Encoding) -> Bool {
        guard !header.isUndefined, end - header.end >= 8 else { return false }
        let next = tag(at: header.end, bigEndian: encoding.isBigEndian)
        return next > header.tag && next.group &- header.tag.group <= 6
    }

    /// Whether a value ends where the level ends or where something begins that looks like the next element.
    func isPlausible(_ header: ElementHeader, end: Int, encoding: Encoding) -> Bool {
        let big = encoding.isBigEndian
        if header.isUndefined {
            return end - header.valueOffset >= 8 && tag(at: header.valueOffset, bigEndian: big).group == 0xFFFE
        }
        let at = header.end
        if at == end { return true }
        guard at < end, end - at >= 8 else { return false }
        let next = tag(at: at, bigEndian: big)
        if next.group == 0xFFFE { return true }
        guard next > header.tag else { return false }
        if encoding.isExplicitVR { return VR(bytes[at + 4], bytes[at + 5]) != nil }
        return Int(uint32(at: at + 4, bigEndian: big)) <= end - at - 8
            || uint32(at: at + 4, bigEndian: big) == ElementHeader.undefinedLength
    }

    /// How the items of a sequence are encoded. Inside UN they are implicit VR little endian by rule (PS3.5 Section
    /// 6.2.2); the first element of the first item corrects either expectation.
    func sequenceEncoding(_ header: ElementHeader, at start: Int, end: Int, encoding: Encoding) -> Encoding {
        let expected = header.vr == .UN && encoding.isExplicitVR ? Encoding.implicitLittle : encoding
        guard end - start >= 16, !expected.isBigEndian, tag(at: start, bigEndian: false) == .item else {
            return expected
        }
        guard tag(at: start + 8, bigEndian: false).group != 0xFFFE else { return expected }
        let isExplicit = VR(bytes[start + 12], bytes[start + 13]) != nil
        if isExplicit == expected.isExplicitVR { return expected }
        let other = isExplicit ? Encoding.explicitLittle : Encoding.implicitLittle
        guard let first = self.header(at: start + 8, end: end, encoding: other) else { return expected }
        return isPlausible(first, end: end, encoding: other) ? other : expected
    }

    /// How the data set at an offset is really encoded, looking at its first element.
    func detectEncoding(at start: Int, end: Int, declared: Encoding) -> Encoding {
        guard end - start >= 8 else { return declared }
        var big = declared.isBigEndian
        let group = uint16(at: start, bigEndian: big)
        // The first group of a data set is small; swapped it is not.
        if group >= 0x0100, group.byteSwapped <= 0x0040 { big.toggle() }
        let explicit = Encoding(isExplicitVR: true, isBigEndian: big)
        let implicit = Encoding(isExplicitVR: false, isBigEndian: big)
        let namesVR = VR(bytes[start + 4], bytes[start + 5]) != nil
        if declared.isExplicitVR {
            if namesVR { return explicit }
            guard let first = header(at: start, end: end, encoding: implicit) else { return explicit }
            return isPlausible(first, end: end, encoding: implicit) ? implicit : explicit
        }
        guard namesVR, let first = header(at: start, end: end, encoding: explicit) else { return implicit }
        let asImplicit = header(at: start, end: end, encoding: implicit)
        if let asImplicit, isPlausible(asImplicit, end: end, encoding: implicit) { return implicit }
        return isPlausible(first, end: end, encoding: explicit) ? explicit : implicit
    }
}
