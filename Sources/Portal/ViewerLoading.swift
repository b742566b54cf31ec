// How to load a series over a thin line: something at once, then something to read, then everything.

import DICOMCore

/// The plan for one series.
package struct ViewerLoading: Encodable, Sendable {
    package enum Name: String, Encodable, Sendable { case thumbnail, rendered, full }

    package struct Stage: Encodable, Sendable {
        package let name: Name
        /// `{object}` stands for the `object` of an instance, `{frame}` for a number from 1.
        package let template: String
        /// What to send as Accept.
        package let accept: String
        package let transferSyntaxUID: String?
        /// Of one answer on average, and of all answers of the stage.
        package let bytesPerAnswer: Int
        package let bytes: Int
        /// Whether the bytes are guessed from the size of the images; otherwise they are those that are stored.
        package let isEstimate: Bool
    }

    /// Positions in `items`, the middle first, then outwards: the middle slice is what one looks for.
    package let order: [Int]
    package let stages: [Stage]

    /// Frames as they would be without compression.
    package struct Frames: Sendable {
        let rows: Int
        let columns: Int
        let samplesPerPixel: Int
        let bitsAllocated: Int
        let count: Int

        package init(rows: Int, columns: Int, samplesPerPixel: Int, bitsAllocated: Int, count: Int) {
            self.rows = rows
            self.columns = columns
            self.samplesPerPixel = samplesPerPixel
            self.bitsAllocated = bitsAllocated
            self.count = count
        }

        var pixels: Int { rows * columns }
        var bytes: Int { (pixels * samplesPerPixel * bitsAllocated + 7) / 8 }
    }

    static let thumbnailSize = 128
    /// The longer side of what is rendered to be read on the way.
    static let renderedSize = 512
    static let quality = 70

    /// - Parameters:
    ///   - storedBytes: of all objects of the series.
    ///   - stored: the transfer syntaxes of its instances.
    ///   - series: where the series is.
    package init(items: Int, frames: Frames, storedBytes: Int64, stored: Set<String>, series: String) {
        order = Self.fromTheMiddle(items)
        let colours = frames.samplesPerPixel > 1 ? 2 : 1
        let thumbnail = Self.jpegBytes(frames, longest: Self.thumbnailSize) * colours
        let rendered = Self.jpegBytes(frames, longest: Self.renderedSize) * colours
        let (width, height) = Self.fitted(frames, longest: Self.renderedSize)
        stages = [
            Stage(
                name: .thumbnail, template: "\(series)/thumbnail?viewport=\(Self.thumbnailSize),\(Self.thumbnailSize)",
                accept: "image/jpeg", transferSyntaxUID: nil, bytesPerAnswer: thumbnail, bytes: thumbnail,
                isEstimate: true),
            Stage(
                name: .rendered,
                template: "{object}/frames/{frame}/rendered?viewport=\(width),\(height)&quality=\(Self.quality)",
                accept: "image/jpeg", transferSyntaxUID: nil, bytesPerAnswer: rendered,
                bytes: Self.times(rendered, frames.count), isEstimate: true),
            Self.full(frames, storedBytes: storedBytes, stored: stored),
        ]
    }

    /// Uncompressed images are asked for in HTJ2K, which decodes in resolutions; others as they are stored.
    private static func full(_ frames: Frames, storedBytes: Int64, stored: Set<String>) -> Stage {
        let isNative = stored.allSatisfy { !TransferSyntax($0).isEncapsulated }
        guard isNative else {
            let bytes = Int(storedBytes)
            let one = stored.count == 1 ? stored.first : nil
            return Stage(
                name: .full, template: "{object}/frames/{frame}",
                accept: #"multipart/related; type="application/octet-stream"; transfer-syntax=*"#,
                transferSyntaxUID: one, bytesPerAnswer: bytes / max(frames.count, 1), bytes: bytes, isEstimate: false)
        }
        let uid = TransferSyntax.htj2kLosslessRPCL.uid
        // Half, which is what lossless coding makes of CT and MR of 12 significant bits in 16.
        let bytes = frames.bytes / 2
        return Stage(
            name: .full, template: "{object}/frames/{frame}",
            accept: #"multipart/related; type="image/jphc"; transfer-syntax=\#(uid)"#, transferSyntaxUID: uid,
            bytesPerAnswer: bytes, bytes: times(bytes, frames.count), isEstimate: true)
    }

    /// Sizes come from untrusted headers: what does not fit is as large as can be.
    private static func times(_ left: Int, _ right: Int) -> Int {
        let product = left.multipliedReportingOverflow(by: right)
        return product.overflow ? .max : product.partialValue
    }

    /// A quarter of a byte per pixel: what JPEG of this quality makes of a grey image with some noise.
    private static func jpegBytes(_ frames: Frames, longest: Int) -> Int {
        let (width, height) = fitted(frames, longest: longest)
        return 1_000 + width * height / 4
    }

    /// Width and height within a square; never larger than the image.
    static func fitted(_ frames: Frames, longest: Int) -> (width: Int, height: Int) {
        let side = max(frames.rows, frames.columns, 1)
        guard side > longest else { return (max(frames.columns, 1), max(frames.rows, 1)) }
        return (max(1, frames.columns * longest / side), max(1, frames.rows * longest / side))
    }

    /// 0 to count - 1, beginning in the middle.
    package static func fromTheMiddle(_ count: Int) -> [Int] {
        let middle = count / 2
        return (0..<count).sorted { left, right in
            let (a, b) = (abs(left - middle), abs(right - middle))
            return (a, right) < (b, left)
        }
    }
}
