// The DICOM file: preamble, prefix, file meta information and data set (PS3.10 Section 7).

/// What stands before the data set of a file, and where the data set begins.
package struct Part10: Sendable {
    /// The class of the object, from the meta information (0002,0002).
    package let mediaStorageSOPClassUID: String?
    /// The object's identifier, from the meta information (0002,0003).
    package let mediaStorageSOPInstanceUID: String?
    /// How the data set is encoded: as the meta information says, or guessed when it does not.
    package let transferSyntax: TransferSyntax
    /// Offset of the data set.
    package let dataSetOffset: Int
    /// Whether 128 bytes and `DICM` stand in front (PS3.10 Section 7.1).
    package let hasPreamble: Bool
    /// The elements of group 0002, nil when there are none.
    package let fileMetaInformation: DataSet?
    /// What was tolerated.
    package let flaws: [Flaw]

    /// Reads the meta information of a file. Tolerates a missing preamble, missing meta information and a missing or
    /// wrong group length.
    package static func parse(_ bytes: [UInt8]) throws(ReadFailure) -> Part10 {
        guard !bytes.isEmpty else { throw .empty }
        var scanner = ElementScanner(bytes, limits: .standard)
        var start = 0
        let prefix = Array("DICM".utf8)
        let hasPreamble = bytes.count >= 132 && Array(bytes[128..<132]) == prefix
        if hasPreamble {
            start = 132
        } else {
            if bytes.starts(with: prefix) { start = 4 }
            scanner.mark(.missingPreamble, nil, at: 0)
        }
        guard bytes.count - start >= 8 else { throw .notDICOM(offset: start) }

        var meta: DataSet?
        var dataSetOffset = start
        if scanner.tag(at: start, bigEndian: false).group == 0x0002 {
            (meta, dataSetOffset) = fileMetaInformation(&scanner, at: start)
        } else {
            scanner.mark(.missingFileMetaInformation, nil, at: start)
        }
        let declared = meta?.string(.transferSyntaxUID).flatMap { UID.isValid($0) ? TransferSyntax($0) : nil }
        if declared == nil {
            guard meta != nil || hasPreamble || looksLikeDataSet(scanner, at: dataSetOffset) else {
                throw .notDICOM(offset: dataSetOffset)
            }
            if meta != nil { scanner.mark(.missingTransferSyntax, .transferSyntaxUID, at: start) }
        }
        let guessed = scanner.detectEncoding(at: dataSetOffset, end: bytes.count, declared: .explicitLittle)
        return Part10(
            mediaStorageSOPClassUID: meta?.string(.mediaStorageSOPClassUID),
            mediaStorageSOPInstanceUID: meta?.string(.mediaStorageSOPInstanceUID),
            transferSyntax: declared ?? guessed.transferSyntax, dataSetOffset: dataSetOffset, hasPreamble: hasPreamble,
            fileMetaInformation: meta, flaws: scanner.flaws)
    }

    /// More elements of group 0002 than any file has: the group knows some twenty.
    private static let mostMetaElements = 256

    /// The elements of group 0002 by their tags, not by the group length, which is often wrong (PS3.10 Section 7.1).
    private static func fileMetaInformation(_ scanner: inout ElementScanner, at start: Int) -> (DataSet, Int) {
        let end = scanner.bytes.count
        // Some writers encode the meta information implicitly.
        let encoding = scanner.detectEncoding(at: start, end: end, declared: .explicitLittle)
        var elements: [DataElement] = []
        var at = start
        while let header = scanner.header(at: at, end: end, encoding: encoding), header.tag.group == 0x0002 {
            guard elements.count < mostMetaElements else {
                scanner.mark(.tooManyElements, header.tag, at: at)
                break
            }
            guard !header.isUndefined, header.end <= end else {
                scanner.mark(.truncated, header.tag, at: at)
                guard let next = nextElement(scanner, after: at) else { break }
                at = next
                continue
            }
            if let flaw = header.flaw { scanner.mark(flaw, header.tag, at: at) }
            elements.append(
                DataElement(
                    tag: header.tag, vr: header.vr, offset: header.valueOffset, length: Int(header.length),
                    isUndefinedLength: false, itemEncoding: encoding))
            at = header.end
        }
        elements.sort { $0.tag < $1.tag }
        let meta = DataSet(
            bytes: scanner.bytes, elements: elements, encoding: encoding, inherited: .default, limits: .standard,
            depth: 0)
        let group = meta[.fileMetaInformationGroupLength]
        let announced = group.flatMap { length in
            meta.int(.fileMetaInformationGroupLength).map { $0 &+ length.offset &+ length.length }
        }
        if announced != at { scanner.mark(.wrongGroupLength, .fileMetaInformationGroupLength, at: start) }
        return (meta, at)
    }

    /// Behind an element whose length runs past the end, the next one of the group that is beyond doubt.
    private static func nextElement(_ scanner: ElementScanner, after offset: Int) -> Int? {
        (offset + 8..<max(offset + 8, min(scanner.bytes.count - 8, offset + 1024))).first { candidate in
            let tag = scanner.tag(at: candidate, bigEndian: false)
            let vr = VR(scanner.bytes[candidate + 4], scanner.bytes[candidate + 5])
            return tag.group == 0x0002 && tag.keyword != nil && vr == DataDictionary.vr(of: tag)
        }
    }

    /// Whether bytes without any meta information begin as the data set of an object does.
    private static func looksLikeDataSet(_ scanner: ElementScanner, at offset: Int) -> Bool {
        let end = scanner.bytes.count
        let encoding = scanner.detectEncoding(at: offset, end: end, declared: .explicitLittle)
        guard let first = scanner.header(at: offset, end: end, encoding: encoding) else { return false }
        return first.flaw == nil && (first.tag.group == 0x0008 || first.tag.group == 0x0004)
            && scanner.isPlausible(first, end: end, encoding: encoding)
    }

    /// The class of the program that writes our files (0002,0012) (PS3.7 Section D.3.3.2).
    package static let implementationClassUID = "2.25.330879553092293481499467654470473438095"
    /// The name of this version (0002,0013).
    package static let implementationVersionName = "PHIM_1"

    /// Preamble, prefix and the least meta information, the same bytes for the same arguments: no titles, no dates, so
    /// that one object received twice gives one digest.
    package static func header(sopClassUID: String, sopInstanceUID: String, transferSyntaxUID: String) -> [UInt8] {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .ascii)
        writer.put(.fileMetaInformationVersion, .OB, bytes: [0, 1])
        writer.put(.mediaStorageSOPClassUID, .UI, [sopClassUID])
        writer.put(.mediaStorageSOPInstanceUID, .UI, [sopInstanceUID])
        writer.put(.transferSyntaxUID, .UI, [transferSyntaxUID])
        writer.put(.implementationClassUID, .UI, [implementationClassUID])
        writer.put(.implementationVersionName, .SH, [implementationVersionName])
        let rest = writer.finish()
        var group = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .ascii)
        group.put(.fileMetaInformationGroupLength, .UL, ints: [rest.count])
        return [UInt8](repeating: 0, count: 128) + Array("DICM".utf8) + group.finish() + rest
    }
}
