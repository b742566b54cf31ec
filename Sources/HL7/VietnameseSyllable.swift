// What a Vietnamese syllable looks like: by this legacy encodings are told from one another.

/// A vowel of Vietnamese apart from its tone.
struct VietnameseLetter: Hashable, Sendable {
    /// Small, with circumflex, breve or horn but without tone: `ê`.
    let letter: Unicode.Scalar
    /// 0 none, 1 grave, 2 hook, 3 tilde, 4 acute, 5 dot below.
    let tone: Int
    let isCapital: Bool

    /// The twelve vowels, each with its tones.
    static let vowels = [
        "aàảãáạ", "ăằẳẵắặ", "âầẩẫấậ", "eèẻẽéẹ", "êềểễếệ", "iìỉĩíị", "oòỏõóọ", "ôồổỗốộ", "ơờởỡớợ", "uùủũúụ", "ưừửữứự",
        "yỳỷỹýỵ",
    ].map { Array($0.unicodeScalars) }

    /// Every letter of Vietnamese that is not ASCII, and the ASCII vowels.
    static let all: [Unicode.Scalar: VietnameseLetter] = {
        var letters: [Unicode.Scalar: VietnameseLetter] = [:]
        for tones in vowels + [["đ"]] {
            for (tone, scalar) in tones.enumerated() {
                letters[scalar] = VietnameseLetter(letter: tones[0], tone: tone, isCapital: false)
                letters[capital(scalar)] = VietnameseLetter(letter: tones[0], tone: tone, isCapital: true)
            }
        }
        return letters
    }()

    /// The capital of a letter of Vietnamese, which is one scalar.
    static func capital(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        scalar.properties.uppercaseMapping.unicodeScalars.first ?? scalar
    }
}

/// The shape of syllables, and those that names and addresses are made of.
enum VietnameseSyllable {
    enum Judgement { case common, possible, impossible }

    private static let onsets: [[Unicode.Scalar]] = [
        "ngh", "ch", "gh", "gi", "kh", "ng", "nh", "ph", "qu", "th", "tr", "b", "c", "d", "đ", "g", "h", "k", "l", "m",
        "n", "p", "r", "s", "t", "v", "x", "",
    ].map { Array($0.unicodeScalars) }

    private static let rimes: Set<String> = Set(
        """
        a ac ach ai am an ang anh ao ap at au ay ăc ăm ăn ăng ăp ăt âc âm ân âng âp ât âu ây e ec em en eng eo ep et \
        ê êch êm ên ênh êp êt êu i ia ich im in inh ip it iu iêc iêm iên iêng iêp iêt iêu o oc oi om on ong op ot oong \
        ooc oa oac oach oai oam oan oang oanh oao oap oat oay oăc oăm oăn oăng oăt oe oen oeo oet ô ôc ôi ôm ôn ông ôp \
        ôt ơ ơi ơm ơn ơp ơt u ua uc ui um un ung up ut uôc uôi uôm uôn uông uôt uê uêch uên uênh uy uya uych uyn uynh \
        uyt uyp uyên uyêt uyu uân uâng uât uây uơ ư ưa ưc ưi ưm ưn ưng ưt ưu ươc ươi ươm ươn ương ươp ươt ươu y yên \
        yêng yêt yêu yêm
        """.split(separator: " ").map(String.init))

    private static let rimesOfQu: Set<String> = ["ych", "yn", "ynh", "yt"]

