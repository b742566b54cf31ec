// How many marks a letter may carry: bringing marks into their order costs the square of their number.

/// Bounds runs of combining marks in what strangers send.
enum CombiningMarks {
    /// More than any script puts on one letter; the bound of Unicode Annex 15 for text in streams (Stream-Safe Text).
    static let most = 30

    /// Whether a letter of the text carries more marks than are taken.
    static func areTooMany(in text: String) -> Bool {
        var run = 0
        for scalar in text.unicodeScalars {
            let isMark = scalar.value >= 0x300 && scalar.properties.canonicalCombiningClass != .notReordered
            run = isMark ? run + 1 : 0
            if run > most { return true }
        }
        return false
    }
}
