// What turns pixels into other forms: worker processes, and a folder for what is made.

import DICOMCore
package import DICOMImaging

/// The codecs of an archive, in processes of their own, and room for temporary files.
package final class Converter: Sendable {
    /// The workers.
    package let codecs: CodecPool
    let scratch: String

    /// - Parameters:
    ///   - executable: this program; it is called as `executable codec-worker`.
    ///   - scratch: folder for temporary files.
    ///   - concurrency: workers at once.
    ///   - timeout: seconds that the work on one frame may take.
    package init(executable: String, scratch: String, concurrency: Int = 2, timeout: Int = 60) {
        codecs = CodecPool(executable: executable, workers: concurrency, timeout: timeout)
        self.scratch = scratch
    }
}

extension Converter {
    /// A whole object in a syntax without loss.
    func convert(
        _ stored: PixelSource, _ identity: ObjectIdentity, to transferSyntaxUID: String
    ) throws(RetrievalFailure) -> ConvertedObject {
        guard CodecTable.encodesLosslessly(transferSyntaxUID) else {
            throw .notConvertible(from: identity.transferSyntaxUID, reason: "no lossless encoder for the wanted syntax")
        }
        guard CodecTable.decodes(identity.transferSyntaxUID) else {
            throw .notConvertible(from: identity.transferSyntaxUID, reason: "no codec")
        }
        var conversion = try ObjectConversion(
            source: try stored.readable(identity, scratch: scratch), identity: identity,
            to: TransferSyntax(transferSyntaxUID), scratch: scratch, codecs: codecs)
        return try conversion.run().object
    }
}

/// A Part 10 file made for one asker.
package struct ConvertedObject: Sendable {
    private let file: OwnFile
    package let dataSetOffset: Int
    private let transferSyntax: TransferSyntax

    init(file: OwnFile, dataSetOffset: Int, transferSyntax: TransferSyntax) {
        self.file = file
        self.dataSetOffset = dataSetOffset
        self.transferSyntax = transferSyntax
    }

    /// Where the value of native pixel data lies.
    package func pixelData() throws(RetrievalFailure) -> Range<Int64> {
        guard let pixels = try source.header().pixelData, let count = pixels.length else {
            throw .unreadable(reason: "converted pixel data")
        }
        let start = Int64(pixels.valueOffset)
        return start..<max(start, min(start + Int64(count), length))
    }

    package var length: Int64 { file.length }

    var source: PixelSource { PixelSource(file, dataSetOffset: dataSetOffset, transferSyntax: transferSyntax) }

    package func read(from offset: Int64, count: Int) throws(RetrievalFailure) -> [UInt8] {
        try file.read(from: offset, count: count)
    }
}

extension RetrievalFailure {
    init(_ failure: ImagingFailure, from transferSyntaxUID: String) {
        switch failure {
        case .noSuchFrame: self = .absent
        case .busy: self = .busy
        case .unavailable(let reason): self = .unreadable(reason: reason)
        case .noPixels, .unsupported, .damaged, .workerLost:
            self = .notConvertible(from: transferSyntaxUID, reason: failure.reason)
        }
    }
}
