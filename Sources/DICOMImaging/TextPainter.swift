// Text burnt into a picture: white with a dark rim, readable on anything.

internal import CImageCodecs

enum TextPainter {
    /// DejaVu Sans has all of Vietnamese (package fonts-dejavu-core).
    static let fontPath = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"

    /// Lines from the upper left corner down.
    static func draw<Sample>(_ lines: [String], into raster: inout Raster<Sample>) {
        draw(lines, at: (4, 2), into: &raster)
    }

    /// Lines from a point down. Where there is no font, there is no text.
    static func draw<Sample>(_ lines: [String], at point: (x: Int, y: Int), into raster: inout Raster<Sample>) {
        let height = (min(raster.width, raster.height) / 32).clamped(to: 10...48)
        var top = point.y
        for line in lines.prefix(32) {
            guard let mask = mask(String(line.prefix(256)), height: height) else { return }
            for (dx, dy) in [(-1, 0), (1, 0), (0, -1), (0, 1)] {
                mask.blend(at: (point.x + dx, top + dy), level: 0, into: &raster)
            }
            mask.blend(at: (point.x, top), level: .max, into: &raster)
            top += mask.rows
        }
    }

    private struct Mask {
        let columns: Int
        let rows: Int
        let coverage: [UInt8]

        func blend<Sample>(at point: (x: Int, y: Int), level: Sample, into raster: inout Raster<Sample>) {
            for row in 0..<rows {
                for column in 0..<columns {
                    let alpha = Int(coverage[row * columns + column])
                    let (x, y) = (point.x + column, point.y + row)
                    guard alpha > 0, x >= 0, y >= 0, x < raster.width, y < raster.height else { continue }
                    for channel in 0..<raster.channels {
                        let at = (y * raster.width + x) * raster.channels + channel
                        raster.samples[at] = Sample(
                            (Int(raster.samples[at]) * (255 - alpha) + Int(level) * alpha) / 255)
                    }
                }
            }
        }
    }

    private static func mask(_ text: String, height: Int) -> Mask? {
        var error = codec_error()
        var output = unsafe codec_output()
        var (columns, rows) = (UInt32(0), UInt32(0))
        let bytes = Array(text.utf8)
        let code = unsafe bytes.withUnsafeBufferPointer { source in
            unsafe codec_text_mask(
                fontPath, source.baseAddress, source.count, UInt32(height), &output, &columns, &rows, &error)
        }
        defer { unsafe codec_free(&output) }
        guard code == Int32(CODEC_OK) else { return nil }
        return unsafe Mask(
            columns: Int(columns), rows: Int(rows),
            coverage: Array(UnsafeBufferPointer(start: output.bytes, count: output.count)))
    }
}
