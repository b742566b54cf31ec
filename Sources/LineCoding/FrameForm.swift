// How the samples of a frame were made small before a codec saw them, and how they are brought back.

import DICOMCore
import DICOMImaging

/// What codes a frame.
package enum FrameMethod: UInt8, Sendable, CaseIterable, Codable {
    /// High-Throughput JPEG 2000, reversible.
    case htj2k = 1
    /// JPEG-LS, lossless.
    case jpegLS = 2

    var transferSyntax: TransferSyntax { self == .htj2k ? .htj2kLossless : .jpegLSLossless }
}

/// Samples as a codec gets them: unsigned, from zero on, of as few bits as hold them.
struct FrameForm: Hashable {
    static let size = 17

    /// Nil: all samples are equal, and nothing is coded.
    var method: FrameMethod?
    var columns: Int
    var rows: Int
    /// Of a pixel, 1 or 3.
    var samples: Int
    /// Samples of the object are words of two bytes.
    var isWide: Bool
    /// All samples of one colour, then all of the next.
    var isPlanar = false
    /// Green is taken off red and blue, and 128 is added.
    var hasDifferences = false
    /// Bits that the coded samples have; up to 8 of them are coded as bytes.
    var bits: Int
    /// What was taken off each sample, modulo its size.
    var offset: UInt16 = 0
    /// Where the bits begin that are coded apart; 0 where none are.
    var split = 0
    /// Length of what is coded apart.
    var highLength = 0

    var sampleCount: Int { columns * rows * samples }
    /// Bytes of the frame in the object.
    var length: Int { sampleCount * (isWide ? 2 : 1) }
    var isCodedWide: Bool { bits > 8 }

    /// As the codec is told.
    var layout: PixelLayout {
        var layout = PixelLayout(
            rows: rows, columns: columns, bitsAllocated: isCodedWide ? 16 : 8, bitsStored: bits)
        layout.samplesPerPixel = samples
        // With differences no other transformation of colours helps.
        if samples == 3 { layout.photometricInterpretation = hasDifferences ? .ybrFull : .rgb }
        return layout
    }

    var bytes: [UInt8] {
        let flags: UInt8 = (isWide ? 1 : 0) | (isPlanar ? 2 : 0) | (hasDifferences ? 4 : 0)
        return [method?.rawValue ?? 0, flags, UInt8(samples), UInt8(bits), UInt8(split)]
            + LineFormat.number(UInt16(columns)) + LineFormat.number(UInt16(rows)) + LineFormat.number(offset)
            + LineFormat.number(UInt32(highLength)) + [0, 0]
    }

    init(columns: Int, rows: Int, samples: Int, isWide: Bool, bits: Int) {
        self.columns = columns
        self.rows = rows
        self.samples = samples
        self.isWide = isWide
        self.bits = bits
    }

    /// Nil for what contradicts itself.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= Self.size, bytes[0] <= 2, bytes[1] < 8, bytes[2] == 1 || bytes[2] == 3 else { return nil }
        method = FrameMethod(rawValue: bytes[0])
        isWide = bytes[1] & 1 != 0
        isPlanar = bytes[1] & 2 != 0
        hasDifferences = bytes[1] & 4 != 0
        samples = Int(bytes[2])
        bits = Int(bytes[3])
        split = Int(bytes[4])
        columns = Int(LineFormat.read(bytes, at: 5, 2))
        rows = Int(LineFormat.read(bytes, at: 7, 2))
        offset = UInt16(LineFormat.read(bytes, at: 9, 2))
        highLength = Int(LineFormat.read(bytes, at: 11, 4))
        guard columns > 0, rows > 0, (1...16).contains(bits), isWide || bits <= 8, split == 0 || isWide,
            split == 0 || (8..<16).contains(split), !hasDifferences || samples == 3 && !isWide,
            highLength <= LineFormat.longestPiece * 8, split != 0 || highLength == 0, length <= LineFormat.largestFrame
        else { return nil }
    }
}

// MARK: - There

extension FrameForm {
    /// Looks at a frame's samples: nil where a codec is of no use to them.
    /// - Parameter stored: the bits that the object says its samples have.
    static func of(_ frame: [UInt8], _ layout: PixelLayout) -> FrameForm? {
        let isWide = layout.bitsAllocated == 16
        guard layout.bitsAllocated == 8 || isWide, !layout.isFloatingPoint, layout.columns <= 65_535,
            layout.rows <= 65_535, layout.samplesPerPixel == 1 || layout.samplesPerPixel == 3 && !isWide
        else { return nil }
        var form = FrameForm(
            columns: layout.columns, rows: layout.rows, samples: layout.samplesPerPixel, isWide: isWide, bits: 8)
        guard form.length == frame.count, form.length <= LineFormat.largestFrame else { return nil }
        form.isPlanar = layout.isPlanar
        if form.samples == 3 { return form }
        if !isWide {
            let (least, most) = frame.reduce(into: (UInt8.max, UInt8.min)) { range, sample in
                range = (min(range.0, sample), max(range.1, sample))
            }
            form.offset = UInt16(least)
            form.bits = width(UInt16(most - least))
            return form
        }
        let range = WordRange(frame, mask: .max)
        (form.offset, form.bits) = range.fit
        // Something else uses the upper bits, such as an overlay: it is no part of the picture.
        let stored = layout.bitsStored
        if form.bits > stored, (8..<16).contains(stored), layout.highBit == stored - 1 {
            form.split = stored
            (form.offset, form.bits) = WordRange(frame, mask: (1 << UInt16(stored)) - 1).fit
        }
        return form
    }

