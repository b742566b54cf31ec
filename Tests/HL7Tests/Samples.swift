// Random numbers that are the same in every run, names, and messages made from them.

import HL7

/// SplitMix64.
struct Dice: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

enum VietnameseNames {
    static let families = """
        Nguyễn Trần Lê Phạm Hoàng Huỳnh Phan Vũ Võ Đặng Bùi Đỗ Hồ Ngô Dương Lý Đào Đoàn Vương Trịnh Trương Đinh Lâm \
        Phùng Mai Tô Hà Cao Thái Châu Tạ Quách Lưu Lương Tăng Triệu Từ Doãn Kiều Đàm Nghiêm Hứa Thạch Giang Quan Mạc \
        Khổng Viên Ông Thân Sầm Lò Cầm Quàng Giàng Chẩu Nông Vừ Sùng Hạng Lầu Mùa Bế Chử Đèo Ngân Khuất Bạch
        """.split(separator: " ").map(String.init)
    static let middles = """
        Văn Thị Hữu Đức Ngọc Thanh Minh Công Quốc Xuân Thu Hải Anh Bảo Gia Đình Bá Khắc Như Trọng Thế Viết Duy Phương \
        Tuấn Quang Kim Mỹ Diệu Cẩm Thúy Hoài Nhật Khánh Tường Đăng Sỹ Mậu Phúc Hồng
        """.split(separator: " ").map(String.init)
    static let given = """
        An Ánh Ân Bình Bảo Bích Cường Châu Chiến Cúc Dũng Duyên Dương Diễm Đạt Đông Điệp Đức Giang Hà Hạnh Hằng Hậu \
        Hiền Hiếu Hiệp Hoa Hòa Hoà Hồng Huệ Hùng Huyền Hương Hưng Khánh Khoa Khôi Kiên Kiệt Lan Lâm Liên Linh Loan Lộc \
        Lợi Long Luân Ly Mạnh Mai Mến Nam Nga Ngân Nghĩa Ngọc Nguyệt Nhàn Nhật Nhi Nhung Oanh Phong Phú Phúc Phượng \
        Phước Quân Quý Quyên Quỳnh Sáng Sơn Tài Tâm Tấn Thảo Thắng Thịnh Thoa Thơm Thu Thuận Thủy Thuỷ Thúy Thư Tiến \
        Tình Toàn Trang Trâm Trí Trinh Trung Trường Tú Tuấn Tùng Tuyết Tuyền Uyên Vân Việt Vinh Vũ Vượng Xuân Yến Ý Út \
        Ngoạn Khuê Thuyết Quắn Chuẩn Rạng Sửu Tỵ Mão Thìn Tuất Hợi Bưởi Gấm Nhẫn Đượm Thưởng Ngoãn Xoan Khiêm Bằng Nở
        """.split(separator: " ").map(String.init)

    /// Two to four syllables, capitalised.
    static func make(_ dice: inout Dice) -> String {
        var words = [families[Int.random(in: 0..<families.count, using: &dice)]]
        for _ in 0..<Int.random(in: 0...2, using: &dice) {
            words.append(middles[Int.random(in: 0..<middles.count, using: &dice)])
        }
        words.append(given[Int.random(in: 0..<given.count, using: &dice)])
        return words.joined(separator: " ")
    }
}

/// Writes the old encodings, so that reading them can be shown. Nil where a letter has no place in one.
enum LegacyWriter {
    /// How tones and capitals are written.
    enum Style: CaseIterable {
        case windows1258Marks, windows1258Letters, tcvn3, tcvn3Capitals, vni, vniSmallMarks, viscii

        var encoding: VietnameseEncoding {
            switch self {
            case .windows1258Marks, .windows1258Letters: .windows1258
            case .tcvn3, .tcvn3Capitals: .tcvn3
            case .vni, .vniSmallMarks: .vni
            case .viscii: .viscii
            }
        }
    }

    static let vowels = [
        "aàảãáạ", "ăằẳẵắặ", "âầẩẫấậ", "eèẻẽéẹ", "êềểễếệ", "iìỉĩíị", "oòỏõóọ", "ôồổỗốộ", "ơờởỡớợ", "uùủũúụ", "ưừửữứự",
        "yỳỷỹýỵ",
    ].map { $0.unicodeScalars.map { $0 } }

    /// The 134 letters.
    static let letters: [Unicode.Scalar] = {
        let small = vowels.flatMap { $0 }.filter { $0.value >= 0x80 } + ["đ"]
        return small + small.map(capital)
    }()

