// Which storage classes have pixels, and in which colour is the rule (PS3.4 Table B.5-1).

import DICOMCore

enum ImageClass {
    private static let root = "1.2.840.10008.5.1.4.1.1."
    /// Documents, reports, states, plans, waveforms and the like.
    private static let withoutPixels = [
        "9.", "11.", "34.", "40", "66", "66.1", "66.3", "66.5", "66.6", "68.", "78.", "79.", "80.", "88.", "104.",
        "200.",
        "481.3", "481.4", "481.5", "481.6", "481.7", "481.8", "481.9", "481.10", "4.2",
    ]

    static func hasPixels(_ sopClassUID: String) -> Bool {
        guard sopClassUID.hasPrefix(root), SOPClass.isStorage(sopClassUID) else { return false }
        let rest = sopClassUID.dropFirst(root.count)
        return !withoutPixels.contains { $0.hasSuffix(".") ? rest.hasPrefix($0) : rest == $0 }
    }

    static func isColour(_ sopClassUID: String) -> Bool {
        let rest = sopClassUID.dropFirst(root.count)
        return ["3.1", "3", "6", "6.1", "7", "7.4"].contains { rest == $0 } || rest.hasPrefix("77.")
    }
}
