// Canonical composition and decomposition of letters with marks (Unicode Annex 15), by Foundation.

import Foundation

/// Unicode normalisation.
package enum Normalization {
    /// The text with every letter and its marks composed (NFC).
    package static func composed(_ text: String) -> String {
        // Below the combining marks, and in the block of Vietnamese, everything is composed already.
        let isComposed = text.unicodeScalars.allSatisfy { $0.value < 0x300 || (0x1E00..<0x1F00).contains($0.value) }
        return isComposed ? text : text.precomposedStringWithCanonicalMapping
    }

    /// The canonical decomposition of one scalar, itself when it has none.
    static func decomposed(_ scalar: Unicode.Scalar) -> String.UnicodeScalarView {
        guard scalar.value >= 0xC0 else { return String.UnicodeScalarView([scalar]) }
        return String(scalar).decomposedStringWithCanonicalMapping.unicodeScalars
    }
}
