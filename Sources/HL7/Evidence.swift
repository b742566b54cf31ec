// How Vietnamese a text is, and the capitals that only the font of old programs showed.

/// What speaks for a reading.
struct Evidence {
    /// Larger is better; negative speaks against it.
    private(set) var sum = 0.0
    private var marked = 0.0
    private var good = 0.0

    /// From 0 to 1: the share of what is not ASCII that makes sense as Vietnamese.
    var share: Double { marked == 0 ? 0 : good / marked }

    /// - Parameters:
    ///   - misses: bytes that stand for nothing in this encoding.
    ///   - rare: bytes that hardly any program wrote.
    init(_ pieces: [[Unicode.Scalar]], misses: Int = 0, rare: Int = 0) {
        for piece in pieces { add(piece) }
        marked += Double(misses)
        sum -= Double(misses) + 0.15 * Double(rare)
    }

    private mutating func add(_ scalars: [Unicode.Scalar]) {
        for word in scalars.split(whereSeparator: { !Self.isLetter($0) }) { judge(word) }
        for (index, scalar) in scalars.enumerated() where scalar.value >= 0x80 && !Self.isLetter(scalar) {
            // Inside a word a sign is a letter misread; alone it may be what it is: 5 µg, 37 °C.
            let isInWord =
                index > 0 && Self.isLetter(scalars[index - 1])
                || index + 1 < scalars.count && Self.isLetter(scalars[index + 1])
            marked += isInWord ? 1 : 0.25
            sum -= isInWord ? 1 : 0.25
        }
    }

    private mutating func judge(_ word: ArraySlice<Unicode.Scalar>) {
        let judgement = VietnameseSyllable.judge(word)
        guard word.contains(where: { $0.value >= 0x80 }) else {
            // Abbreviations say nothing.
            let hasVowel = word.contains { "aeiouyAEIOUY".unicodeScalars.contains($0) }
            if word.count > 1, hasVowel { sum += judgement == .impossible ? -1.25 : 0.2 }
            return
        }
        marked += 1
        guard judgement != .impossible, Self.hasOneCase(word) else {
            sum -= 1.5
            return
        }
        good += judgement == .common ? 1 : 0.9
        sum += judgement == .common ? 1.5 : 1
    }

    static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.value < 0x80 { return (0x41...0x5A).contains(scalar.value & 0xDF) && scalar.value >= 0x41 }
        return scalar.properties.isAlphabetic && scalar != "ª" && scalar != "º" && scalar != "µ"
    }

    static func isCapital(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isUppercase }

    /// All small, all capital, or one capital in front.
    private static func hasOneCase(_ word: ArraySlice<Unicode.Scalar>) -> Bool {
        let capitals = word.filter(isCapital).count
        return capitals == 0 || capitals == word.count || capitals == 1 && isCapital(word[word.startIndex])
    }
}

/// In the fonts of TCVN3 there are no capitals with tones: `.VnTimeH` shows the bytes of small letters as capitals, and
/// what was typed with `.VnTime` has small letters at the beginning of names.
enum FontCapitals {
    static func restore(_ text: String) -> String {
        var scalars = Array(text.unicodeScalars)
        let words = ranges(scalars)
        let isLoud = words.contains { shouts(scalars[$0]) } && !scalars.contains { (0x61...0x7A).contains($0.value) }
        for word in words where isLoud || shouts(scalars[word]) {
            for index in word { scalars[index] = capital(scalars[index]) }
        }
        capitalize(&scalars, words)
        return String(String.UnicodeScalarView(scalars))
    }

    /// Where every other word begins with a capital, the one that could not be typed is set.
    private static func capitalize(_ scalars: inout [Unicode.Scalar], _ words: [Range<Int>]) {
        let small = words.filter { !Evidence.isCapital(scalars[$0.lowerBound]) }
        guard words.count > small.count, small.allSatisfy({ isToned(scalars[$0.lowerBound]) }) else { return }
        for word in small { scalars[word.lowerBound] = capital(scalars[word.lowerBound]) }
    }

    private static func ranges(_ scalars: [Unicode.Scalar]) -> [Range<Int>] {
        scalars.indices.split(whereSeparator: { !Evidence.isLetter(scalars[$0]) }).map { $0.startIndex..<$0.endIndex }
    }

    /// A capital of ASCII behind the first letter, and no small letter of it.
    private static func shouts(_ word: ArraySlice<Unicode.Scalar>) -> Bool {
        word.dropFirst().contains { (0x41...0x5A).contains($0.value) }
            && !word.contains { (0x61...0x7A).contains($0.value) }
    }

    private static func isToned(_ scalar: Unicode.Scalar) -> Bool { (VietnameseLetter.all[scalar]?.tone ?? 0) > 0 }

    private static func capital(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        VietnameseLetter.all[scalar] == nil ? scalar : VietnameseLetter.capital(scalar)
    }
}
