// Reading only the beginning of a long text, without half a character at the end.

extension SpecificCharacterSet {
    /// As `decode`, but of at most `most` bytes.
    func decode(_ bytes: ArraySlice<UInt8>, isPersonName: Bool, most: Int) -> String {
        guard bytes.count > most else { return decode(bytes, isPersonName: isPersonName) }
        var text = decode(bytes[..<cut(bytes, most)], isPersonName: isPersonName)
        // In the sets of ISO 2022 the half of a character that is left reads as U+FFFD.
        while text.unicodeScalars.last == "\u{FFFD}" { text.unicodeScalars.removeLast() }
        return text
    }

    /// Where to cut for a prefix of at most `most` bytes: not inside a character or an escape sequence.
    private func cut(_ bytes: ArraySlice<UInt8>, _ most: Int) -> Int {
        let end = bytes.startIndex + most
        switch initial {
        case .gb18030, .gbk:
            // Second bytes look like first ones, and some like ASCII: only from the beginning can they be told.
            var at = bytes.startIndex
            while at < end {
                let next = at + SpecificCharacterSet.lengthGB18030(bytes[at...])
                if next > end { break }
                at = next
            }
            return at
        default:
            // An escape sequence, of ESC and at most three bytes, goes as a whole.
            if let escape = bytes[(end - min(3, most))..<end].lastIndex(of: 0x1B) { return escape }
            // Undeclared text is UTF-8 only where all of it is: so that half a character does not decide against it.
            var at = end
            while at > bytes.startIndex, end - at < 3, bytes[at] & 0xC0 == 0x80 { at -= 1 }
            return bytes[at] >= 0xC0 && at + SpecificCharacterSet.lengthUTF8(bytes[at]) > end ? at : end
        }
    }

    private static func lengthUTF8(_ first: UInt8) -> Int { first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2 }

    private static func lengthGB18030(_ bytes: ArraySlice<UInt8>) -> Int {
        guard let first = bytes.first, first >= 0x81, let second = bytes.dropFirst().first else { return 1 }
        return (0x30...0x39).contains(second) ? 4 : 2
    }
}
