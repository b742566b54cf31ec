// Who is named in an object: what must not stand anywhere else in it either.

import DICOMCore

/// Words of names, and identifiers, folded as searches fold them.
struct KnownIdentity {
    /// Words of three letters and more.
    private var words: Set<String> = []
    /// Identifiers and institutions, compared inside texts.
    private var phrases: Set<String> = []
    /// More than any object names.
    private static let most = 2_000

    private static let identifiers: Set<Tag> = [
        Tag(0x0008, 0x0050), Tag(0x0010, 0x0020), Tag(0x0010, 0x1000), Tag(0x0010, 0x1040), Tag(0x0010, 0x1090),
        Tag(0x0010, 0x2154), Tag(0x0038, 0x0010), Tag(0x0008, 0x0080), Tag(0x0008, 0x0081), Tag(0x0008, 0x1010),
        Tag(0x0032, 0x1033), Tag(0x0040, 0x1001), Tag(0x0040, 0x2016), Tag(0x0040, 0x2017), Tag(0x0018, 0x1000),
    ]

    init(_ dataSet: DataSet) { gather(dataSet) }

    private mutating func gather(_ dataSet: DataSet) {
        for element in dataSet.elements {
            if element.vr == .SQ {
                for item in dataSet.items(of: element) { gather(item) }
            } else if element.vr == .PN || DataDictionary.vr(of: element.tag) == .PN {
                for name in dataSet.values(of: element) {
                    for word in Self.words(of: name) where word.count >= 3 && words.count < Self.most {
                        words.insert(word)
                    }
                }
            } else if Self.identifiers.contains(element.tag) {
                for value in dataSet.values(of: element) {
                    let phrase = Fold.fold(value)
                    if phrase.count >= 4, phrases.count < Self.most { phrases.insert(phrase) }
                }
            }
        }
    }

    /// Whether a text has a word of a name, or an identifier, in it.
    func isEchoed(in text: String) -> Bool {
        if words.isEmpty, phrases.isEmpty { return false }
        let folded = Fold.fold(text)
        if Self.words(of: folded).contains(where: words.contains) { return true }
        return phrases.contains { folded.contains($0) }
    }

    private static func words(of text: String) -> [String] {
        Fold.fold(text).split { !$0.isLetter && !$0.isNumber }.map(String.init)
    }
}
