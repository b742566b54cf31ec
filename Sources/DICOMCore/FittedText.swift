// Text cut and cleaned to what its value representation can hold.

/// Text made to fit its value representation (PS3.5 Table 6.2-1).
package enum FittedText {
    /// Characters that a value may have; nil where there is no bound worth keeping.
    private static func limit(_ vr: VR) -> Int? {
        switch vr {
        case .AE, .CS, .SH, .DS: 16
        case .LO, .PN: 64
        case .ST: 1024
        case .LT: 10_240
        default: nil
        }
    }

    /// Without control characters and without the backslash, which separates values; cut where it is too long.
    package static func fitted(_ text: String, _ vr: VR) -> String {
        let limit = limit(vr)
        // Most values need nothing.
        if text.utf8.count <= limit ?? .max, text.utf8.allSatisfy({ (0x20..<0x7F).contains($0) && $0 != 0x5C }) {
            return text
        }
        let isLong = vr == .ST || vr == .LT || vr == .UT
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if scalar.value < 0x20 || scalar.value == 0x7F {
                let isLine = isLong && (scalar == "\r" || scalar == "\n" || scalar == "\t")
                scalars.append(isLine ? scalar : " ")
            } else {
                scalars.append(scalar == "\\" && !isLong ? "/" : scalar)
            }
        }
        let clean = String(scalars)
        guard let limit else { return clean }
        guard vr == .PN else { return clean.count > limit ? String(clean.prefix(limit)) : clean }
        // Each component group by itself (PS3.5 Section 6.2.1).
        return clean.split(separator: "=", omittingEmptySubsequences: false).map { $0.prefix(limit) }
            .joined(separator: "=")
    }
}
