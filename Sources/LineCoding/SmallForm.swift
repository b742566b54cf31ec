// Bytes that are no picture: deflated where that helps.

import DICOMImaging

/// Deflate of pieces, each for itself (RFC 1951).
enum SmallForm {
    /// What the bytes of a piece become; nil where they would not become less.
    static func deflated(_ bytes: [UInt8]) -> [UInt8]? {
        var out: [UInt8] = []
        do throws(ImagingFailure) {
            var stream = try DataSetStream(.deflate)
            try stream.put(bytes, isLast: true, onDamage: { $0 }) { piece throws(ImagingFailure) in out += piece }
        } catch { return nil }
        return out.count < bytes.count ? out : nil
    }

    /// What was deflated, which has a known length; nil for anything else.
    static func inflated(_ bytes: [UInt8], length: Int) -> [UInt8]? {
        var out: [UInt8] = []
        do throws(ImagingFailure) {
            var stream = try DataSetStream(.inflate)
            try stream.put(bytes, onDamage: { $0 }) { piece throws(ImagingFailure) in
                guard out.count + piece.count <= length else { throw .damaged("longer than it says") }
                out += piece
            }
            guard stream.isFinished else { return nil }
        } catch { return nil }
        return out.count == length ? out : nil
    }

    // MARK: Samples of several bytes

    /// Samples of `width` bytes, each less the one before it, first bytes first; what is left over stays as it is.
    static func planes(_ bytes: [UInt8], width: Int) -> [UInt8] {
        let count = bytes.count / width
        var out = bytes
        for index in 0..<count {
            var borrow = 0
            for byte in 0..<width {
                let before = index == 0 ? 0 : Int(bytes[(index - 1) * width + byte])
                let difference = Int(bytes[index * width + byte]) - before - borrow
                borrow = difference < 0 ? 1 : 0
                out[byte * count + index] = UInt8(truncatingIfNeeded: difference)
            }
        }
        return out
    }

    static func samples(_ planes: [UInt8], width: Int) -> [UInt8] {
        let count = planes.count / width
        var out = planes
        for index in 0..<count {
            var carry = 0
            for byte in 0..<width {
                let before = index == 0 ? 0 : Int(out[(index - 1) * width + byte])
                let sum = Int(planes[byte * count + index]) + before + carry
                carry = sum > 255 ? 1 : 0
                out[index * width + byte] = UInt8(truncatingIfNeeded: sum)
            }
        }
        return out
    }
}
