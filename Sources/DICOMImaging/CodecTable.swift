// What can be done with the pixels of each transfer syntax: one table for decoding, encoding and the documents.

package import DICOMCore

/// How pixels are compressed, whatever the rest of the data set is encoded in.
package enum PixelCoding: String, Sendable, Hashable, Codable {
    case native, rle, jpeg, jpegLossless, jpegLS, jpeg2000, htj2k, video
}

/// One transfer syntax and what the codecs here do with it.
package struct CodecEntry: Sendable {
    package let transferSyntax: TransferSyntax
    package let coding: PixelCoding
    /// Whether decoding gives back what was encoded, by the rules of the syntax.
    package let isLossless: Bool
    package let decodes: Bool
    package let encodes: Bool
    /// The library that does it.
    package let codec: String
}

/// The table of codecs.
package enum CodecTable {
    package static let entries: [CodecEntry] = [
        row(.implicitVRLittleEndian, .native, lossless: true, decodes: true, encodes: true, "own"),
        row(.explicitVRLittleEndian, .native, lossless: true, decodes: true, encodes: true, "own"),
        row(.explicitVRBigEndian, .native, lossless: true, decodes: true, encodes: true, "own"),
        row(.deflatedExplicitVRLittleEndian, .native, lossless: true, decodes: true, encodes: true, "zlib"),
        row(.rleLossless, .rle, lossless: true, decodes: true, encodes: true, "own"),
        row(.jpegBaseline, .jpeg, lossless: false, decodes: true, encodes: true, "libjpeg-turbo"),
        row(.jpegExtended, .jpeg, lossless: false, decodes: true, encodes: true, "libjpeg-turbo, DCMTK"),
        row(.jpegSpectralSelection, .jpeg, lossless: false, decodes: true, encodes: false, "libjpeg-turbo, DCMTK"),
        row(.jpegFullProgression, .jpeg, lossless: false, decodes: true, encodes: false, "libjpeg-turbo, DCMTK"),
        row(.jpegLossless, .jpegLossless, lossless: true, decodes: true, encodes: true, "DCMTK"),
        row(.jpegLosslessSV1, .jpegLossless, lossless: true, decodes: true, encodes: true, "DCMTK"),
        row(.jpegLSLossless, .jpegLS, lossless: true, decodes: true, encodes: true, "CharLS"),
        row(.jpegLSNearLossless, .jpegLS, lossless: false, decodes: true, encodes: false, "CharLS"),
        row(.jpeg2000Lossless, .jpeg2000, lossless: true, decodes: true, encodes: true, "OpenJPEG"),
        row(.jpeg2000, .jpeg2000, lossless: false, decodes: true, encodes: false, "OpenJPEG"),
        row(.htj2kLossless, .htj2k, lossless: true, decodes: true, encodes: true, "OpenJPH"),
        row(.htj2kLosslessRPCL, .htj2k, lossless: true, decodes: true, encodes: true, "OpenJPH"),
        row(.htj2k, .htj2k, lossless: false, decodes: true, encodes: false, "OpenJPH"),
    ]

    private static func row(
        _ syntax: TransferSyntax, _ coding: PixelCoding, lossless: Bool, decodes: Bool, encodes: Bool, _ codec: String
    ) -> CodecEntry {
        CodecEntry(
            transferSyntax: syntax, coding: coding, isLossless: lossless, decodes: decodes, encodes: encodes,
            codec: codec)
    }

    private static let byUID = Dictionary(uniqueKeysWithValues: entries.map { ($0.transferSyntax.uid, $0) })

    /// The entry of a transfer syntax, nil where there is no codec at all.
    package static func entry(_ uid: String) -> CodecEntry? { byUID[uid] }

    /// Whether the pixels of a syntax can be decoded.
    package static func decodes(_ uid: String) -> Bool { byUID[uid]?.decodes ?? false }

    /// Whether a whole object can be given in a syntax: encoded without loss.
    package static func encodesLosslessly(_ uid: String) -> Bool {
        byUID[uid].map { $0.encodes && $0.isLossless } ?? false
    }

    /// MPEG-2, MPEG-4 and HEVC (PS3.5 Sections A.4.5 to A.4.10): a stream that no codec here touches.
    package static func isVideo(_ uid: String) -> Bool {
        let root = "1.2.840.10008.1.2.4.10"
        return uid.hasPrefix(root) && "012345678".contains(uid.dropFirst(root.count).prefix(1))
            && [0, 2].contains(uid.dropFirst(root.count + 1).count)
    }
}
