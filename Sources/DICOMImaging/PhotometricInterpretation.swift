// How samples are to be understood as grey values or colours (PS3.3 Section C.7.6.3.1.2).

/// A defined term of Photometric Interpretation (0028,0004).
package enum PhotometricInterpretation: String, Sendable, Hashable, CaseIterable {
    case monochrome1 = "MONOCHROME1"
    case monochrome2 = "MONOCHROME2"
    case paletteColor = "PALETTE COLOR"
    case rgb = "RGB"
    case ybrFull = "YBR_FULL"
    case ybrFull422 = "YBR_FULL_422"
    case ybrPartial420 = "YBR_PARTIAL_420"
    case ybrICT = "YBR_ICT"
    case ybrRCT = "YBR_RCT"
}
