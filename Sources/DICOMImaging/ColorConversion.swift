// Colours of every photometric interpretation as RGB of 8 bits (PS3.3 Section C.7.6.3.1.2).

enum ColorConversion {
    /// YCbCr by pixel as RGB by pixel.
    static func ybrFullToRGB(_ bytes: [UInt8]) -> [UInt8] {
        var out = bytes
        var at = 0
        while at + 2 < bytes.count {
            (out[at], out[at + 1], out[at + 2]) = rgb(bytes[at], bytes[at + 1], bytes[at + 2])
            at += 3
        }
        return out
    }

    /// Two pixels share their chrominance: Y Y Cb Cr.
    static func ybr422ToRGB(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count / 4 * 6)
        var at = 0
        while at + 3 < bytes.count {
            for luminance in [bytes[at], bytes[at + 1]] {
                let (red, green, blue) = rgb(luminance, bytes[at + 2], bytes[at + 3])
                out.append(red)
                out.append(green)
                out.append(blue)
            }
            at += 4
        }
        return out
    }

    /// The inverse of the equations of PS3.3 Section C.7.6.3.1.2, in fixed point with 16 bits of fraction.
    @inline(__always)
    static func rgb(_ y: UInt8, _ cb: UInt8, _ cr: UInt8) -> (UInt8, UInt8, UInt8) {
        let luminance = Int32(y) << 16
        let blue = Int32(cb) - 128
        let red = Int32(cr) - 128
        let half: Int32 = 1 << 15
        return (
            UInt8(clamping: (luminance + 91_881 * red + half) >> 16),
            UInt8(clamping: (luminance - 22_554 * blue - 46_802 * red + half) >> 16),
            UInt8(clamping: (luminance + 116_130 * blue + half) >> 16)
        )
    }

    /// RGB of 8 bits of a decoded frame.
    static func rgb(_ frame: NativeFrame, palette: Palette?) throws(ImagingFailure) -> [UInt8] {
        let layout = frame.layout
        if layout.photometricInterpretation == .paletteColor {
            guard let palette else { throw .damaged("no palette") }
            return try look(up: palette, frame)
        }
        if layout.photometricInterpretation == .ybrFull422 {
            guard layout.bitsAllocated == 8 else { throw .unsupported("YBR_FULL_422 of more than 8 bits") }
            return ybr422ToRGB(frame.bytes)
        }
        let samples = try narrowed(FrameCodec.byPixel(frame))
        return layout.photometricInterpretation == .ybrFull ? ybrFullToRGB(samples) : samples
    }

    /// The upper 8 stored bits of each sample.
    private static func narrowed(_ frame: NativeFrame) throws(ImagingFailure) -> [UInt8] {
        let layout = frame.layout
        switch layout.bitsAllocated {
        case 8 where layout.bitsStored == 8: return frame.bytes
        case 8:
            let most = (1 << layout.bitsStored) - 1
            return frame.bytes.map { UInt8((Int($0) & most) * 255 / most) }
        case 16:
            let low = layout.highBit + 1 - layout.bitsStored
            let most = (1 << layout.bitsStored) - 1
            return stride(from: 0, to: frame.bytes.count - 1, by: 2).map { at in
                let word = Int(frame.bytes[at]) | Int(frame.bytes[at + 1]) << 8
                return UInt8((word >> low & most) * 255 / most)
            }
        case 32:
            let reader = SampleReader(layout)
            return (0..<frame.bytes.count / 4).map {
                UInt8((reader.raw(frame.bytes, $0) >> reader.shift & reader.mask) * 255 / reader.mask)
            }
        default: throw .unsupported("colour of \(layout.bitsAllocated) bits a sample")
        }
    }

    private static func look(up palette: Palette, _ frame: NativeFrame) throws(ImagingFailure) -> [UInt8] {
        let tables = palette.bytes
        let reader = SampleReader(frame.layout)
        guard frame.layout.bitsAllocated <= 16 else { throw .unsupported("palette indices of more than 16 bits") }
        let count = frame.layout.rows * frame.layout.columns
        var out = [UInt8](repeating: 0, count: count * 3)
        for pixel in 0..<count {
            let index = reader.stored(frame.bytes, pixel) - palette.red.firstMapped
            out[pixel * 3] = tables.red[index.clamped(to: 0...tables.red.count - 1)]
            out[pixel * 3 + 1] = tables.green[index.clamped(to: 0...tables.green.count - 1)]
            out[pixel * 3 + 2] = tables.blue[index.clamped(to: 0...tables.blue.count - 1)]
        }
        return out
    }
}

/// Takes integer samples of a native frame apart.
struct SampleReader {
    let bitsAllocated: Int
    let shift: Int
    let mask: Int
    let signBit: Int

    init(_ layout: PixelLayout) {
        bitsAllocated = layout.bitsAllocated
        shift = layout.highBit + 1 - layout.bitsStored
        mask = layout.bitsStored >= 32 ? 0xFFFF_FFFF : (1 << layout.bitsStored) - 1
        signBit = layout.isSigned ? 1 << (layout.bitsStored - 1) : 0
    }

    /// Bits of a sample as they lie in memory.
    @inline(__always)
    func raw(_ bytes: [UInt8], _ index: Int) -> Int {
        switch bitsAllocated {
        case 1: Int(bytes[index >> 3] >> UInt8(index & 7) & 1)
        case 8: Int(bytes[index])
        case 16: Int(bytes[index * 2]) | Int(bytes[index * 2 + 1]) << 8
        default: (0..<4).reduce(0) { $0 | Int(bytes[index * 4 + $1]) << (8 * $1) }
        }
    }

    /// The stored value, with its sign.
    @inline(__always)
    func stored(_ bytes: [UInt8], _ index: Int) -> Int {
        let value = raw(bytes, index) >> shift & mask
        return (value ^ signBit) - signBit
    }
}
