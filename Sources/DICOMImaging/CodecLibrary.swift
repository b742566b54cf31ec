// The calls into CImageCodecs: arrays in, arrays out.

internal import CImageCodecs

/// A codec of CImageCodecs. Blocks; for a process that a hostile image may kill.
enum CodecLibrary {
    enum Decoder { case jpeg(isYCC: Bool), jpeg2000, htj2k, jpegLS }
    enum Encoder {
        case jpeg(quality: Int, isSubsampled: Bool)
        case jpeg2000(transformsColour: Bool)
        case htj2k(transformsColour: Bool)
        case jpegLS
        case png
        case gif(frames: Int, delay: Int)
    }

    /// Samples by pixel of a frame whose bits allocated are 8 or 16.
    static func decode(_ decoder: Decoder, _ bytes: [UInt8], layout: PixelLayout) throws(ImagingFailure) -> [UInt8] {
        let size = layout.rows * layout.columns * layout.samplesPerPixel * layout.bitsAllocated / 8
        var samples = [UInt8](repeating: 0, count: size)
        var shape = shape(layout, precision: layout.bitsAllocated)
        var error = codec_error()
        let code = unsafe samples.withUnsafeMutableBufferPointer { out in
            unsafe bytes.withUnsafeBufferPointer { source in
                let (from, count, to, room) = (source.baseAddress, source.count, out.baseAddress, out.count)
                return switch decoder {
                case .jpeg(let isYCC):
                    unsafe codec_jpeg_decode(from, count, &shape, isYCC ? 1 : 0, to, room, &error)
                case .jpeg2000: unsafe codec_jpeg2000_decode(from, count, &shape, to, room, &error)
                case .htj2k: unsafe codec_htj2k_decode(from, count, &shape, to, room, &error)
                case .jpegLS: unsafe codec_jpegls_decode(from, count, &shape, to, room, &error)
                }
            }
        }
        try check(code, error)
        return samples
    }

    /// A codestream of samples by pixel.
    static func encode(
        _ encoder: Encoder, _ samples: [UInt8], layout: PixelLayout, precision: Int
    ) throws(ImagingFailure) -> [UInt8] {
        var shape = shape(layout, precision: precision)
        var error = codec_error()
        var output = unsafe codec_output()
        let code = unsafe samples.withUnsafeBufferPointer { source in
            let (from, count) = (source.baseAddress, source.count)
            return switch encoder {
            case .jpeg(let quality, let isSubsampled):
                unsafe codec_jpeg_encode(
                    from, count, &shape, Int32(quality), isSubsampled ? 1 : 0, &output, &error)
            case .jpeg2000(let transforms):
                unsafe codec_jpeg2000_encode(from, count, &shape, transforms ? 1 : 0, &output, &error)
            case .htj2k(let transforms):
                unsafe codec_htj2k_encode(from, count, &shape, transforms ? 1 : 0, &output, &error)
            case .jpegLS: unsafe codec_jpegls_encode(from, count, &shape, &output, &error)
            case .png: unsafe codec_png_encode(from, count, &shape, &output, &error)
            case .gif(let frames, let delay):
                unsafe codec_gif_encode(from, count, &shape, UInt32(frames), UInt32(delay), &output, &error)
            }
        }
        defer { unsafe codec_free(&output) }
        try check(code, error)
        return unsafe Array(UnsafeBufferPointer(start: output.bytes, count: output.count))
    }

    private static func shape(_ layout: PixelLayout, precision: Int) -> codec_layout {
        codec_layout(
            columns: UInt32(layout.columns), rows: UInt32(layout.rows), samples: UInt32(layout.samplesPerPixel),
            bits_allocated: UInt32(layout.bitsAllocated), precision: UInt32(precision),
            is_signed: layout.isSigned ? 1 : 0)
    }

    private static func check(_ code: Int32, _ error: codec_error) throws(ImagingFailure) {
        guard code != Int32(CODEC_OK) else { return }
        let text = unsafe withUnsafeBytes(of: error.text) { raw in
            unsafe String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
        }
        throw code == Int32(CODEC_UNSUPPORTED) ? .unsupported(text) : .damaged(text)
    }
}
