// Decodes text with code extensions: escape sequences that change the character set (PS3.5 Section 6.1.2.4, ISO/IEC 2022).

struct ISO2022Decoder {
    /// The sets that bytes below 80H can mean.
    private enum Left { case ascii, jisX0208, jisX0212 }

    private let initialRight: Repertoire?
    private let isPersonName: Bool
    private var left = Left.ascii
    private var right: Repertoire?
    private var text = String.UnicodeScalarView()
    private var converters: [String: Iconv] = [:]
    /// Whether an escape sequence was none that is known, or bytes had no set that says what they are.
    private(set) var hasGuessed = false

    init(initial: Repertoire, isPersonName: Bool) {
        initialRight = initial == .ascii ? nil : initial
        right = initialRight
        self.isPersonName = isPersonName
    }

    /// Escape sequences after ESC (PS3.3 Tables C.12-3 and C.12-4).
    private static let leftSets: [([UInt8], Left)] = [
        ([0x28, 0x42], .ascii), ([0x28, 0x4A], .ascii), ([0x24, 0x42], .jisX0208), ([0x24, 0x40], .jisX0208),
        ([0x24, 0x28, 0x44], .jisX0212),
    ]
    private static let rightSets: [([UInt8], Repertoire)] = [
        ([0x2D, 0x41], .latin1), ([0x2D, 0x42], .singleByte("ISO-8859-2")), ([0x2D, 0x43], .singleByte("ISO-8859-3")),
        ([0x2D, 0x44], .singleByte("ISO-8859-4")), ([0x2D, 0x4C], .singleByte("ISO-8859-5")),
        ([0x2D, 0x47], .singleByte("ISO-8859-6")), ([0x2D, 0x46], .singleByte("ISO-8859-7")),
        ([0x2D, 0x48], .singleByte("ISO-8859-8")), ([0x2D, 0x4D], .singleByte("ISO-8859-9")),
        ([0x2D, 0x62], .singleByte("ISO-8859-15")), ([0x2D, 0x54], .singleByte("TIS-620")), ([0x29, 0x49], .jisX0201),
        ([0x24, 0x29, 0x43], .ksX1001), ([0x24, 0x29, 0x41], .gb2312),
    ]

    mutating func decode(_ bytes: ArraySlice<UInt8>) -> String {
        var at = bytes.startIndex
        while at < bytes.endIndex {
            let byte = bytes[at]
            if byte == 0x1B {
                at += 1 + designate(bytes[(at + 1)...].prefix(3))
            } else if byte >= 0x80 {
                let run = bytes[at...].prefix { $0 >= 0x80 }
                appendRight(run)
                at = run.endIndex
            } else if left != .ascii, (0x21...0x7E).contains(byte) {
                let run = bytes[at...].prefix { (0x21...0x7E).contains($0) }
                appendDoubleByte(run)
                at = run.endIndex
            } else {
                text.append(Unicode.Scalar(byte))
                if isDelimiter(byte) { reset() }
                at += 1
            }
        }
        return String(text)
    }

    /// Takes one escape sequence and answers its length after ESC; an unknown one is only skipped.
    private mutating func designate(_ rest: ArraySlice<UInt8>) -> Int {
        for (sequence, set) in ISO2022Decoder.leftSets where rest.starts(with: sequence) {
            left = set
            return sequence.count
        }
        for (sequence, set) in ISO2022Decoder.rightSets where rest.starts(with: sequence) {
            right = set
            return sequence.count
        }
        hasGuessed = true
        return 0
    }

    /// At the end of a line, a value or a name's component the initial sets are back (PS3.5 Section 6.1.2.5.3). Writers
    /// that forget to repeat the escape are forgiven where nothing else could read their bytes.
    private mutating func reset() {
        left = .ascii
        if initialRight != nil { right = initialRight }
    }

    private func isDelimiter(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x5C, 0x0A, 0x0C, 0x0D, 0x09: true
        case 0x5E, 0x3D: isPersonName
        default: false
        }
    }

    private mutating func appendRight(_ run: ArraySlice<UInt8>) {
        switch right {
        case .ksX1001: convert(run, from: "EUC-KR")
        case .gb2312: convert(run, from: "EUC-CN")
        case .jisX0201:
            // Half-width katakana; DFH and below A1H are not assigned.
            for byte in run {
                let scalar = (0xA1...0xDF).contains(byte) ? Unicode.Scalar(0xFF61 + UInt32(byte) - 0xA1) : nil
                text.append(scalar ?? "\u{FFFD}")
            }
        case .singleByte(let name):
            let table = SingleByteTables.table(name)
            for byte in run { text.append(table[Int(byte) - 0x80]) }
        case .latin1: text.append(contentsOf: SpecificCharacterSet.latin1(run).unicodeScalars)
        default: appendGuess(run)
        }
    }

    /// JIS X 0208 and 0212 are read through their EUC-JP form: high bits set, 0212 behind 8FH.
    private mutating func appendDoubleByte(_ run: ArraySlice<UInt8>) {
        var encoded: [UInt8] = []
        var at = run.startIndex
        while at + 1 < run.endIndex {
            if left == .jisX0212 { encoded.append(0x8F) }
            encoded.append(run[at] | 0x80)
            encoded.append(run[at + 1] | 0x80)
            at += 2
        }
        convert(encoded[...], from: "EUC-JP")
        if at < run.endIndex { text.append("\u{FFFD}") }
    }

    private mutating func convert(_ run: ArraySlice<UInt8>, from name: String) {
        if converters[name] == nil { converters[name] = Iconv(from: name) }
        guard let decoded = converters[name]?.decode(run) else { return appendGuess(run) }
        text.append(contentsOf: decoded.unicodeScalars)
    }

    private mutating func appendGuess(_ run: ArraySlice<UInt8>) {
        let (guessed, isCertain) = SpecificCharacterSet.guess(run)
        text.append(contentsOf: guessed.unicodeScalars)
        if !isCertain { hasGuessed = true }
    }
}
