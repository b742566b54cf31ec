// Overlay planes: drawings over an image, beside it or in unused bits of its samples (PS3.3 Section C.9.2).

import DICOMCore
import Foundation

/// One overlay plane of one frame.
package struct Overlay: Sendable, Hashable, Codable {
    package let rows: Int
    package let columns: Int
    /// Row and column of the image that the first point lies on, from 1; may be outside.
    package let originRow: Int
    package let originColumn: Int
    /// One bit a point, the first in the lowest; nil when the points are in the samples.
    let bits: Data?
    /// Where `bits` begins within its data, in bits.
    let firstBit: Int
    /// The bit of a sample that holds the points.
    let bitPosition: Int

    /// Whether the point lies in the drawing.
    func isSet(_ row: Int, _ column: Int) -> Bool {
        guard let bits else { return false }
        let index = firstBit + row * columns + column
        return index >> 3 < bits.count && bits[index >> 3] >> UInt8(index & 7) & 1 == 1
    }

    /// The planes that a frame has; frames are numbered from 1.
    static func planes(_ dataSet: DataSet, frame: Int, layout: PixelLayout) -> [Overlay] {
        stride(from: UInt16(0x6000), through: 0x601E, by: 2).compactMap { group in
            plane(dataSet, group: group, frame: frame, layout: layout)
        }
    }

    private static func plane(_ dataSet: DataSet, group: UInt16, frame: Int, layout: PixelLayout) -> Overlay? {
        guard let rows = dataSet.int(Tag(group, 0x0010)), let columns = dataSet.int(Tag(group, 0x0011)),
            (1...65_535).contains(rows), (1...65_535).contains(columns)
        else { return nil }
        let origin = dataSet.ints(Tag(group, 0x0050))
        let (row, column) = origin.count == 2 ? (origin[0], origin[1]) : (1, 1)
        if let element = dataSet[Tag(group, 0x3000)], element.length > 0 {
            // Frames of the overlay lie over frames of the image from Image Frame Origin on.
            let frames = max(1, dataSet.int(Tag(group, 0x0015)) ?? 1)
            let index = frame - max(1, dataSet.int(Tag(group, 0x0051)) ?? 1)
            let isForAll = frames == 1 && dataSet[Tag(group, 0x0051)] == nil
            guard isForAll || (0..<frames).contains(index) else { return nil }
            let first = isForAll ? 0 : index * rows * columns
            let raw = dataSet.rawValue(element)
            guard (first + rows * columns + 7) / 8 <= raw.count else { return nil }
            let bytes = raw[raw.startIndex + first / 8..<raw.startIndex + (first + rows * columns + 7) / 8]
            return Overlay(
                rows: rows, columns: columns, originRow: row, originColumn: column, bits: Data(bytes),
                firstBit: first % 8, bitPosition: 0)
        }
        let position = dataSet.int(Tag(group, 0x0102)) ?? 0
        let isOutside = position > layout.highBit || position < layout.highBit + 1 - layout.bitsStored
        guard dataSet.int(Tag(group, 0x0100)) == 16, layout.bitsAllocated == 16, layout.samplesPerPixel == 1,
            (0..<16).contains(position), isOutside
        else { return nil }
        return Overlay(
            rows: layout.rows, columns: layout.columns, originRow: 1, originColumn: 1, bits: nil, firstBit: 0,
            bitPosition: position)
    }
}
