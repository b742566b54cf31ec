// How samples are to be understood as grey values or colours (PS3.3 Section C.7.6.3.1.2).

/// A defined term of Photometric Interpretation (0028,0004).
package enum PhotometricInterpretation: String, Sendable, Hashable, CaseIterable, Codable {
    case monochrome1 = "MONOCHROME1"
    case monochrome2 = "MONOCHROME2"
    case paletteColor = "PALETTE COLOR"
    case rgb = "RGB"
    case ybrFull = "YBR_FULL"
    case ybrFull422 = "YBR_FULL_422"
    case ybrPartial420 = "YBR_PARTIAL_420"
    case ybrICT = "YBR_ICT"
    case ybrRCT = "YBR_RCT"

    /// Samples per Pixel that belong to it.
    package var samples: Int {
        switch self {
        case .monochrome1, .monochrome2, .paletteColor: 1
        case .rgb, .ybrFull, .ybrFull422, .ybrPartial420, .ybrICT, .ybrRCT: 3
        }
    }

    /// Whether samples are grey values without further tables.
    package var isMonochrome: Bool { self == .monochrome1 || self == .monochrome2 }
    /// Whether a lossy JPEG codestream of it holds luminance and chrominance.
    var isLuminanceChrominance: Bool { samples == 3 && self != .rgb }
}
