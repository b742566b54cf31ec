// Who is named in an object: what must not stand anywhere else in it either.

import DICOMCore

/// Words of names, and identifiers, folded as searches fold them.
struct KnownIdentity {
    /// Words of two letters and more, and names written as one word.
    private var words: Set<String> = []
    /// Whole names, of words that are too short by themselves as well.
    private var names: Set<String> = []
    /// Identifiers and institutions, compared inside texts.
    private var phrases: Set<String> = []
    /// More than any object names.
    private static let most = 2_000

    private static let identifiers: Set<Tag> = [
        Tag(0x0008, 0x0050), Tag(0x0010, 0x0020), Tag(0x0010, 0x1000), Tag(0x0010, 0x1040), Tag(0x0010, 0x1090),
        Tag(0x0010, 0x2154), Tag(0x0038, 0x0010), Tag(0x0008, 0x0080), Tag(0x0008, 0x0081), Tag(0x0008, 0x1010),
        Tag(0x0032, 0x1033), Tag(0x0040, 0x1001), Tag(0x0040, 0x2016), Tag(0x0040, 0x2017), Tag(0x0018, 0x1000),
    ]

    private let kept: Set<Tag>

    /// - Parameter kept: attributes that stay as they are: what they say is told to nobody by standing elsewhere.
    init(_ dataSet: DataSet, keeping kept: Set<Tag> = []) {
        self.kept = kept
        gather(dataSet)
    }

    private mutating func gather(_ dataSet: DataSet) {
        for element in dataSet.elements {
            if element.vr == .SQ {
                for item in dataSet.items(of: element) { gather(item) }
            } else if element.vr == .PN || DataDictionary.vr(of: element.tag) == .PN {
                for name in dataSet.values(of: element) { gather(name: name) }
            } else if Self.identifiers.contains(element.tag), !kept.contains(element.tag) {
                for value in dataSet.values(of: element) {
                    let phrase = Fold.fold(value)
                    if phrase.count >= 4, phrases.count < Self.most { phrases.insert(phrase) }
                }
            }
        }
    }

    private mutating func gather(name: String) {
        for group in name.split(separator: "=") {
            // Prefix and suffix are titles, by which nobody is known (PS3.5 Section 6.2.1.1).
            let components = group.split(separator: "^", omittingEmptySubsequences: false)
            let own = components.prefix(3).flatMap { Self.words(of: String($0)) }
            let titles = components.dropFirst(3).flatMap { Self.words(of: String($0)) }.filter { $0.count >= 3 }
            guard words.count < Self.most else { return }
            words.formUnion((own + titles).filter { $0.count >= 2 })
            guard own.count > 1 else { continue }
            // Written as it is, and given name first.
            for order in [own, Array(own.dropFirst() + own.prefix(1))] {
                names.insert(Self.bounded(order))
                words.insert(order.joined())
            }
        }
    }

    /// Whether a text has a word of a name, or an identifier, in it.
    func isEchoed(in text: String) -> Bool {
        if words.isEmpty, phrases.isEmpty { return false }
        let folded = Fold.fold(text)
        let inText = Self.words(of: folded)
        if inText.contains(where: words.contains) { return true }
        let bounded = Self.bounded(inText)
        return names.contains { bounded.contains($0) } || phrases.contains { folded.contains($0) }
    }

    /// Words between spaces, so that one is found as a whole.
    private static func bounded(_ words: [String]) -> String { " " + words.joined(separator: " ") + " " }

    private static func words(of text: String) -> [String] {
        Fold.fold(text).split { !$0.isLetter && !$0.isNumber }.map(String.init)
    }
}
