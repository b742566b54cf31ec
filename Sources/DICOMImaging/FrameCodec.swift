// One frame from any transfer syntax into native samples and back (PS3.5 Section 8.2).

package import DICOMCore
internal import DICOMToolkit

/// A frame of native samples, little endian, and how they lie.
package struct NativeFrame: Sendable, Equatable {
    package var bytes: [UInt8]
    package var layout: PixelLayout

    package init(bytes: [UInt8], layout: PixelLayout) {
        self.bytes = bytes
        self.layout = layout
    }
}

/// The decoders, by what the pixels are coded in and by what the codestream says. Runs the codec in this process: only
/// workers and tests call it.
package enum FrameCodec {
    /// Largest decoded frame: eight thousand by eight thousand samples of 16 bits.
    package static let largestFrame = 128 << 20

    /// Samples of a frame: by pixel, colour of a lossy JPEG as RGB, all else as encoded. Frames of single bits come packed,
    /// from the first bit on.
    package static func decode(
        _ bytes: [UInt8], from transferSyntax: TransferSyntax, layout: PixelLayout
    ) throws(ImagingFailure) -> NativeFrame {
        guard let entry = CodecTable.entry(transferSyntax.uid), entry.decodes else {
            throw .unsupported("no decoder for transfer syntax \(transferSyntax.uid)")
        }
        guard layout.bytesPerFrame <= largestFrame else { throw .unsupported("frame is too large") }
        if entry.coding == .native {
            guard bytes.count >= layout.bytesPerFrame else { throw .damaged("frame is too short") }
            return NativeFrame(
                bytes: bytes.count == layout.bytesPerFrame ? bytes : Array(bytes.prefix(layout.bytesPerFrame)),
                layout: layout)
        }
        guard !layout.isFloatingPoint else { throw .unsupported("compressed floating point") }
        if layout.bitsAllocated == 1 {
            var wide = layout
            wide.bitsAllocated = 8
            let frame = try decodeSamples(bytes, entry.coding, wide)
            return NativeFrame(bytes: pack(frame.bytes), layout: layout)
        }
        return try decodeSamples(bytes, entry.coding, layout)
    }

    private static func decodeSamples(
        _ bytes: [UInt8], _ coding: PixelCoding, _ stored: PixelLayout
    ) throws(ImagingFailure) -> NativeFrame {
        var layout = stored.interleaved
        if coding == .rle { return NativeFrame(bytes: try RLE.decode(bytes, layout: layout), layout: layout) }
        guard layout.bitsAllocated <= 16 else { throw .unsupported("\(layout.bitsAllocated) bits in this syntax") }
        switch coding {
        case .jpeg2000, .htj2k:
            // A component transformation is undone by the decoder (PS3.5 Section 8.2.4).
            if layout.photometricInterpretation == .ybrRCT || layout.photometricInterpretation == .ybrICT {
                layout.photometricInterpretation = .rgb
            }
            let decoder: CodecLibrary.Decoder = isHighThroughput(bytes) ? .htj2k : .jpeg2000
            return NativeFrame(bytes: try CodecLibrary.decode(decoder, bytes, layout: layout), layout: layout)
        default: return try decodeJPEG(bytes, layout)
        }
    }

    /// What the codestream says decides: objects whose syntax names another process of the family are common.
    private static func decodeJPEG(_ bytes: [UInt8], _ stored: PixelLayout) throws(ImagingFailure) -> NativeFrame {
        var layout = stored
        guard let header = JPEGFrameHeader(bytes) else { throw .damaged("no JPEG frame header") }
        guard header.rows == layout.rows, header.columns == layout.columns, header.components == layout.samplesPerPixel,
            header.precision <= layout.bitsAllocated
        else { throw .damaged("codestream contradicts the image attributes") }
        switch header.process {
        case .jpegLS:
            return NativeFrame(bytes: try CodecLibrary.decode(.jpegLS, bytes, layout: layout), layout: layout)
        case .lossy where header.precision == 8:
            let isYCC = isLuminanceChrominance(header, layout)
            if layout.samplesPerPixel == 3 { layout.photometricInterpretation = .rgb }
            let samples = try CodecLibrary.decode(.jpeg(isYCC: isYCC), bytes, layout: layout)
            return NativeFrame(bytes: samples, layout: layout)
        case .lossy, .lossless:
            let isYCC = header.process == .lossy && isLuminanceChrominance(header, layout)
            if isYCC { layout.photometricInterpretation = .rgb }
            let samples = layout.rows * layout.columns * layout.samplesPerPixel
            let wide = header.precision > 8
            let decoded = try toolkit { () throws(ToolkitError) in
                try ToolkitJPEG.decode(
                    bytes, precision: header.precision, isYCC: isYCC, count: samples * (wide ? 2 : 1))
            }
            let bytes = wide || layout.bitsAllocated == 8 ? decoded : decoded.flatMap { [$0, 0] }
            return NativeFrame(bytes: bytes, layout: layout)
        }
    }

    /// Whether three components are YCbCr: as the codestream's application markers say, else as the data set does.
    private static func isLuminanceChrominance(_ header: JPEGFrameHeader, _ layout: PixelLayout) -> Bool {
        guard layout.samplesPerPixel == 3 else { return false }
        if let transform = header.adobeTransform { return transform != 0 }
        return header.isJFIF || layout.photometricInterpretation.isLuminanceChrominance
    }

    /// Whether a codestream has the marker of Part 15 (CAP) behind its size marker.
    private static func isHighThroughput(_ bytes: [UInt8]) -> Bool {
        guard bytes.starts(with: [0xFF, 0x4F, 0xFF, 0x51]), bytes.count > 8 else { return false }
        let next = 4 + (Int(bytes[4]) << 8 | Int(bytes[5]))
        return next + 1 < bytes.count && bytes[next] == 0xFF && bytes[next + 1] == 0x50
    }

    static func toolkit<Value>(_ body: () throws(ToolkitError) -> Value) throws(ImagingFailure) -> Value {
        do throws(ToolkitError) { return try body() } catch {
            if case .unsupported(let text) = error { throw .unsupported(text) }
            throw .damaged("JPEG codestream is damaged or of an unknown kind")
        }
    }

    /// One byte a sample becomes one bit, the first in the lowest (PS3.5 Section 8.1.1).
    private static func pack(_ samples: [UInt8]) -> [UInt8] {
        var bits = [UInt8](repeating: 0, count: (samples.count + 7) / 8)
        for (index, sample) in samples.enumerated() where sample != 0 { bits[index / 8] |= 1 << (index % 8) }
        return bits
    }
}
