// The bytes that frames are read from: the object as stored, or a little-endian copy where it must be read as a whole.

import Catalog
import DICOMCore
import DICOMImaging

/// A Part 10 object whose pixel data can be read by range.
struct PixelSource: Sendable {
    private enum Place: Sendable {
        case stored(StoredObject)
        case copy(TemporaryFile)
    }

    private let place: Place
    let dataSetOffset: Int
    let transferSyntax: TransferSyntax

    var length: Int64 {
        switch place {
        case .stored(let object): object.length
        case .copy(let file): file.length
        }
    }

    var isCopy: Bool {
        if case .copy = place { return true }
        return false
    }

    init(_ object: StoredObject, transferSyntax: TransferSyntax? = nil) {
        place = .stored(object)
        dataSetOffset = object.instance.dataSetOffset
        self.transferSyntax = transferSyntax ?? TransferSyntax(object.instance.transferSyntaxUID)
    }

    init(_ file: TemporaryFile, dataSetOffset: Int, transferSyntax: TransferSyntax) {
        place = .copy(file)
        self.dataSetOffset = dataSetOffset
        self.transferSyntax = transferSyntax
    }

    /// The copy as an object of its own.
    var object: ConvertedObject {
        get throws(RetrievalFailure) {
            guard case .copy(let file) = place else { throw .unreadable(reason: "no copy was made") }
            return ConvertedObject(file: file, dataSetOffset: dataSetOffset)
        }
    }

    func read(from offset: Int64, count: Int) throws(RetrievalFailure) -> [UInt8] {
        switch place {
        case .stored(let object): try object.read(from: offset, count: count)
        case .copy(let file): try file.read(from: offset, count: count)
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
    private static let mostInflated: Int64 = 4 << 30

    /// The object, or its little-endian copy when its data set is deflated or big endian.
    static func make(_ object: StoredObject, scratch: String) throws(RetrievalFailure) -> PixelSource {
        let stored = PixelSource(object)
        if stored.transferSyntax.isDeflated { return try inflated(stored, object.instance, scratch) }
        guard try stored.header().dataSet.encoding.isBigEndian else { return stored }
        var conversion = try ObjectConversion(
            source: stored, instance: object.instance, to: .explicitVRLittleEndian, scratch: scratch, codecs: nil)
        return try conversion.run()
    }

    private static func inflated(
        _ stored: PixelSource, _ instance: StoredInstance, _ scratch: String
    ) throws(RetrievalFailure) -> PixelSource {
        let file = try TemporaryFile(in: scratch)
        let preamble = Part10.header(
            sopClassUID: instance.sopClassUID, sopInstanceUID: instance.sopInstanceUID,
            transferSyntaxUID: TransferSyntax.explicitVRLittleEndian.uid)
        try file.append(preamble)
        var at = Int64(stored.dataSetOffset)
        let uid = instance.transferSyntaxUID
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