    static func encode(_ text: String, _ style: Style) -> [UInt8]? {
        var bytes: [UInt8] = []
        for scalar in text.unicodeScalars {
            guard let written = encode(scalar, style) else { return nil }
            bytes += written
        }
        return bytes
    }

    private static func encode(_ scalar: Unicode.Scalar, _ style: Style) -> [UInt8]? {
        if scalar.value < 0x80 { return [UInt8(scalar.value)] }
        switch style {
        case .viscii: return single(scalar, .viscii)
        case .tcvn3: return single(scalar, .tcvn3)
        case .tcvn3Capitals:
            // The font for capitals shows the bytes of small letters.
            return single(small(scalar), .tcvn3)
        case .windows1258Letters, .windows1258Marks:
            if style == .windows1258Letters, let bytes = single(scalar, .windows1258) { return bytes }
            guard let (base, tone) = parts(small(scalar)) else { return single(scalar, .windows1258) }
            let marks: [UInt8] = [0, 0xCC, 0xD2, 0xDE, 0xEC, 0xF2]
            let letter = scalar == small(scalar) ? base : capital(base)
            return (letter.value < 0x80 ? [UInt8(letter.value)] : single(letter, .windows1258)).map {
                $0 + (tone > 0 ? [marks[tone]] : [])
            }
        case .vni, .vniSmallMarks: return vni(scalar, hasSmallMarks: style == .vniSmallMarks)
        }
    }

    /// The byte that is read as this letter.
    private static func single(_ scalar: Unicode.Scalar, _ encoding: VietnameseEncoding) -> [UInt8]? {
        inverse[encoding]?[scalar].map { [$0] }
    }

    /// Of the bytes from 80H on: those below are not taken here, though some letters have one.
    private static let inverse: [VietnameseEncoding: [Unicode.Scalar: UInt8]] = {
        var tables: [VietnameseEncoding: [Unicode.Scalar: UInt8]] = [:]
        for encoding in VietnameseEncoding.allCases where encoding != .vni {
            for byte in UInt8(0x80)...0xFF {
                let read = LegacyVietnamese.decode([byte], as: encoding).unicodeScalars
                if let scalar = read.first { tables[encoding, default: [:]][scalar] = byte }
            }
        }
        return tables
    }()

    private static func vni(_ scalar: Unicode.Scalar, hasSmallMarks: Bool) -> [UInt8]? {
        let isCapital = scalar != small(scalar)
        let whole: [Unicode.Scalar: UInt8] = [
            "ơ": 0xF4, "ư": 0xF6, "đ": 0xF1, "í": 0xED, "ì": 0xEC, "ỉ": 0xE6, "ĩ": 0xF3, "ị": 0xF2, "ỵ": 0xEE,
        ]
        if let byte = whole[small(scalar)] { return [isCapital ? byte & 0xDF : byte] }
        guard let (base, tone) = parts(small(scalar)) else { return nil }
        let plain: [UInt8] = [0, 0xF8, 0xFB, 0xF5, 0xF9, 0xEF]
        let marks: [Unicode.Scalar: (UInt8, [UInt8])] = [
            "â": (0x61, [0xE2, 0xE0, 0xE5, 0xE3, 0xE1, 0xE4]), "ê": (0x65, [0xE2, 0xE0, 0xE5, 0xE3, 0xE1, 0xE4]),
            "ô": (0x6F, [0xE2, 0xE0, 0xE5, 0xE3, 0xE1, 0xE4]), "ă": (0x61, [0xEA, 0xE8, 0xFA, 0xFC, 0xE9, 0xEB]),
            "ơ": (0xF4, plain), "ư": (0xF6, plain),
        ]
        let (letter, table) = marks[base] ?? (UInt8(truncatingIfNeeded: base.value), plain)
        let mark = table[tone]
        return [isCapital ? letter & 0xDF : letter, isCapital && !hasSmallMarks ? mark & 0xDF : mark]
    }

    private static func parts(_ scalar: Unicode.Scalar) -> (Unicode.Scalar, Int)? {
        for tones in vowels { if let tone = tones.firstIndex(of: scalar) { return (tones[0], tone) } }
        return nil
    }

    static func capital(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        scalar.properties.uppercaseMapping.unicodeScalars.first ?? scalar
    }

    static func small(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        scalar.properties.lowercaseMapping.unicodeScalars.first ?? scalar
    }
}
