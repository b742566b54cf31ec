// Whether a text is what its VR says: what is none is no code or number, and may be a name (PS3.5 Table 6.2-1).

import DICOMCore

enum ValueGrammar {
    /// Whether a value of a VR with a narrow grammar keeps to it.
    static func isValid(_ text: String, _ vr: VR) -> Bool {
        let bytes = text.utf8
        switch vr {
        case .CS:
            return bytes.count <= 16
                && bytes.allSatisfy { isUpper($0) || isDigit($0) || $0 == 0x20 || $0 == 0x5F }
        case .DS: return bytes.count <= 32 && Double(text) != nil && bytes.allSatisfy(isNumeric)
        case .IS: return bytes.count <= 16 && bytes.allSatisfy { isDigit($0) || $0 == 0x2B || $0 == 0x2D }
        case .AS:
            let unit = bytes.last ?? 0
            return bytes.count == 4 && bytes.dropLast().allSatisfy(isDigit) && "DWMY".utf8.contains(unit)
        case .UI: return UID.isValid(text)
        default: return false
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }
    private static func isUpper(_ byte: UInt8) -> Bool { byte &- 0x41 < 26 }

    private static func isNumeric(_ byte: UInt8) -> Bool {
        isDigit(byte) || byte == 0x2B || byte == 0x2D || byte == 0x2E || byte == 0x45 || byte == 0x65
    }
}
