// A picture ready to be encoded: 8 or 16 bits, grey or RGB; cut, turned and scaled here.

import Foundation

/// Samples by pixel.
struct Raster<Sample: FixedWidthInteger & UnsignedInteger & Sendable>: Sendable, Equatable {
    var width: Int
    var height: Int
    /// 1 for grey, 3 for RGB.
    var channels: Int
    var samples: [Sample]

    /// Sets a point to one level in all channels; outside nothing happens.
    mutating func set(_ x: Int, _ y: Int, _ value: Sample) {
        guard x >= 0, y >= 0, x < width, y < height else { return }
        for channel in 0..<channels { samples[(y * width + x) * channels + channel] = value }
    }

    /// Mirrored left to right.
    func mirrored() -> Raster {
        mapped(width: width, height: height) { x, y in (width - 1 - x, y) }
    }

    /// Mirrored top to bottom.
    func flipped() -> Raster {
        mapped(width: width, height: height) { x, y in (x, height - 1 - y) }
    }

    /// Turned clockwise by a multiple of 90 degrees.
    func turned(_ degrees: Int) -> Raster {
        switch ((degrees % 360) + 360) % 360 {
        case 90: mapped(width: height, height: width) { x, y in (y, height - 1 - x) }
        case 180: mapped(width: width, height: height) { x, y in (width - 1 - x, height - 1 - y) }
        case 270: mapped(width: height, height: width) { x, y in (width - 1 - y, x) }
        default: self
        }
    }

    private func mapped(width: Int, height: Int, _ source: (Int, Int) -> (Int, Int)) -> Raster {
        var out = [Sample](repeating: 0, count: samples.count)
        var at = 0
        for y in 0..<height {
            for x in 0..<width {
                let (fromX, fromY) = source(x, y)
                let from = (fromY * self.width + fromX) * channels
                for channel in 0..<channels { out[at + channel] = samples[from + channel] }
                at += channels
            }
        }
        return Raster(width: width, height: height, channels: channels, samples: out)
    }

    /// A region fitted into a size: the mean of the area that a point covers where the picture shrinks, linear between
    /// neighbours where it grows. Beyond the picture is black.
    func resampled(x: Double, y: Double, width: Double, height: Double, to size: (width: Int, height: Int)) -> Raster {
        let across = Self.weights(from: x, length: width, count: size.width, limit: self.width)
        let down = Self.weights(from: y, length: height, count: size.height, limit: self.height)
        // Only rows that are needed are narrowed, one after the other.
        var narrow = [[Float]?](repeating: nil, count: self.height)
        var out = [Sample](repeating: 0, count: size.width * size.height * channels)
        let most = Float(Sample.max)
        for row in 0..<size.height {
            var sums = [Float](repeating: 0, count: size.width * channels)
            for (offset, weight) in down[row].weights.enumerated() {
                let source = down[row].first + offset
                let line = narrow[source] ?? narrowed(source, across)
                narrow[source] = line
                for index in sums.indices { sums[index] += line[index] * weight }
            }
            for index in sums.indices {
                out[row * size.width * channels + index] = Sample(min(max(sums[index].rounded(), 0), most))
            }
            // Rows above are not needed again.
            if row + 1 < size.height, let first = down[row...].first?.first, down[row + 1].first > first {
                for done in first..<min(down[row + 1].first, self.height) { narrow[done] = nil }
            }
        }
        return Raster(width: size.width, height: size.height, channels: channels, samples: out)
    }

    private func narrowed(_ row: Int, _ across: [Weights]) -> [Float] {
        var line = [Float](repeating: 0, count: across.count * channels)
        for (column, part) in across.enumerated() {
            for (offset, weight) in part.weights.enumerated() {
                let from = (row * width + part.first + offset) * channels
                for channel in 0..<channels {
                    line[column * channels + channel] += Float(samples[from + channel]) * weight
                }
            }
        }
        return line
    }

    /// Which points a new point is made of.
    private struct Weights {
        var first: Int
        var weights: [Float]
    }

    private static func weights(from start: Double, length: Double, count: Int, limit: Int) -> [Weights] {
        let step = length / Double(count)
        return (0..<count).map { index in
            let low: Double
            let high: Double
            if step >= 1 {
                (low, high) = (start + Double(index) * step, start + Double(index + 1) * step)
            } else {
                // A box as wide as a pixel, so that the mean of it is linear between neighbours.
                let center = start + (Double(index) + 0.5) * step
                (low, high) = (
                    min(max(center - 0.5, start), start + length - 1), max(min(center + 0.5, start + length), start + 1)
                )
            }
            let first = Int(low.rounded(.down))
            let last = Int(high.rounded(.up))
            var weights: [Float] = []
            for position in max(0, first)..<max(max(0, first), min(limit, last)) {
                let covered = min(high, Double(position + 1)) - max(low, Double(position))
                weights.append(Float(max(0, covered) / (high - low)))
            }
            return Weights(first: min(max(0, first), limit), weights: weights)
        }
    }
}
