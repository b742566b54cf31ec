// What a JPEG stream says of its image (ISO/IEC 10918-1 Annex B).

import DICOMCore

/// The frame header of a JPEG image.
struct JPEGImage: Equatable, Sendable {
    let rows: Int
    let columns: Int
    let bits: Int
    let components: Int
    let photometricInterpretation: String
    let transferSyntax: TransferSyntax

    /// Reads the segments up to the first scan; nil when this is no JPEG that DICOM has a transfer syntax for.
    init?(_ bytes: [UInt8]) {
        guard bytes.count > 4, bytes[0] == 0xFF, bytes[1] == 0xD8 else { return nil }
        var at = 2
        var frame: (marker: UInt8, start: Int)?
        var adobeTransform: UInt8?
        while at + 4 <= bytes.count {
            guard bytes[at] == 0xFF else { return nil }
            let marker = bytes[at + 1]
            if marker == 0xFF {
                at += 1
                continue
            }
            let length = Int(bytes[at + 2]) << 8 | Int(bytes[at + 3])
            guard length >= 2, at + 2 + length <= bytes.count else { return nil }
            switch marker {
            case 0xC0, 0xC1, 0xC3: if length >= 11 { frame = frame ?? (marker, at + 4) }
            // Progressive, hierarchical and arithmetic images have no transfer syntax that is not retired.
            case 0xC2, 0xC5...0xC7, 0xC9...0xCB, 0xCD...0xCF: return nil
            case 0xEE:
                if length >= 14, Array(bytes[at + 4..<at + 9]) == Array("Adobe".utf8) {
                    adobeTransform = bytes[at + 15]
                }
            case 0xDA:
                // A scan has at least its number of components.
                guard let frame, length >= 3 else { return nil }
                let selection = at + 4 + 1 + 2 * Int(bytes[at + 4])
                self.init(
                    frame.marker, bytes, frame.start, adobeTransform, selection < bytes.count ? bytes[selection] : 0)
                return
            default: break
            }
            at += 2 + length
        }
        return nil
    }

    private init?(_ marker: UInt8, _ bytes: [UInt8], _ start: Int, _ adobeTransform: UInt8?, _ selection: UInt8) {
        bits = Int(bytes[start])
        rows = Int(bytes[start + 1]) << 8 | Int(bytes[start + 2])
        columns = Int(bytes[start + 3]) << 8 | Int(bytes[start + 4])
        components = Int(bytes[start + 5])
        guard rows > 0, columns > 0, start + 6 + 3 * components <= bytes.count else { return nil }
        switch (marker, bits) {
        case (0xC0, 8): transferSyntax = .jpegBaseline
        case (0xC1, 8), (0xC1, 12): transferSyntax = .jpegExtended
        case (0xC3, 2...16): transferSyntax = selection == 1 ? .jpegLosslessSV1 : .jpegLossless
        default: return nil
        }
        switch components {
        case 1: photometricInterpretation = "MONOCHROME2"
        case 3 where marker == 0xC3 || adobeTransform == 0 || Self.isNamedRGB(bytes, start):
            photometricInterpretation = "RGB"
        case 3:
            let isSubsampled = bytes[start + 7] != bytes[start + 10]
            photometricInterpretation = isSubsampled ? "YBR_FULL_422" : "YBR_FULL"
        default: return nil
        }
    }

    /// Whether the components are called R, G and B.
    private static func isNamedRGB(_ bytes: [UInt8], _ start: Int) -> Bool {
        (0..<3).map { bytes[start + 6 + 3 * $0] } == Array("RGB".utf8)
    }

    var isLossy: Bool { transferSyntax == .jpegBaseline || transferSyntax == .jpegExtended }

    /// Puts the image pixel module (PS3.3 Section C.7.6.3).
    func put(into writer: inout DataSetWriter, compressedBytes: Int64) {
        writer.put(.samplesPerPixel, .US, ints: [components])
        writer.put(.photometricInterpretation, photometricInterpretation)
        if components > 1 { writer.put(.planarConfiguration, .US, ints: [0]) }
        writer.put(.rows, .US, ints: [rows])
        writer.put(.columns, .US, ints: [columns])
        writer.put(.bitsAllocated, .US, ints: [bits > 8 ? 16 : 8])
        writer.put(.bitsStored, .US, ints: [bits])
        writer.put(.highBit, .US, ints: [bits - 1])
        writer.put(.pixelRepresentation, .US, ints: [0])
        guard isLossy else { return }
        let whole = Double(rows * columns * components * (bits > 8 ? 2 : 1))
        Self.putLoss(into: &writer, method: "ISO_10918_1", ratio: whole / Double(max(compressedBytes, 1)))
    }

    /// What a file claims of itself may be anything.
    private static let mostRatio = 1e6

    /// The image was compressed with loss before it came (PS3.3 Section C.7.6.1.1.5).
    static func putLoss(into writer: inout DataSetWriter, method: String, ratio: Double) {
        writer.put(.lossyImageCompression, "01")
        writer.put(.lossyImageCompressionMethod, method)
        let hundredths = Int((min(ratio, mostRatio) * 100).rounded())
        writer.put(.lossyImageCompressionRatio, "\(hundredths / 100).\(hundredths % 100 / 10)\(hundredths % 10)")
    }
}
