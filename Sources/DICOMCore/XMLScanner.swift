// As much of XML as data sets are written in: elements, text and comments. No document type, so no entities but the five
// that every document has (XML 1.0; PS3.19 Section A.1).

/// Takes a document of strangers apart, event by event: bounded in depth, nothing is ever fetched or expanded.
struct XMLScanner {
    /// What comes next.
    enum Event: Equatable {
        /// The name without its prefix.
        case open(String, [String: String])
        case close
        /// Text between tags, as it is meant.
        case text(String)
    }

    /// Elements inside each other: an attribute and an item for each sequence of a data set.
    private static let deepest = 2 * ReadLimits.standard.depth
    private static let longestName = 128
    private static let mostAttributes = 32

    private let bytes: [UInt8]
    private var at: Int
    /// The names of the elements that are open, with their prefixes.
    private var open: [ArraySlice<UInt8>] = []
    private var closesNext = false
    private var hasRoot = false

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        at = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    }

    /// The next event; nil at the end of a whole document.
    mutating func next() throws(TextDataSetFailure) -> Event? {
        if closesNext {
            closesNext = false
            open.removeLast()
            return .close
        }
        while at < bytes.count {
            if bytes[at] != UInt8(ascii: "<") {
                let text = try text()
                if !open.isEmpty { return .text(text) }
                guard text.utf8.allSatisfy(Self.isSpace) else { throw .malformed }
            } else if has("<!--") {
                try skip("-->", from: at + 4)
            } else if has("<?") {
                try skip("?>", from: at + 2)
            } else if has("<![CDATA[") {
                let start = at + 9
                try skip("]]>", from: start)
                guard !open.isEmpty, let text = String(validating: bytes[start..<at - 3], as: UTF8.self) else {
                    throw .malformed
                }
                return .text(text)
            } else if has("</") {
                return try close()
            } else {
                return try element()
            }
        }
        guard open.isEmpty, hasRoot else { throw .malformed }
        return nil
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }

    private func has(_ mark: StaticString) -> Bool { bytes[at...].starts(with: mark.description.utf8) }

    /// Goes behind the next place of a mark.
    private mutating func skip(_ mark: StaticString, from start: Int) throws(TextDataSetFailure) {
        let mark = Array(mark.description.utf8)
        guard start <= bytes.count, let found = bytes[start...].firstRange(of: mark) else { throw .malformed }
        at = found.upperBound
    }

    private mutating func skipSpace() { while at < bytes.count, Self.isSpace(bytes[at]) { at += 1 } }

    /// Line ends are one character (XML 1.0 Section 2.11).
    private mutating func text() throws(TextDataSetFailure) -> String {
        let end = bytes[at...].firstIndex(of: UInt8(ascii: "<")) ?? bytes.count
        defer { at = end }
        return try decoded(bytes[at..<end])
    }

    private mutating func close() throws(TextDataSetFailure) -> Event {
        at += 2
        let name = try name()
        skipSpace()
        guard at < bytes.count, bytes[at] == UInt8(ascii: ">"), open.popLast() == name else { throw .malformed }
        at += 1
        return .close
    }

    /// A start tag; declarations of a document type end here as well, as no name begins with an exclamation mark.
    private mutating func element() throws(TextDataSetFailure) -> Event {
        at += 1
        let name = try name()
        guard !open.isEmpty || !hasRoot, open.count < Self.deepest else { throw .malformed }
        hasRoot = true
        var attributes: [String: String] = [:]
        while true {
            skipSpace()
            guard at < bytes.count else { throw .malformed }
            if bytes[at] == UInt8(ascii: ">") {
                at += 1
                break
            }
            if has("/>") {
                at += 2
                closesNext = true
                break
            }
            let (key, value) = try attribute()
            guard attributes.count < Self.mostAttributes, attributes.updateValue(value, forKey: key) == nil else {
                throw .malformed
            }
        }
        open.append(name)
        let local = name.lastIndex(of: UInt8(ascii: ":")).map { name[(name.index(after: $0))...] } ?? name
        return .open(String(decoding: local, as: UTF8.self), attributes)
    }

    private mutating func attribute() throws(TextDataSetFailure) -> (String, String) {
        let key = try name()
        skipSpace()
        guard at < bytes.count, bytes[at] == UInt8(ascii: "=") else { throw .malformed }
        at += 1
        skipSpace()
        guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") || bytes[at] == UInt8(ascii: "'"),
            let end = bytes[(at + 1)...].firstIndex(of: bytes[at])
        else { throw .malformed }
        let value = bytes[at + 1..<end]
        guard !value.contains(UInt8(ascii: "<")) else { throw .malformed }
        at = end + 1
        return (String(decoding: key, as: UTF8.self), try decoded(value))
    }

    private mutating func name() throws(TextDataSetFailure) -> ArraySlice<UInt8> {
        let start = at
        while at < bytes.count, Self.isOfName(bytes[at]) { at += 1 }
        guard at > start, at - start <= Self.longestName else { throw .malformed }
        return bytes[start..<at]
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x80...: true
        case UInt8(ascii: ":"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."): true
        default: false
        }
    }

    // MARK: References

    private func decoded(_ raw: ArraySlice<UInt8>) throws(TextDataSetFailure) -> String {
        var out: [UInt8] = []
        out.reserveCapacity(raw.count)
        var at = raw.startIndex
        while at < raw.endIndex {
            let byte = raw[at]
            at += 1
            switch byte {
            case UInt8(ascii: "&"):
                guard let end = raw[at...].prefix(12).firstIndex(of: UInt8(ascii: ";")) else { throw .malformed }
                guard let character = Self.character(raw[at..<end]) else { throw .malformed }
                out += Array(String(character).utf8)
                at = end + 1
            case 0x0D:
                out.append(0x0A)
                if at < raw.endIndex, raw[at] == 0x0A { at += 1 }
            default: out.append(byte)
            }
        }
        guard let text = String(validating: out, as: UTF8.self) else { throw .malformed }
        return text
    }

    /// What a reference stands for (XML 1.0 Sections 4.1 and 4.6).
    private static func character(_ reference: ArraySlice<UInt8>) -> Unicode.Scalar? {
        switch String(decoding: reference, as: UTF8.self) {
        case "amp": "&"
        case "lt": "<"
        case "gt": ">"
        case "quot": "\""
        case "apos": "'"
        case let text where text.hasPrefix("#x"):
            UInt32(text.dropFirst(2), radix: 16).flatMap { $0 == 0 ? nil : Unicode.Scalar($0) }
        case let text where text.hasPrefix("#"):
            UInt32(text.dropFirst()).flatMap { $0 == 0 ? nil : Unicode.Scalar($0) }
        default: nil
        }
    }
}
