// Reads everything before the pixel data of untrusted bytes: never crashes, never loops, keeps what can be kept.

/// The part of an object before its pixel data.
package struct Header: Sendable {
    /// Every element before the pixel data. Of a deflated object its bytes are the inflated ones.
    package let dataSet: DataSet
    /// The pixel data element, nil when the bytes hold none or end before it.
    package let pixelData: PixelData?
    /// What was tolerated, in order of discovery; a bounded list.
    package let flaws: [Flaw]

    /// Offset of the pixel data element.
    package var pixelDataOffset: Int? { pixelData?.elementOffset }
    /// Whether the bytes ended before the header did; with more bytes it may be read further.
    package var isTruncated: Bool { flaws.contains { $0.kind == .truncated } }
}

/// The reader of headers.
package enum HeaderReader {
    /// Reads the data set that begins at an offset. The bytes may be only the beginning of the object: what is there is
    /// read, and `.truncated` is marked when the end comes inside an element.
    package static func read(
        _ bytes: [UInt8], from offset: Int = 0, transferSyntax: TransferSyntax, limits: ReadLimits = .standard
    ) throws(ReadFailure) -> Header {
        guard offset >= 0, offset < bytes.count else { throw .empty }
        if transferSyntax.isDeflated {
            return try readDeflated(bytes, from: offset, limits: limits)
        }
        return try read(bytes, from: offset, declared: transferSyntax.encoding, limits: limits)
    }

    static func read(
        _ bytes: [UInt8], from offset: Int, declared: Encoding, limits: ReadLimits
    ) throws(ReadFailure) -> Header {
        var scanner = ElementScanner(bytes, limits: limits)
        let encoding = scanner.detectEncoding(at: offset, end: bytes.count, declared: declared)
        if encoding != declared { scanner.mark(.wrongTransferSyntax, nil, at: offset) }
        let scan = scanner.scan(from: offset, to: bytes.count, encoding: encoding, level: .dataSet)
        guard !scan.elements.isEmpty || scan.pixelData != nil else { throw .unreadable(offset: offset) }
        let dataSet = DataSet(
            bytes: bytes, elements: scan.elements, encoding: encoding, inherited: .default, limits: limits, depth: 0)
        if dataSet.characterSet.isUnknown {
            scanner.mark(.unknownCharacterSet, .specificCharacterSet, at: dataSet[.specificCharacterSet]?.offset ?? 0)
        }
        return Header(dataSet: dataSet, pixelData: scan.pixelData, flaws: scanner.flaws)
    }

    /// Inflates just enough to reach the pixel data: doubles the room until the header is whole or the limit is met.
    private static func readDeflated(
        _ bytes: [UInt8], from offset: Int, limits: ReadLimits
    ) throws(ReadFailure) -> Header {
        var room = min(256 << 10, limits.inflatedBytes)
        while true {
            guard let inflated = Inflate.raw(bytes, from: offset, limit: room), !inflated.bytes.isEmpty else {
                // Declared deflated, but sent as it is.
                if let header = try? read(bytes, from: offset, declared: .explicitLittle, limits: limits),
                    header.dataSet[.sopInstanceUID] != nil
                {
                    return header
                }
                throw .notDeflated(offset: offset)
            }
            let header = try read(inflated.bytes, from: 0, declared: .explicitLittle, limits: limits)
            if header.pixelData != nil || !header.isTruncated || inflated.isComplete || room >= limits.inflatedBytes {
                return header
            }
            room = min(room * 4, limits.inflatedBytes)
        }
    }
}
