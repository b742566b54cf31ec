// The bytes that frames are read from: the object as stored, or a little-endian copy where it must be read as a whole.

import Catalog
import DICOMCore
import DICOMImaging

/// What a Part 10 file says in front of its data set.
struct ObjectIdentity: Sendable {
    var sopClassUID: String
    var sopInstanceUID: String
    var transferSyntaxUID: String

    init(_ instance: StoredInstance) {
        sopClassUID = instance.sopClassUID
        sopInstanceUID = instance.sopInstanceUID
        transferSyntaxUID = instance.transferSyntaxUID
    }

    init(_ part10: Part10, _ header: DataSet) {
        sopClassUID = header.string(.sopClassUID) ?? part10.mediaStorageSOPClassUID ?? ""
        sopInstanceUID = header.string(.sopInstanceUID) ?? part10.mediaStorageSOPInstanceUID ?? ""
        transferSyntaxUID = part10.transferSyntax.uid
    }
}

/// A Part 10 object whose pixel data can be read by range.
struct PixelSource: Sendable {
    private indirect enum Place: Sendable {
        case stored(StoredObject)
        case file(OwnFile)
        case copy(OwnFile)
        /// Other bytes in front, then part of another.
        case rewritten(head: [UInt8], of: PixelSource, tail: Range<Int64>)
    }

    private let place: Place
    let dataSetOffset: Int
    let transferSyntax: TransferSyntax

    var length: Int64 {
        switch place {
        case .stored(let object): object.length
        case .file(let file), .copy(let file): file.length
        case .rewritten(let head, _, let tail): Int64(head.count) + tail.upperBound - tail.lowerBound
        }
    }

    var isCopy: Bool {
        if case .copy = place { return true }
        return false
    }

    init(_ object: StoredObject) {
        place = .stored(object)
        dataSetOffset = object.instance.dataSetOffset
        transferSyntax = TransferSyntax(object.instance.transferSyntaxUID)
    }

    /// A Part 10 file of the user.
    init(_ file: OwnFile, _ part10: Part10) {
        place = .file(file)
        dataSetOffset = part10.dataSetOffset
        transferSyntax = part10.transferSyntax
    }

    init(_ file: OwnFile, dataSetOffset: Int, transferSyntax: TransferSyntax) {
        place = .copy(file)
        self.dataSetOffset = dataSetOffset
        self.transferSyntax = transferSyntax
    }

    /// The bytes `tail` of another object behind a head that is new.
    init(rewriting source: PixelSource, head: [UInt8], dataSetOffset: Int, tail: Range<Int64>) {
        place = .rewritten(head: head, of: source, tail: tail)
        self.dataSetOffset = dataSetOffset
        transferSyntax = source.transferSyntax
    }

    /// The copy as an object of its own.
    var object: ConvertedObject {
        get throws(RetrievalFailure) {
            guard case .copy(let file) = place else { throw .unreadable(reason: "no copy was made") }
            return ConvertedObject(file: file, dataSetOffset: dataSetOffset, transferSyntax: transferSyntax)
        }
    }

    func read(from offset: Int64, count: Int) throws(RetrievalFailure) -> [UInt8] {
        switch place {
        case .stored(let object): return try object.read(from: offset, count: count)
        case .file(let file), .copy(let file): return try file.read(from: offset, count: count)
        case .rewritten(let head, let source, let tail):
            let behind = max(offset - Int64(head.count), 0)
            let own = offset < Int64(head.count) ? head[Int(offset)..<min(Int(offset) + count, head.count)] : []
            let rest = Int(min(Int64(count - own.count), tail.upperBound - tail.lowerBound - behind))
            guard rest > 0 else { return Array(own) }
            let bytes = try source.read(from: tail.lowerBound + behind, count: rest)
            return own.isEmpty ? bytes : own + bytes
        }
    }

    /// Everything before the pixel data; `most` bytes are looked at.
    func header(most: Int = 32 << 20) throws(RetrievalFailure) -> Header {
        // Most headers end within the first read; long ones (enhanced multi-frame) are read again, larger.
        var count = 64 << 10
        while true {
            let bytes = try read(from: 0, count: Int(min(Int64(count), length)))
            guard let header = try? HeaderReader.read(bytes, from: dataSetOffset, transferSyntax: transferSyntax) else {
                throw .unreadable(reason: "header")
            }
            if header.pixelData != nil || Int64(bytes.count) == length || count >= most { return header }
            count *= 8
        }
    }

    /// Bytes that a deflated object may grow to.
    private static let mostInflated: Int64 = 1 << 30

    /// The object, or its little-endian copy when its data set is deflated or big endian.
    func readable(_ identity: ObjectIdentity, scratch: String) throws(RetrievalFailure) -> PixelSource {
        if transferSyntax.isDeflated { return try Self.inflated(self, identity, scratch) }
        guard try header().dataSet.encoding.isBigEndian else { return self }
        var conversion = try ObjectConversion(
            source: self, identity: identity, to: .explicitVRLittleEndian, scratch: scratch, codecs: nil)
        return try conversion.run()
    }

    private static func inflated(
        _ stored: PixelSource, _ identity: ObjectIdentity, _ scratch: String
    ) throws(RetrievalFailure) -> PixelSource {
        let file = try OwnFile(in: scratch)
        let preamble = Part10.header(
            sopClassUID: identity.sopClassUID, sopInstanceUID: identity.sopInstanceUID,
            transferSyntaxUID: TransferSyntax.explicitVRLittleEndian.uid)
        try file.append(preamble)
        var at = Int64(stored.dataSetOffset)
        let uid = identity.transferSyntaxUID
        do throws(RetrievalFailure) {
            var stream = try inflater(uid)
            while at < stored.length, !stream.isFinished {
                let bytes = try stored.read(from: at, count: 1 << 18)
                try stream.put(bytes, onDamage: { RetrievalFailure($0, from: uid) }) { piece throws(RetrievalFailure) in
                    guard file.length + Int64(piece.count) <= mostInflated else {
                        throw .notConvertible(from: uid, reason: "deflated data set is too large")
                    }
                    try file.append(piece)
                }
                at += Int64(bytes.count)
            }
        } catch {
            // Declared deflated, but sent as it is.
            let plain = PixelSource(stored: stored, as: .explicitVRLittleEndian)
            guard file.length == Int64(preamble.count), let header = try? plain.header(),
                header.dataSet[.sopInstanceUID] != nil
            else { throw error }
            return plain
        }
        return PixelSource(file, dataSetOffset: preamble.count, transferSyntax: .explicitVRLittleEndian)
    }

    private init(stored: PixelSource, as transferSyntax: TransferSyntax) {
        place = stored.place
        dataSetOffset = stored.dataSetOffset
        self.transferSyntax = transferSyntax
    }

    private static func inflater(_ uid: String) throws(RetrievalFailure) -> DataSetStream {
        do throws(ImagingFailure) { return try DataSetStream(.inflate) } catch {
            throw RetrievalFailure(error, from: uid)
        }
    }
}
