// Person names: folding, patterns, wild cards (PS3.4 Sections C.2.2.2.1 and C.2.2.2.4).

import DICOMCore
import Foundation
import Testing

@Suite("Names")
struct NameTests {
    @Test(
        "Folding drops marks, case, carets and doubled spaces",
        arguments: [
            ("Nguyễn^Văn^Đức", "NGUYEN VAN DUC"), ("NGUYỄN VĂN ĐỨC", "NGUYEN VAN DUC"),
            ("nguyen van duc", "NGUYEN VAN DUC"),
            ("  Nguyễn   Văn^^Đức ^", "NGUYEN VAN DUC"), ("Hoà", "HOA"), ("Hòa", "HOA"), ("Thuý Thủy", "THUY THUY"),
            ("Đặng Thị Ngọc Ánh", "DANG THI NGOC ANH"), ("ð Ð đ Đ", "D D D D"), ("Lưu Ưng Ước Ở Ợ", "LUU UNG UOC O O"),
            ("Trương Quỳnh Như", "TRUONG QUYNH NHU"), ("Müller-Lüdenscheidt", "MULLER-LUDENSCHEIDT"), ("Łódź", "LODZ"),
            ("Strauß", "STRAUSS"), ("Ærø", "AERO"), ("Ｙａｍａｄａ", "YAMADA"),
            ("Yamada^Tarou=山田^太郎=やまだ^たろう", "YAMADA TAROU=山田 太郎=やまだ たろう"),
            ("Hong^Gildong==", "HONG GILDONG"), ("=山田", "=山田"), ("가 나", "가 나"), ("がか", "がか"), ("", ""), ("^^", ""),
            ("a\u{200B}b", "AB"),
            ("O’Brien", "O'BRIEN"), ("\u{00A0}A\u{3000}B", "A B"),
        ])
    func folding(_ name: String, _ folded: String) {
        #expect(Fold.fold(name).unicodeScalars.elementsEqual(Fold.fold(folded).unicodeScalars))
        #expect(Fold.fold(name) == folded)
    }

    @Test(
        "Composed and decomposed spelling fold and normalise alike",
        arguments: [
            "Nguyễn Văn Đức", "Trần Thị Mỹ Huyền", "ĐẶNG THÀNH ƯỚC", "Hoà Hòa Thuý Thúy", "Lý Ỷ Ỵ Ỡ Ự Ẫ Ặ Ệ",
            "Jérôme Ångström",
            "Διονύσιος", "がぎぐ", "홍^길동 김",
        ])
    func normalisation(_ name: String) {
        let composed = name.precomposedStringWithCanonicalMapping
        let decomposed = name.decomposedStringWithCanonicalMapping
        #expect(!composed.unicodeScalars.elementsEqual(decomposed.unicodeScalars))
        #expect(Fold.fold(composed).unicodeScalars.elementsEqual(Fold.fold(decomposed).unicodeScalars))
        #expect(Normalization.composed(decomposed).unicodeScalars.elementsEqual(composed.unicodeScalars))
        #expect(Normalization.composed(composed).unicodeScalars.elementsEqual(composed.unicodeScalars))
        // A typist's order of marks: tone first, then the vowel's own.
        #expect(Normalization.composed("e\u{0303}\u{0323}\u{0302}") == "e\u{0303}\u{0323}\u{0302}")
    }

    @Test("Every Vietnamese letter folds to its Latin letter")
    func alphabet() {
        let families = [
            "A": "aàảãáạăằẳẵắặâầẩẫấậ", "E": "eèẻẽéẹêềểễếệ", "I": "iìỉĩíị", "O": "oòỏõóọôồổỗốộơờởỡớợ",
            "U": "uùủũúụưừửữứự", "Y": "yỳỷỹýỵ", "D": "dđ",
        ]
        for (base, letters) in families {
            for letter in letters {
                for form in [String(letter), String(letter).uppercased()] {
                    #expect(Fold.fold(form) == base)
                    #expect(Fold.fold(form.decomposedStringWithCanonicalMapping) == base)
                    #expect(OutputCharacterSet.ascii.encode(form).count == 1)
                }
            }
        }
    }

    struct Match: Sendable, CustomTestStringConvertible {
        let query: String
        let name: String
        let matches: Bool
        init(_ query: String, _ name: String, _ matches: Bool) {
            self.query = query
            self.name = name
            self.matches = matches
        }
        var testDescription: String { "\(query) \(matches ? "finds" : "does not find") \(name)" }
    }

