// How the bytes of a data set are encoded (PS3.5 Section 10 and Annex A).

/// A transfer syntax. One that is not registered, private or newer than this program, reads as explicit VR little endian
/// with encapsulated pixel data, as all recent ones are.
package struct TransferSyntax: Hashable, Sendable {
    /// Its UID.
    package let uid: String

    /// The transfer syntax of a UID.
    package init(_ uid: String) { self.uid = uid }

    /// Implicit VR Little Endian, the default of every network association (PS3.5 Section A.1).
    package static let implicitVRLittleEndian = TransferSyntax("1.2.840.10008.1.2")
    /// Explicit VR Little Endian (PS3.5 Section A.2).
    package static let explicitVRLittleEndian = TransferSyntax("1.2.840.10008.1.2.1")
    /// Deflated Explicit VR Little Endian (PS3.5 Section A.5).
    package static let deflatedExplicitVRLittleEndian = TransferSyntax("1.2.840.10008.1.2.1.99")
    /// Explicit VR Big Endian, retired (PS3.5-2016b Section A.3).
    package static let explicitVRBigEndian = TransferSyntax("1.2.840.10008.1.2.2")
    /// JPEG Baseline, lossy, 8 bit (PS3.5 Section A.4.1).
    package static let jpegBaseline = TransferSyntax("1.2.840.10008.1.2.4.50")
    /// JPEG Extended, lossy, 12 bit (PS3.5 Section A.4.1).
    package static let jpegExtended = TransferSyntax("1.2.840.10008.1.2.4.51")
    /// JPEG Spectral Selection, Non-Hierarchical (Process 6 and 8), retired.
    package static let jpegSpectralSelection = TransferSyntax("1.2.840.10008.1.2.4.53")
    /// JPEG Full Progression, Non-Hierarchical (Process 10 and 12), retired.
    package static let jpegFullProgression = TransferSyntax("1.2.840.10008.1.2.4.55")
    /// JPEG Lossless, process 14 (PS3.5 Section A.4.1).
    package static let jpegLossless = TransferSyntax("1.2.840.10008.1.2.4.57")
    /// JPEG Lossless, process 14, selection value 1 (PS3.5 Section A.4.1).
    package static let jpegLosslessSV1 = TransferSyntax("1.2.840.10008.1.2.4.70")
    /// JPEG-LS Lossless (PS3.5 Section A.4.3).
    package static let jpegLSLossless = TransferSyntax("1.2.840.10008.1.2.4.80")
    /// JPEG-LS Near-Lossless (PS3.5 Section A.4.3).
    package static let jpegLSNearLossless = TransferSyntax("1.2.840.10008.1.2.4.81")
    /// JPEG 2000 Lossless Only (PS3.5 Section A.4.4).
    package static let jpeg2000Lossless = TransferSyntax("1.2.840.10008.1.2.4.90")
    /// JPEG 2000 (PS3.5 Section A.4.4).
    package static let jpeg2000 = TransferSyntax("1.2.840.10008.1.2.4.91")
    /// High-Throughput JPEG 2000, lossless only, with RPCL, and general (PS3.5 Sections A.4.11 to A.4.13).
    package static let htj2kLossless = TransferSyntax("1.2.840.10008.1.2.4.201")
    package static let htj2kLosslessRPCL = TransferSyntax("1.2.840.10008.1.2.4.202")
    package static let htj2k = TransferSyntax("1.2.840.10008.1.2.4.203")
    /// RLE Lossless (PS3.5 Section A.4.2).
    package static let rleLossless = TransferSyntax("1.2.840.10008.1.2.5")

    /// Every registered transfer syntax of a data set (PS3.6 Table A-1), in order of UID.
    package static let all: [TransferSyntax] = UIDTable.transferSyntaxes.entries.map { TransferSyntax($0.uid) }

    /// The registered name, nil for a private one.
    package var name: String? { UIDTable.transferSyntaxes.name(of: uid) }

    /// Whether elements carry their VR.
    package var isExplicitVR: Bool {
        self != .implicitVRLittleEndian && uid != "1.2.840.113619.5.2" && uid != "1.2.840.10008.1.20"
    }

    /// Whether numbers are stored with the most significant byte first.
    package var isBigEndian: Bool { self == .explicitVRBigEndian }

    /// Whether the whole data set is compressed with deflate (PS3.5 Section A.5), also with JPIP referenced pixel data.
    package var isDeflated: Bool {
        switch uid {
        case "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205": true
        default: false
        }
    }

    /// Whether pixel data is encapsulated in fragments (PS3.5 Section A.4).
    package var isEncapsulated: Bool {
        switch uid {
        case "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2",
            "1.2.840.113619.5.2", "1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.204",
            "1.2.840.10008.1.2.4.205", "1.2.840.10008.1.20":
            false
        default: true
        }
    }

    /// How elements are laid out under this syntax.
    package var encoding: Encoding { Encoding(isExplicitVR: isExplicitVR, isBigEndian: isBigEndian) }
}

/// How elements are laid out, whatever is done to the pixel data.
package struct Encoding: Hashable, Sendable {
    /// Whether elements carry their VR.
    package let isExplicitVR: Bool
    /// Whether numbers have their most significant byte first.
    package let isBigEndian: Bool

    /// One of the layouts.
    package init(isExplicitVR: Bool, isBigEndian: Bool) {
        self.isExplicitVR = isExplicitVR
        self.isBigEndian = isBigEndian
    }

    /// The layout of PS3.5 Section A.1.
    package static let implicitLittle = Encoding(isExplicitVR: false, isBigEndian: false)
    /// The layout of PS3.5 Section A.2.
    package static let explicitLittle = Encoding(isExplicitVR: true, isBigEndian: false)
    /// The layout of PS3.5-2016b Section A.3.
    package static let explicitBig = Encoding(isExplicitVR: true, isBigEndian: true)

    /// The uncompressed transfer syntax with this layout.
    package var transferSyntax: TransferSyntax {
        isBigEndian ? .explicitVRBigEndian : isExplicitVR ? .explicitVRLittleEndian : .implicitVRLittleEndian
    }
}