    static func width(_ span: UInt16) -> Int { max(1, UInt16.bitWidth - span.leadingZeroBitCount) }

    /// What the codec is given.
    func reduced(_ frame: [UInt8]) -> [UInt8] {
        if samples == 3 { return colours(frame) }
        let count = sampleCount
        let offset = offset
        guard isWide else {
            let less = UInt8(truncatingIfNeeded: offset)
            return frame.map { $0 &- less }
        }
        let mask: UInt16 = split == 0 ? .max : (1 << UInt16(split)) - 1
        let isCodedWide = isCodedWide
        return unsafe [UInt8](unsafeUninitializedCapacity: count * (isCodedWide ? 2 : 1)) { out, initialized in
            unsafe frame.withUnsafeBytes { source in
                for index in 0..<count {
                    let word = UInt16(
                        littleEndian: unsafe source.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
                    let value = (word & mask) &- offset
                    if isCodedWide {
                        unsafe out.initializeElement(at: 2 * index, to: UInt8(truncatingIfNeeded: value))
                        unsafe out.initializeElement(at: 2 * index + 1, to: UInt8(truncatingIfNeeded: value >> 8))
                    } else {
                        unsafe out.initializeElement(at: index, to: UInt8(truncatingIfNeeded: value))
                    }
                }
            }
            initialized = count * (isCodedWide ? 2 : 1)
        }
    }

    /// The bits that are coded apart, a byte a sample.
    func high(_ frame: [UInt8]) -> [UInt8] {
        guard split > 0 else { return [] }
        return (0..<sampleCount).map { index in
            UInt8(truncatingIfNeeded: (UInt16(frame[2 * index]) | UInt16(frame[2 * index + 1]) << 8) >> UInt16(split))
        }
    }

    private func colours(_ frame: [UInt8]) -> [UInt8] {
        var pixels = frame
        let plane = columns * rows
        if isPlanar {
            for index in 0..<plane {
                for sample in 0..<3 { pixels[3 * index + sample] = frame[sample * plane + index] }
            }
        }
        guard hasDifferences else { return pixels }
        for at in stride(from: 0, to: pixels.count, by: 3) {
            pixels[at] = pixels[at] &- pixels[at + 1] &+ 128
            pixels[at + 2] = pixels[at + 2] &- pixels[at + 1] &+ 128
        }
        return pixels
    }
}

// MARK: - And back

extension FrameForm {
    /// The frame's bytes again; nil where what came is not as long as this form says.
    func restored(_ coded: [UInt8], high: [UInt8]) -> [UInt8]? {
        let count = sampleCount
        guard coded.count == count * (isCodedWide ? 2 : 1), split == 0 || high.count == count else { return nil }
        if samples == 3 { return colours(restoring: coded) }
        guard isWide else {
            let more = UInt8(truncatingIfNeeded: offset)
            return coded.map { $0 &+ more }
        }
        let mask: UInt16 = split == 0 ? .max : (1 << UInt16(split)) - 1
        let (isCodedWide, offset, split) = (isCodedWide, offset, split)
        return unsafe [UInt8](unsafeUninitializedCapacity: count * 2) { out, initialized in
            for index in 0..<count {
                var word =
                    isCodedWide
                    ? UInt16(coded[2 * index]) | UInt16(coded[2 * index + 1]) << 8 : UInt16(coded[index])
                word = (word &+ offset) & mask
                if split > 0 { word |= UInt16(high[index]) << UInt16(split) }
                unsafe out.initializeElement(at: 2 * index, to: UInt8(truncatingIfNeeded: word))
                unsafe out.initializeElement(at: 2 * index + 1, to: UInt8(truncatingIfNeeded: word >> 8))
            }
            initialized = count * 2
        }
    }

    private func colours(restoring coded: [UInt8]) -> [UInt8] {
        var pixels = coded
        if hasDifferences {
            for at in stride(from: 0, to: pixels.count, by: 3) {
                pixels[at] = pixels[at] &+ pixels[at + 1] &- 128
                pixels[at + 2] = pixels[at + 2] &+ pixels[at + 1] &- 128
            }
        }
        guard isPlanar else { return pixels }
        var planes = pixels
        let plane = columns * rows
        for index in 0..<plane {
            for sample in 0..<3 { planes[sample * plane + index] = pixels[3 * index + sample] }
        }
        return planes
    }
}

/// The least and the greatest word of a frame, taken as without and as with a sign.
private struct WordRange {
    private var unsigned = (least: UInt16.max, most: UInt16.min)
    private var signed = (least: Int16.max, most: Int16.min)

    init(_ frame: [UInt8], mask: UInt16) {
        var (unsigned, signed) = (self.unsigned, self.signed)
        unsafe frame.withUnsafeBytes { source in
            for index in 0..<source.count / 2 {
                let word =
                    UInt16(littleEndian: unsafe source.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)) & mask
                unsigned = (min(unsigned.least, word), max(unsigned.most, word))
                let value = Int16(bitPattern: word)
                signed = (min(signed.least, value), max(signed.most, value))
            }
        }
        (self.unsigned, self.signed) = (unsigned, signed)
    }

    /// What to take off so that the fewest bits are left, and how many these are.
    var fit: (offset: UInt16, bits: Int) {
        let plain = unsigned.most - unsigned.least
        let other = UInt16(bitPattern: signed.most) &- UInt16(bitPattern: signed.least)
        return other < plain
            ? (UInt16(bitPattern: signed.least), FrameForm.width(other))
            : (unsigned.least, FrameForm.width(plain))
    }
}
