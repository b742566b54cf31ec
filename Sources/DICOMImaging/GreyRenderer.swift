// Grey frames: samples through modality, VOI and presentation into 8 or 16 bits (PS3.4 Section N.2).

/// The transformations of one grey frame, ready to be applied.
struct GreyRenderer {
    var modality: ModalityTransform
    /// Nil: from the least to the greatest value of the frame.
    var voi: VOITransform?
    var padding: ClosedRange<Int>?
    /// White for small values.
    var isInverse: Bool
    /// Presentation LUT of a presentation state (PS3.3 Section C.11.6).
    var presentation: LookupTable?

    /// The picture of a frame, one level per pixel.
    func render<Sample: FixedWidthInteger & UnsignedInteger>(
        _ frame: NativeFrame, as type: Sample.Type
    ) -> [Sample] {
        frame.layout.isFloatingPoint || frame.layout.bitsAllocated > 16
            ? wide(frame, type) : narrow(frame, type)
    }

    /// At most 16 bits: one table for all stored values that occur.
    private func narrow<Sample: FixedWidthInteger & UnsignedInteger>(
        _ frame: NativeFrame, _ type: Sample.Type
    ) -> [Sample] {
        let reader = SampleReader(frame.layout)
        let count = frame.layout.rows * frame.layout.columns
        // With a window and few values a table of all costs less than looking which occur.
        let values = frame.layout.isSigned ? -(reader.mask + 1) / 2...reader.mask / 2 : 0...reader.mask
        let occurring =
            voi != nil && frame.layout.bitsStored <= 13
            ? (all: values, shown: values) : range(frame.bytes, reader, count)
        // Eight bits without a window mean what they say; more bits are rarely all used.
        let isPlain = frame.layout.bitsStored <= 8 && modality == .identity && !frame.layout.isSigned
        let shown = isPlain ? 0...reader.mask : occurring.shown
        let window = voi ?? .window(automatic(shown))
        var table = [Sample](repeating: 0, count: occurring.all.count)
        for stored in occurring.all {
            if let padding, padding.contains(stored) { continue }
            table[stored - occurring.all.lowerBound] = level(Double(stored), window)
        }
        let least = occurring.all.lowerBound
        if frame.layout.bitsAllocated == 16 {
            return WordSamples(frame.bytes, reader, count: count).mapped(by: table, from: least)
        }
        return (0..<count).map { table[reader.stored(frame.bytes, $0) - least] }
    }

    private func range(
        _ bytes: [UInt8], _ reader: SampleReader, _ count: Int
    ) -> (all: ClosedRange<Int>, shown: ClosedRange<Int>) {
        let all: ClosedRange<Int>
        if reader.bitsAllocated == 16 {
            all = WordSamples(bytes, reader, count: count).range()
        } else {
            let values = (0..<count).lazy.map { reader.stored(bytes, $0) }
            let ends = values.reduce((Int.max, Int.min)) { (min($0.0, $1), max($0.1, $1)) }
            all = ends.0...ends.1
        }
        guard voi == nil, let padding, all.overlaps(padding) else { return (all, all) }
        // Padding is no part of the image: the window is that of the rest.
        var (shownLeast, shownMost) = (Int.max, Int.min)
        for index in 0..<count {
            let value = reader.stored(bytes, index)
            if padding.contains(value) { continue }
            shownLeast = min(shownLeast, value)
            shownMost = max(shownMost, value)
        }
        return (all, shownLeast <= shownMost ? shownLeast...shownMost : all)
    }

    /// Everything between two stored values.
    private func automatic(_ stored: ClosedRange<Int>) -> VOIWindow {
        let ends = [modality.apply(Double(stored.lowerBound)), modality.apply(Double(stored.upperBound))]
        return VOIWindow(from: min(ends[0], ends[1]), through: max(ends[0], ends[1]))
    }

    @inline(__always)
    private func level<Sample: FixedWidthInteger & UnsignedInteger>(
        _ stored: Double, _ window: VOITransform
    ) -> Sample {
        var value = window.apply(modality.apply(stored))
        if let presentation {
            let input = presentation.firstMapped + Int((value * Double(presentation.entries.count - 1)).rounded())
            value = Double(presentation.value(input)) / Double(presentation.largest)
        }
        if isInverse { value = 1 - value }
        return Sample((value.clamped(to: 0...1) * Double(Sample.max)).rounded())
    }

    /// 32 and 64 bits, integers or floating point: sample by sample.
    private func wide<Sample: FixedWidthInteger & UnsignedInteger>(
        _ frame: NativeFrame, _ type: Sample.Type
    ) -> [Sample] {
        let count = frame.layout.rows * frame.layout.columns
        let values = (0..<count).map { stored(frame, $0) }
        let finite = values.lazy.filter { value in
            value.isFinite && !(padding.map { Double($0.lowerBound)...Double($0.upperBound) ~= value } ?? false)
        }
        let (least, most) = finite.reduce((Double.infinity, -Double.infinity)) { (min($0.0, $1), max($0.1, $1)) }
        let ends = least <= most ? [modality.apply(least), modality.apply(most)] : [0, 1]
        let window = voi ?? .window(VOIWindow(from: min(ends[0], ends[1]), through: max(ends[0], ends[1])))
        return values.map { value in
            if !value.isFinite || (padding.map { Double($0.lowerBound)...Double($0.upperBound) ~= value } ?? false) {
                return 0
            }
            return level(value, window)
        }
    }

    private func stored(_ frame: NativeFrame, _ index: Int) -> Double {
        guard frame.layout.isFloatingPoint else {
            return Double(SampleReader(frame.layout).stored(frame.bytes, index))
        }
        let width = frame.layout.bitsAllocated / 8
        let bits = (0..<width).reduce(UInt64(0)) { $0 | UInt64(frame.bytes[index * width + $1]) << (8 * UInt64($1)) }
        return width == 4 ? Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits))) : Double(bitPattern: bits)
    }
}
