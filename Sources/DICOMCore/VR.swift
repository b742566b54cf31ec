// The value representations: how the bytes of an attribute are to be read (PS3.5 Section 6.2).

/// A value representation (PS3.5 Table 6.2-1).
package enum VR: String, Sendable, CaseIterable {
    case AE, AS, AT, CS, DA, DS, DT, FD, FL, IS, LO, LT, OB, OD, OF, OL, OV, OW, PN, SH, SL, SQ, SS, ST, SV, TM, UC
    case UI, UL, UN, UR, US, UT, UV

    /// The VR of two bytes of an explicit element, nil when they name none.
    init?(_ first: UInt8, _ second: UInt8) {
        guard first &- 0x41 < 26, second &- 0x41 < 26 else { return nil }
        guard let vr = VR.byCode[Int(first - 0x41) * 26 + Int(second - 0x41)] else { return nil }
        self = vr
    }

    private static let byCode: [VR?] = {
        var table = [VR?](repeating: nil, count: 26 * 26)
        for vr in VR.allCases {
            let code = vr.code
            table[Int(code.0 - 0x41) * 26 + Int(code.1 - 0x41)] = vr
        }
        return table
    }()

    /// The two bytes that stand for the VR in an explicit element.
    var code: (UInt8, UInt8) {
        let bytes = Array(rawValue.utf8)
        return (bytes[0], bytes[1])
    }

    /// Whether an explicit element spends 32 bits on the length (PS3.5 Table 7.1-1).
    package var hasLongLength: Bool {
        switch self {
        case .OB, .OD, .OF, .OL, .OV, .OW, .SQ, .SV, .UC, .UN, .UR, .UT, .UV: true
        default: false
        }
    }

    /// Whether the value is characters.
    package var isString: Bool {
        switch self {
        case .AE, .AS, .CS, .DA, .DS, .DT, .IS, .LO, .LT, .PN, .SH, .ST, .TM, .UC, .UI, .UR, .UT: true
        default: false
        }
    }

    /// Whether Specific Character Set (0008,0005) governs the value (PS3.5 Section 6.1.2.3).
    package var hasSpecificCharacterSet: Bool {
        switch self {
        case .LO, .LT, .PN, .SH, .ST, .UC, .UT: true
        default: false
        }
    }

    /// Whether a backslash separates values; it is ordinary text in LT, ST, UT and UR (PS3.5 Section 6.4).
    package var isMultiValued: Bool {
        switch self {
        case .LT, .ST, .UT, .UR: false
        default: isString
        }
    }

    /// Whether leading spaces belong to the value (PS3.5 Table 6.2-1).
    var keepsLeadingSpaces: Bool {
        switch self {
        case .LT, .ST, .UT, .UC, .UR: true
        default: false
        }
    }

    /// The byte that fills a value up to even length (PS3.5 Section 6.2).
    package var padding: UInt8 { isString && self != .UI ? 0x20 : 0x00 }

    /// Bytes of one binary number, 0 where values are not numbers of a fixed width; what a change of byte order swaps.
    package var unitSize: Int {
        switch self {
        case .AT, .OW, .SS, .US: 2
        case .FL, .OF, .OL, .SL, .UL: 4
        case .FD, .OD, .OV, .SV, .UV: 8
        default: 0
        }
    }
}
