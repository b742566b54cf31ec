// Thousands of Vietnamese names, each written in every way that consoles and people write it.

import DICOMCore
import Foundation
import Testing

@Suite("Vietnamese names")
struct VietnameseNameTests {
    @Test(
        "However a name is written it folds to the same key, and finds itself", arguments: 1...4 as ClosedRange<UInt64>)
    func everyWriting(seed: UInt64) {
        var dice = Dice(state: seed)
        for _ in 0..<1500 {
            let name = MadeUpName(&dice)
            let spellings = name.spellings(&dice)
            let keys = spellings.map { Fold.fold($0) }
            #expect(keys.allSatisfy { $0 == name.plain }, "\(spellings) \(keys)")
            // A stored name, and a question typed otherwise: words in any order, or a beginning of each.
            let words = spellings[Int.random(in: 0..<spellings.count, using: &dice)].split { " ^".contains($0) }
            let question = words.shuffled(using: &dice).joined(separator: Bool.random(using: &dice) ? " " : "^")
            let pattern = PersonNamePattern(question)
            #expect(pattern.matches(folded: name.plain), "\(question) \(name.plain)")
            #expect(pattern.searchWords.allSatisfy { name.plain.contains($0) })
            #expect(PersonNamePattern(words[0] + "*").matches(folded: name.plain))
            // What an ASCII console is given, and sends back, is the same person.
            #expect(
                Fold.fold(String(decoding: OutputCharacterSet.ascii.encode(spellings[0]), as: UTF8.self)) == name.plain)
        }
    }

    @Test("A name with another word in it is another name")
    func otherNames() {
        var dice = Dice(state: 5)
        var apart = 0
        for _ in 0..<3000 {
            let (one, other) = (MadeUpName(&dice), MadeUpName(&dice))
            if one.plain.split(separator: " ").sorted() == other.plain.split(separator: " ").sorted() { continue }
            apart += 1
            #expect(!PersonNamePattern(one.spellings(&dice)[0]).matches(folded: other.plain))
        }
        #expect(apart > 2900)
    }
}

private struct Dice: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (state ^ (state >> 29)) &* 0xBF58_476D_1CE4_E5B9
    }
}

/// Two to five syllables. What they fold to is known from how they are built, not from the code under test.
private struct MadeUpName {
    private struct Syllable {
        var initial: String
        var rhyme: Rhyme
        var tone: Int
    }

    /// Letters of a rhyme: a base, the mark of its quality if it has one, and where tones go in the new and the old style.
    private struct Rhyme {
        let bases: String
        let qualities: [Int: String]
        let toneNew: Int
        let toneOld: Int

        init(_ bases: String, _ qualities: [Int: String] = [:], tone: Int, old: Int? = nil) {
            (self.bases, self.qualities, toneNew, toneOld) = (bases, qualities, tone, old ?? tone)
        }
    }

    private static let (circumflex, breve, horn) = ("\u{302}", "\u{306}", "\u{31B}")
    private static let tones = ["", "\u{300}", "\u{309}", "\u{303}", "\u{301}", "\u{323}"]
    private static let initials = [
        "", "b", "c", "ch", "d", "đ", "gi", "h", "kh", "l", "m", "n", "ng", "nh", "ph", "qu", "r", "s", "t", "th", "tr",
        "v", "x",
    ]
    private static let rhymes = [
        Rhyme("a", tone: 0), Rhyme("an", [0: circumflex], tone: 0), Rhyme("ang", [0: breve], tone: 0),
        Rhyme("ao", tone: 0), Rhyme("e", [0: circumflex], tone: 0), Rhyme("en", tone: 0), Rhyme("inh", tone: 0),
        Rhyme("oa", tone: 1, old: 0), Rhyme("oe", tone: 1, old: 0), Rhyme("oan", tone: 1),
        Rhyme("o", [0: horn], tone: 0),
        Rhyme("ong", [0: circumflex], tone: 0), Rhyme("uy", tone: 1, old: 0), Rhyme("uyen", [2: circumflex], tone: 2),
        Rhyme("uong", [0: horn, 1: horn], tone: 1), Rhyme("ung", [0: horn], tone: 0),
        Rhyme("uan", [1: circumflex], tone: 1),
        Rhyme("yen", [1: circumflex], tone: 1), Rhyme("y", tone: 0), Rhyme("ieu", [1: circumflex], tone: 1),
    ]

    private let syllables: [Syllable]

    init(_ dice: inout Dice) {
        syllables = (0..<Int.random(in: 2...5, using: &dice)).map { _ in
            Syllable(
                initial: Self.initials.randomElement(using: &dice) ?? "",
                rhyme: Self.rhymes.randomElement(using: &dice)!,
                tone: Int.random(in: 0..<6, using: &dice))
        }
    }

    /// The key that is expected: capitals without marks.
    var plain: String {
        syllables.map { ($0.initial.replacing("đ", with: "d") + $0.rhyme.bases).uppercased() }.joined(separator: " ")
    }

    /// Letters with combining marks.
    private func text(oldStyle: Bool, toneFirst: Bool) -> String {
        let words = syllables.map { syllable in
            let place = oldStyle ? syllable.rhyme.toneOld : syllable.rhyme.toneNew
            let rhyme = syllable.rhyme.bases.enumerated().map { index, base in
                let quality = syllable.rhyme.qualities[index] ?? ""
                let tone = index == place ? Self.tones[syllable.tone] : ""
                return String(base) + (toneFirst ? tone + quality : quality + tone)
            }
            let word = syllable.initial + rhyme.joined()
            return word.prefix(1).uppercased() + word.dropFirst()
        }
        return words.joined(separator: " ")
    }

    /// NFC and NFD, both styles of tones, marks in the order of typing, capitals, none, carets, another D.
    func spellings(_ dice: inout Dice) -> [String] {
        let modern = text(oldStyle: false, toneFirst: false).precomposedStringWithCanonicalMapping
        let old = text(oldStyle: true, toneFirst: false).precomposedStringWithCanonicalMapping
        let carets = modern.replacing(" ", with: "^")
        return [
            modern, modern.decomposedStringWithCanonicalMapping, old, old.decomposedStringWithCanonicalMapping,
            text(oldStyle: Bool.random(using: &dice), toneFirst: true), modern.uppercased(), old.lowercased(),
            modern.uppercased().decomposedStringWithCanonicalMapping, plain, plain.lowercased(), carets, carets + "^^",
            "  " + modern.replacing(" ", with: "   ") + " ", modern.replacing("Đ", with: "Ð").replacing("đ", with: "ð"),
        ]
    }
}
