// Canonical composition and decomposition of letters with marks (Unicode Annex 15), by Foundation.

import Foundation

/// Unicode normalisation.
package enum Normalization {
    /// More marks than any script puts on one letter (Unicode Annex 15, Stream-Safe Text).
    static let mostMarks = 30

    /// The text with every letter and its marks composed (NFC); as it is where a letter carries more marks than any
    /// script has: bringing them into their order costs the square of their number.
    package static func composed(_ text: String) -> String {
        // Below the combining marks, and in the block of Vietnamese, everything is composed already.
        let isComposed = text.unicodeScalars.allSatisfy { $0.value < 0x300 || (0x1E00..<0x1F00).contains($0.value) }
        return isComposed || hasTooManyMarks(text) ? text : text.precomposedStringWithCanonicalMapping
    }

    private static func hasTooManyMarks(_ text: String) -> Bool {
        var run = 0
        for scalar in text.unicodeScalars {
            let isMark = scalar.value >= 0x300 && scalar.properties.canonicalCombiningClass != .notReordered
            run = isMark ? run + 1 : 0
            if run > mostMarks { return true }
        }
        return false
    }

    /// The canonical decomposition of one scalar, itself when it has none.
    static func decomposed(_ scalar: Unicode.Scalar) -> String.UnicodeScalarView {
        guard scalar.value >= 0xC0 else { return String.UnicodeScalarView([scalar]) }
        return String(scalar).decomposedStringWithCanonicalMapping.unicodeScalars
    }
}
