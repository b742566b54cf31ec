// JPEG frames that are lossless or have 12 bits a sample.
internal import CDCMTK

/// DCMTK's copies of libjpeg, one frame at a time. Blocks; for a process that a hostile image may kill.
package enum ToolkitJPEG {
    /// The samples of a frame, by pixel: of one byte up to a precision of 8, else of two in this machine's order.
    ///
    /// - Parameters:
    ///   - precision: as the frame header says.
    ///   - isYCC: YCbCr that is to become RGB.
    ///   - count: bytes that the frame header promises.
    package static func decode(
        _ bytes: [UInt8], precision: Int, isYCC: Bool, count: Int
    ) throws(ToolkitError) -> [UInt8] {
        var samples = [UInt8](repeating: 0, count: count)
        try unsafe ToolkitError.check { error in
            unsafe samples.withUnsafeMutableBufferPointer { out in
                unsafe bytes.withUnsafeBufferPointer { source in
                    unsafe phim_jpeg_decode(
                        source.baseAddress, source.count, Int32(precision), isYCC ? 1 : 0, out.baseAddress, out.count,
                        error)
                }
            }
        }
        return samples
    }

    /// A codestream of samples by pixel: lossless (process 14, selection value 1), or with a quality of 1 to 100
    /// sequential with 12 bits (process 2 and 4).
    package static func encode(
        _ samples: [UInt8], columns: Int, rows: Int, samplesPerPixel: Int, precision: Int, quality: Int? = nil
    ) throws(ToolkitError) -> [UInt8] {
        var made: UnsafeMutablePointer<UInt8>?
        var count = 0
        try unsafe ToolkitError.check { error in
            unsafe samples.withUnsafeBufferPointer { source in
                unsafe phim_jpeg_encode(
                    source.baseAddress, UInt16(clamping: columns), UInt16(clamping: rows),
                    UInt16(clamping: samplesPerPixel), Int32(precision), Int32(quality ?? 0), &made, &count, error)
            }
        }
        defer { unsafe phim_jpeg_free(made) }
        return unsafe Array(UnsafeBufferPointer(start: made, count: count))
    }
}
