// Native samples into a codestream.

package import DICOMCore
internal import DICOMToolkit

extension FrameCodec {
    /// A frame in another transfer syntax, and how a data set must describe it. Without loss for every syntax that is
    /// lossless by its rules; baseline and extended JPEG take 8 and 12 bits with a quality of 1 to 100.
    package static func encode(
        _ native: NativeFrame, to transferSyntax: TransferSyntax, quality: Int = 90
    ) throws(ImagingFailure) -> NativeFrame {
        guard let entry = CodecTable.entry(transferSyntax.uid), entry.encodes else {
            throw .unsupported("no encoder for transfer syntax \(transferSyntax.uid)")
        }
        if entry.coding == .native { return native }
        var frame = try byPixel(native)
        guard !frame.layout.isFloatingPoint, frame.layout.bitsAllocated >= 8 else {
            throw .unsupported("samples of this kind in transfer syntax \(transferSyntax.uid)")
        }
        if entry.coding == .rle {
            return NativeFrame(bytes: try RLE.encode(frame.bytes, layout: frame.layout), layout: frame.layout)
        }
        guard frame.layout.bitsAllocated <= 16 else { throw .unsupported("\(frame.layout.bitsAllocated) bits") }
        let transforms = frame.layout.photometricInterpretation == .rgb
        let precision = precision(of: frame)
        switch entry.coding {
        case .jpeg2000:
            frame.bytes = try CodecLibrary.encode(
                .jpeg2000(transformsColour: transforms), frame.bytes, layout: frame.layout, precision: precision)
            if transforms { frame.layout.photometricInterpretation = .ybrRCT }
        case .htj2k:
            frame.bytes = try CodecLibrary.encode(
                .htj2k(transformsColour: transforms), frame.bytes, layout: frame.layout, precision: precision)
            if transforms { frame.layout.photometricInterpretation = .ybrRCT }
        case .jpegLS:
            frame.bytes = try CodecLibrary.encode(
                .jpegLS, frame.bytes, layout: frame.layout, precision: unsignedPrecision(frame, precision))
        case .jpegLossless:
            frame.bytes = try encodeToolkit(frame, precision: unsignedPrecision(frame, precision), quality: nil)
        case .jpeg: return try encodeLossy(frame, to: transferSyntax, quality: quality)
        case .native, .rle, .video: throw .unsupported("no encoder for transfer syntax \(transferSyntax.uid)")
        }
        return frame
    }

    private static func encodeLossy(
        _ native: NativeFrame, to transferSyntax: TransferSyntax, quality: Int
    ) throws(ImagingFailure) -> NativeFrame {
        var frame = native
        if frame.layout.bitsAllocated == 8, !frame.layout.isSigned {
            // libjpeg makes YCbCr of RGB; what is YCbCr already is brought to RGB first.
            if frame.layout.photometricInterpretation.isLuminanceChrominance {
                frame.bytes = ColorConversion.ybrFullToRGB(frame.bytes)
            }
            frame.bytes = try CodecLibrary.encode(
                .jpeg(quality: quality, isSubsampled: true), frame.bytes, layout: frame.layout, precision: 8)
            if frame.layout.samplesPerPixel == 3 { frame.layout.photometricInterpretation = .ybrFull422 }
            return frame
        }
        guard transferSyntax == .jpegExtended, frame.layout.samplesPerPixel == 1, !frame.layout.isSigned,
            precision(of: frame) <= 12
        else {
            throw .unsupported("samples of more than 8 bits, or signed ones, in transfer syntax \(transferSyntax.uid)")
        }
        frame.bytes = try encodeToolkit(frame, precision: 12, quality: quality)
        return frame
    }

    private static func encodeToolkit(
        _ frame: NativeFrame, precision: Int, quality: Int?
    ) throws(ImagingFailure) -> [UInt8] {
        try toolkit { () throws(ToolkitError) in
            try ToolkitJPEG.encode(
                frame.bytes, columns: frame.layout.columns, rows: frame.layout.rows,
                samplesPerPixel: frame.layout.samplesPerPixel, precision: precision, quality: quality)
        }
    }

    /// Bits that hold every sample with its sign: Bits Stored, or all bits where something else uses the others, such as
    /// an overlay. So no encoder here loses a bit.
    static func precision(of frame: NativeFrame) -> Int {
        let layout = frame.layout
        guard layout.bitsStored < layout.bitsAllocated, layout.highBit == layout.bitsStored - 1 else {
            return layout.bitsAllocated
        }
        let least = layout.isSigned ? -(1 << (layout.bitsStored - 1)) : 0
        let most = layout.isSigned ? 1 << (layout.bitsStored - 1) : 1 << layout.bitsStored
        let fits: Bool
        if layout.bitsAllocated == 8 {
            fits = frame.bytes.allSatisfy {
                let value = layout.isSigned ? Int(Int8(bitPattern: $0)) : Int($0)
                return value >= least && value < most
            }
        } else {
            fits = stride(from: 0, to: frame.bytes.count - 1, by: 2).allSatisfy { at in
                let raw = UInt16(frame.bytes[at]) | UInt16(frame.bytes[at + 1]) << 8
                let value = layout.isSigned ? Int(Int16(bitPattern: raw)) : Int(raw)
                return value >= least && value < most
            }
        }
        return fits ? layout.bitsStored : layout.bitsAllocated
    }

    /// Coders that know no sign see the bits of a signed sample as they are, all of them. Their samples take two bytes
    /// from a precision of 9 on.
    private static func unsignedPrecision(_ frame: NativeFrame, _ precision: Int) -> Int {
        if frame.layout.isSigned { return frame.layout.bitsAllocated }
        return frame.layout.bitsAllocated == 16 ? max(9, precision) : max(2, precision)
    }

    /// Samples in order of pixels.
    package static func byPixel(_ native: NativeFrame) throws(ImagingFailure) -> NativeFrame {
        let layout = native.layout
        guard layout.samplesPerPixel == 3 else { return native }
        guard layout.photometricInterpretation != .ybrFull422, layout.photometricInterpretation != .ybrPartial420 else {
            throw .unsupported("chrominance that is shared between pixels")
        }
        guard layout.isPlanar else { return native }
        let width = layout.bitsAllocated / 8
        let plane = layout.rows * layout.columns * width
        guard native.bytes.count >= plane * 3 else { throw .damaged("frame is too short") }
        var bytes = [UInt8](repeating: 0, count: plane * 3)
        for sample in 0..<3 {
            for pixel in 0..<layout.rows * layout.columns {
                for byte in 0..<width {
                    bytes[(pixel * 3 + sample) * width + byte] = native.bytes[sample * plane + pixel * width + byte]
                }
            }
        }
        return NativeFrame(bytes: bytes, layout: layout.interleaved)
    }
}
