// What the bytes of the Vietnamese encodings of before Unicode stand for.

/// An encoding of Vietnamese that programs and fonts brought along before Unicode.
package enum VietnameseEncoding: String, Sendable, CaseIterable {
    /// Windows code page 1258: letters, and tones as marks that follow them.
    case windows1258 = "WINDOWS-1258"
    /// TCVN 5712:1993, the fonts `.VnTime` (small letters) and `.VnTimeH` (capitals from the same bytes), called ABC.
    case tcvn3 = "TCVN3"
    /// VNI Windows, the fonts `VNI-Times`: a letter, and a byte for its marks.
    case vni = "VNI"
    /// VISCII 1.1 (RFC 1456).
    case viscii = "VISCII"
}

/// The tables of encodings with one byte for a letter.
enum VietnameseTables {
    /// From 80H on; `·` is no character.
    static let windows1258 = upper(
        """
        €·‚ƒ„…†‡ˆ‰·‹Œ···
        ·‘’“”•–—˜™·›œ··Ÿ
        \u{00A0}¡¢£¤¥¦§¨©ª«¬\u{00AD}®¯
        °±²³´µ¶\u{E000}¸¹º»¼½¾¿
        ÀÁÂĂÄÅÆÇÈÉÊË\u{0300}ÍÎÏ
        ĐÑ\u{0309}ÓÔƠÖ×ØÙÚÛÜƯ\u{0303}ß
        àáâăäåæçèéêë\u{0301}íîï
        đñ\u{0323}óôơö÷øùúûüư₫ÿ
        """)

    static let tcvn3 = upper(
        """
        ÀẢÃÁẠẶẬÈẺẼÉẸỆÌỈĨ
        ÍỊÒỎÕÓỌỘỜỞỠỚỢÙỦŨ
        \u{00A0}ĂÂÊÔƠƯĐăâêôơưđẰ
        \u{0300}\u{0309}\u{0303}\u{0301}\u{0323}àảãáạẲằẳẵắẴ
        ẮẦẨẪẤỀặầẩẫấậèỂẻẽ
        éẹềểễếệìỉỄẾỒĩíịò
        Ổỏõóọồổỗốộờởỡớợù
        ỖủũúụừửữứựỳỷỹýỵỐ
        """)

    /// The capitals with tones of TCVN 5712 VN1, which the usual fonts did not have.
    static func isRareTCVN3(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x80...0x9F, 0xAF...0xB4, 0xBA, 0xBF...0xC5, 0xCD, 0xD9...0xDB, 0xE0, 0xF0, 0xFF: true
        default: false
        }
    }

    static let viscii = upper(
        """
        ẠẮẰẶẤẦẨẬẼẸẾỀỂỄỆỐ
        ỒỔỖỘỢỚỜỞỊỎỌỈỦŨỤỲ
        Õắằặấầẩậẽẹếềểễệố
        ồổỗỠƠộờởịỰỨỪỬơớƯ
        ÀÁÂÃẢĂẳẵÈÉÊẺÌÍĨỳ
        ĐứÒÓÔạỷừửÙÚỹỵÝỡư
        àáâãảăữẫèéêẻìíĩỉ
        đựòóôõỏọụùúũủýợỮ
        """)

    /// Capitals in the place of control characters (TCVN 5712 VN1, RFC 1456).
    static let tcvn3Controls: [UInt8: Unicode.Scalar] = [
        0x01: "Ú", 0x02: "Ụ", 0x04: "Ừ", 0x05: "Ử", 0x06: "Ữ", 0x11: "Ứ", 0x12: "Ự", 0x13: "Ỳ", 0x14: "Ỷ", 0x15: "Ỹ",
        0x16: "Ý", 0x17: "Ỵ",
    ]
    static let visciiControls: [UInt8: Unicode.Scalar] = [
        0x02: "Ẳ", 0x05: "Ẵ", 0x06: "Ẫ", 0x14: "Ỷ", 0x19: "Ỹ", 0x1E: "Ỵ",
    ]

    /// Windows code page 1252 from 80H to 9FH, which is what programs mean by Latin-1.
    static let windows1252Controls: [Unicode.Scalar?] = scalars("€·‚ƒ„…†‡ˆ‰Š‹Œ·Ž··‘’“”•–—˜™š›œ·žŸ")

    /// The byte of a character in Windows code page 1252, nil when it has none.
    static func windows1252Byte(_ scalar: Unicode.Scalar) -> UInt8? {
        if scalar.value < 0x100 { return UInt8(scalar.value) }
        return windows1252Controls.firstIndex(of: scalar).map { UInt8($0 + 0x80) }
    }

    /// Marks of VNI that stand for a tone, and for a circumflex or a breve with or without a tone; small ones. The
    /// place is the tone's: none, grave, hook, tilde, acute, dot below.
    static let vniTones: [UInt8?] = [nil, 0xF8, 0xFB, 0xF5, 0xF9, 0xEF]
    static let vniCircumflex: [UInt8?] = [0xE2, 0xE0, 0xE5, 0xE3, 0xE1, 0xE4]
    static let vniBreve: [UInt8?] = [0xEA, 0xE8, 0xFA, 0xFC, 0xE9, 0xEB]
    /// Letters of VNI that are one byte, small ones.
    static let vniLetters: [UInt8: Unicode.Scalar] = [
        0xF4: "ơ", 0xF6: "ư", 0xF1: "đ", 0xED: "í", 0xEC: "ì", 0xE6: "ỉ", 0xF3: "ĩ", 0xF2: "ị", 0xEE: "ỵ",
    ]

    private static func upper(_ rows: String) -> [Unicode.Scalar?] {
        let table = scalars(rows.filter { $0 != "\n" })
        precondition(table.count == 128, "a table of the bytes from 80H to FFH")
        return table
    }

    private static func scalars(_ text: String) -> [Unicode.Scalar?] {
        text.unicodeScalars.filter { $0 != "\n" }.map { scalar in
            // The middle dot itself is written as a private character.
            scalar == "·" ? nil : scalar == "\u{E000}" ? "·" : scalar
        }
    }
}
