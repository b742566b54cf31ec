// RLE compression: byte planes of PackBits runs (PS3.5 Annex G).

enum RLE {
    /// Sixteen numbers of 32 bits: how many segments, and where each begins.
    private static let headerSize = 64

    /// The samples of a frame by pixel, little endian.
    static func decode(_ bytes: [UInt8], layout: PixelLayout) throws(ImagingFailure) -> [UInt8] {
        let width = layout.bitsAllocated / 8
        let pixels = layout.rows * layout.columns
        let planes = layout.samplesPerPixel * width
        guard bytes.count > headerSize else { throw .damaged("RLE header is missing") }
        let numbers = (0..<16).map { index in
            (0..<4).reduce(0) { $0 | Int(bytes[index * 4 + $1]) << (8 * $1) }
        }
        guard numbers[0] == planes else { throw .damaged("number of RLE segments") }
        var out = [UInt8](repeating: 0, count: pixels * planes)
        for segment in 0..<planes {
            let start = numbers[segment + 1]
            let end = segment + 1 < planes ? numbers[segment + 2] : bytes.count
            guard start >= headerSize, start <= end, end <= bytes.count else { throw .damaged("RLE segment offsets") }
            // Segments go from the most significant byte of the first sample to the least of the last (Annex G.2).
            let sample = segment / width
            let byte = width - 1 - segment % width
            try unpack(bytes, start..<end, into: &out, first: sample * width + byte, step: planes, count: pixels)
        }
        return out
    }

    private static func unpack(
        _ bytes: [UInt8], _ range: Range<Int>, into out: inout [UInt8], first: Int, step: Int, count: Int
    ) throws(ImagingFailure) {
        var at = range.lowerBound
        var to = first
        var left = count
        while left > 0, at < range.upperBound {
            let control = Int(bytes[at])
            at += 1
            if control == 128 { continue }
            if control < 128 {
                let run = min(control + 1, left)
                guard at + run <= range.upperBound else { throw .damaged("RLE segment ends early") }
                for index in at..<at + run {
                    out[to] = bytes[index]
                    to += step
                }
                at += control + 1
                left -= run
            } else {
                guard at < range.upperBound else { throw .damaged("RLE segment ends early") }
                let run = min(257 - control, left)
                let value = bytes[at]
                at += 1
                for _ in 0..<run {
                    out[to] = value
                    to += step
                }
                left -= run
            }
        }
        guard left == 0 else { throw .damaged("RLE segment ends early") }
    }

    /// A frame of samples by pixel, little endian, of 8, 16 or 32 bits.
    static func encode(_ samples: [UInt8], layout: PixelLayout) throws(ImagingFailure) -> [UInt8] {
        let width = layout.bitsAllocated / 8
        let planes = layout.samplesPerPixel * width
        guard width >= 1, planes <= 15, samples.count == layout.rows * layout.columns * planes else {
            throw .unsupported("RLE takes at most 15 byte planes")
        }
        var header = [Int](repeating: 0, count: 16)
        header[0] = planes
        var body: [UInt8] = []
        body.reserveCapacity(samples.count)
        for segment in 0..<planes {
            header[segment + 1] = headerSize + body.count
            let first = segment / width * width + width - 1 - segment % width
            // Runs do not cross rows (Annex G.3.1).
            for row in 0..<layout.rows {
                let start = row * layout.columns * planes + first
                pack(samples, from: start, step: planes, count: layout.columns, into: &body)
            }
            if body.count & 1 == 1 { body.append(0) }
        }
        return header.flatMap { number in (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } } + body
    }

    private static func pack(_ samples: [UInt8], from start: Int, step: Int, count: Int, into body: inout [UInt8]) {
        func value(_ index: Int) -> UInt8 { samples[start + index * step] }
        var at = 0
        while at < count {
            var run = 1
            while run < 128, at + run < count, value(at + run) == value(at) { run += 1 }
            if run >= 2 {
                body.append(UInt8(257 - run))
                body.append(value(at))
                at += run
                continue
            }
            // Literals end where a replicate of three begins: one of two costs as much as it saves.
            var end = at + 1
            while end < count, end - at < 128 {
                if end + 2 < count, value(end) == value(end + 1), value(end) == value(end + 2) { break }
                end += 1
            }
            body.append(UInt8(end - at - 1))
            for index in at..<end { body.append(value(index)) }
            at = end
        }
    }
}