    /// Words of names, addresses and hospitals.
    private static let commonWords: Set<String> = Set(
        """
        nguyễn trần lê phạm hoàng huỳnh phan vũ võ đặng bùi đỗ hồ ngô dương lý đào đoàn vương trịnh trương đinh lâm \
        phùng mai tô hà cao thái châu tạ quách lưu lương tăng triệu từ doãn kiều đàm nghiêm hứa thạch giang quan la lục bạch mạc khổng viên ông thân cẩm gia đình \
        văn thị hữu đức ngọc thanh minh công quốc xuân thu hải anh hùng dũng tuấn thắng lan hương hoa hồng hạnh phúc lộc \
        thọ tâm tùng cường sơn bình hòa hoà huy hiếu nghĩa trung thành đạt long linh trang thảo thủy thuỷ thúy thuý yến \
        nhung loan nga hằng hiền hiển hậu huệ huyền quỳnh quyên quyền trâm trinh trúc tuyết tú tiến tiên thịnh thiên \
        thiện thế thọ toàn toản trí trọng trường tường vân việt vinh vĩnh phong phương phượng phước quân quang quý sáng \
        sinh tài tấn thạch thơ thư thương nam nhân nhật nhi như nhã ninh oanh phú phi khánh khang khải khoa khôi kiên \
        kiệt kim lệ liên liễu lợi luân lực ly mạnh mến mỹ my bảo bích bắc ánh ân ái bằng cảnh chi chí chiến chính chung \
        cúc cương danh diễm diệp diệu dung duy duyên đan điệp định đông đồng giáp hân hảo hạ hiệp hoài hoan hưng hưởng \
        bé ba bốn năm sáu bảy tám chín mười út tư ý yên đại đạo đắc đăng đường phường xã huyện tỉnh phố thôn ấp số quận \
        tổ khu bệnh viện khoa phòng bác sĩ trạm tế y tế nghề nội ngoại nhi sản chụp siêu âm cắt lớp vi tính cộng hưởng từ \
        ngực bụng sọ não cột sống thắt lưng khớp gối vai thẳng nghiêng chẩn đoán không thấy bất thường và của có các \
        được trong cho với người này là độ bên phải trái trên dưới
        """.split(separator: " ").map(String.init))

    private static let tones = ["", "\u{0300}", "\u{0309}", "\u{0303}", "\u{0301}", "\u{0323}"]

    /// Judges a word of letters. Without any mark only its shape counts, because names are typed without marks, too.
    static func judge(_ word: some Collection<Unicode.Scalar>) -> Judgement {
        guard (1...7).contains(word.count) else { return .impossible }
        var shape = String.UnicodeScalarView()
        var composed = String.UnicodeScalarView()
        var tone = 0
        var tonedAt: Int?
        var isMarked = false
        for scalar in word {
            if let letter = VietnameseLetter.all[scalar] {
                shape.append(letter.letter)
                composed.append(letter.tone > 0 ? VietnameseSyllable.small(letter) : letter.letter)
                if letter.letter.value >= 0x80 { isMarked = true }
                if letter.tone > 0 {
                    // A syllable has one tone.
                    guard tone == 0 else { return .impossible }
                    tone = letter.tone
                    tonedAt = shape.count - 1
                }
            } else if scalar.value < 0x80, scalar.properties.isAlphabetic {
                let small = Unicode.Scalar(UInt8(scalar.value) | 0x20)
                shape.append(small)
                composed.append(small)
            } else {
                return .impossible
            }
        }
        let text = String(shape)
        guard isShaped(Array(shape), tonedAt: tonedAt) else { return .impossible }
        if tone > 0 || isMarked {
            // Before a stop there are two tones only.
            let stops = ["c", "ch", "p", "t"].contains { text.hasSuffix($0) }
            if stops, tone != 4, tone != 5 { return .impossible }
        }
        return commonWords.contains(String(composed)) ? .common : .possible
    }

    private static func small(_ letter: VietnameseLetter) -> Unicode.Scalar {
        VietnameseLetter.vowels.first { $0[0] == letter.letter }?[letter.tone] ?? letter.letter
    }

    /// Whether a syllable can be divided into an onset and a rime, with the tone where it is written.
    private static func isShaped(_ shape: [Unicode.Scalar], tonedAt tone: Int?) -> Bool {
        onsets.contains { onset in
            guard shape.starts(with: onset) else { return false }
            let rime = shape[onset.count...]
            let text = String(String.UnicodeScalarView(rime))
            guard rimes.contains(text) || onset == ["q", "u"] && rimesOfQu.contains(text) else { return false }
            // `iê` is written `yê` where nothing stands before it.
            if text.hasPrefix("yê"), !onset.isEmpty, onset != ["q", "u"] { return false }
            return tone.map { isTonePlace($0 - onset.count, in: Array(rime)) } ?? true
        }
    }

    /// Where in a rime the tone is written, in the old or the new way (hòa, hoà).
    private static func isTonePlace(_ place: Int, in rime: [Unicode.Scalar]) -> Bool {
        if let marked = rime.lastIndex(where: { $0.value >= 0x80 }) { return place == marked }
        let vowels = rime.indices.filter { "aeiouy".unicodeScalars.contains(rime[$0]) }
        let isOpen = vowels.last == rime.indices.last
        switch vowels.count {
        case 1: return place == vowels[0]
        case 2 where isOpen && [["o", "a"], ["o", "e"], ["u", "y"]].contains(rime): return vowels.contains(place)
        case 2: return place == vowels[isOpen ? 0 : 1]
        default: return place == vowels[1]
        }
    }
}
