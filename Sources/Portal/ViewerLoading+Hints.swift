// Which form of the images to ask for first when the line is thin.

import DICOMCore

extension ViewerLoading {
    /// Documents, measurements and other series without pixels.
    private static func rank(_ series: ViewerSeries) -> Int { series.image == nil ? 1 : 0 }

    init(_ series: [ViewerSeries]) {
        let largest = series.compactMap(Self.frame).max { $0.native < $1.native }
        let rendered = largest.map { Int64(Double($0.pixels) * Double(min($0.samples, 3)) * 0.12) }
        // Lossless wavelets halve medical images, more or less.
        let compact = largest.map { $0.isCompressed ? $0.stored : $0.native / 2 }
        steps = [
            Step(
                name: "rendered", template: "renderedURL", query: "quality=70", accept: "image/jpeg",
                bytesPerFrame: nil, estimatedBytesPerFrame: rendered),
            Step(
                name: "compact", template: "frameURL", query: nil,
                accept:
                    "multipart/related; type=\"image/jphc\"; transfer-syntax=\(TransferSyntax.htj2kLosslessRPCL.uid)",
                bytesPerFrame: nil, estimatedBytesPerFrame: compact),
            Step(
                name: "full", template: "frameURL", query: nil,
                accept: "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*",
                bytesPerFrame: largest?.stored, estimatedBytesPerFrame: nil),
        ]
        directAbove = largest.map { $0.stored * 80 }
        seriesOrder = series.enumerated()
            .sorted { left, right in
                (Self.rank(left.element), left.element.bytes, left.offset)
                    < (Self.rank(right.element), right.element.bytes, right.offset)
            }
            .map(\.element.seriesInstanceUID)
    }

    private struct Frame {
        let pixels: Int64
        let samples: Int64
        /// Uncompressed.
        let native: Int64
        /// As it lies in the archive.
        let stored: Int64
        let isCompressed: Bool
    }

    private static func frame(_ series: ViewerSeries) -> Frame? {
        guard let image = series.image else { return nil }
        return series.instances.compactMap { instance -> Frame? in
            guard let rows = instance.rows, let columns = instance.columns, instance.frames > 0,
                (1...1_000_000).contains(rows), (1...1_000_000).contains(columns)
            else { return nil }
            let samples = Int64(min(max(image.samplesPerPixel, 1), 4))
            let pixels = Int64(rows) * Int64(columns)
            let bytesPerSample = Int64((min(max(image.bitsAllocated, 1), 64) + 7) / 8)
            let native = pixels * samples * bytesPerSample
            let isCompressed = TransferSyntax(instance.transferSyntaxUID).isEncapsulated
            let stored = isCompressed ? instance.bytes / Int64(instance.frames) : native
            return Frame(pixels: pixels, samples: samples, native: native, stored: stored, isCompressed: isCompressed)
        }.max { $0.native < $1.native }
    }
}