    static let matches = [
        Match("nguyen van duc", "Nguyễn Văn Đức", true), Match("nguyen van duc", "Nguyễn^Văn^Đức", true),
        Match("NGUYEN^VAN DUC", "Nguyễn Văn Đức", true), Match("duc nguyen van", "Nguyễn Văn Đức", true),
        Match("Đức^Nguyễn Văn", "NGUYEN VAN DUC", true),
        Match("Nguye\u{0302}\u{0303}n Văn Đức", "Nguyễn^Văn^Đức", true),
        Match("nguyen van", "Nguyễn Văn Đức", false), Match("nguyen van duc anh", "Nguyễn Văn Đức", false),
        Match("nguyen van duc", "Nguyễn Văn Dục", true), Match("nguyen van tan", "Nguyễn Văn Đức", false),
        Match("hoà", "Hòa", true), Match("HÒA BÌNH", "bình^hoà", true),
        Match("nguyen*", "Nguyễn Văn Đức", true), Match("*duc", "Nguyễn Văn Đức", true),
        Match("*van*", "Nguyễn Văn Đức", true), Match("*guy*", "Nguyễn Văn Đức", true),
        Match("duc* ngu*", "Nguyễn Văn Đức", true), Match("van* van*", "Nguyễn Văn Đức", false),
        Match("n?uyen*", "Nguyễn Văn Đức", true), Match("tran*", "Nguyễn Văn Đức", false),
        Match("SMITH^*", "Smith", true), Match("SMITH^*", "Smith^John", true), Match("SMITH^J*", "Smith^John", true),
        Match("SMITH^J*", "Smith", false), Match("J* SMITH", "Smith^John", true), Match("smith", "Smith^John", false),
        Match("a* a", "ab a", true), Match("a a*", "ab a", true), Match("*", "", true), Match("", "Anyone", true),
        Match("山田*", "Yamada^Tarou=山田^太郎=やまだ^たろう", true), Match("yamada tarou", "Yamada^Tarou=山田^太郎", true),
        Match("太郎^山田", "Yamada^Tarou=山田^太郎", true), Match("yamada 太郎", "Yamada^Tarou=山田^太郎", false),
        Match("Yamada*=山田*", "Yamada^Tarou=山田^太郎", true), Match("Suzuki*=山田*", "Yamada^Tarou=山田^太郎", false),
        Match("nguyen", "", false), Match("?*", "", false),
    ]

    @Test("A name is found in any order of words, with and without caret and marks", arguments: matches)
    func matching(_ match: Match) {
        let pattern = PersonNamePattern(match.query)
        let folded = Fold.fold(match.name)
        #expect(pattern.matches(folded: folded) == match.matches)
        if match.matches {
            // What a search index is asked for first must never lose a match.
            #expect(pattern.searchWords.allSatisfy { folded.contains($0) })
        }
    }

    @Test("Search words are what every match contains")
    func searchWords() {
        #expect(PersonNamePattern("*nguyen* v?n").searchWords == ["NGUYEN", "V", "N"])
        #expect(PersonNamePattern("*").searchWords.isEmpty && PersonNamePattern("*").isUniversal)
        #expect(!PersonNamePattern("a*").isUniversal)
    }

    @Test(
        "Wild cards (PS3.4 Section C.2.2.2.4)",
        arguments: [
            ("*", "", true), ("*", "abc", true), ("a*c", "abc", true), ("a*c", "ac", true), ("a*c", "acb", false),
            ("a?c", "abc", true), ("a?c", "ac", false), ("?", "ễ", true), ("*ễn", "Nguyễn", true), ("", "", true),
            ("", "a", false),
            ("a", "A", false), ("*a*b*c*", "xaxbxcx", true), ("*a*b*c*", "xcxbxax", false), ("**", "a", true),
            ("?*?", "a", false),
            ("abc", "abcd", false), ("a*b?", "aXbYbZ", true),
        ])
    func wildcards(_ pattern: String, _ value: String, _ matches: Bool) {
        #expect(Wildcard.matches(pattern: pattern, value: value) == matches)
    }

    @Test("A hostile pattern does not explode")
    func hostilePattern() {
        let pattern = String(repeating: "a*", count: 400) + "b"
        #expect(!Wildcard.matches(pattern: pattern, value: String(repeating: "a", count: 2000)))
        let words = PersonNamePattern(String(repeating: "a* ", count: 5000))
        #expect(!words.matches(folded: Fold.fold(String(repeating: "b ", count: 5000))))
    }

    @Test("A letter with more marks than any script has is left as it is, at once")
    func hostileMarks() {
        // Composed, this many would take half a minute.
        let text = "A" + String(repeating: "\u{0301}\u{0323}", count: 100_000)
        #expect(Normalization.composed(text).utf8.count == text.utf8.count)
        #expect(Fold.fold("\u{1100}\u{1161}" + text).hasSuffix("A"))
        let most = "A" + String(repeating: "\u{0323}", count: 30)
        #expect(Normalization.composed(most).unicodeScalars.count == 30)
    }
}
