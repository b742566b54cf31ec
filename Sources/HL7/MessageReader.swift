// Reading messages: strict about what cannot be understood, tolerant of all that senders do to line ends and tails.

extension Message {
    /// Reads one message.
    ///
    /// Lines may end with CR, LF or both; blank lines and a byte order mark before the first, missing or superfluous
    /// separators at the end of a segment, segment names in small letters and segments that nobody knows are all
    /// taken. A line without any separator that is no segment belongs to the text before it.
    package init(parsing text: String, limits: ReadingLimits = ReadingLimits()) throws(HL7Failure) {
        let bytes = Array(text.utf8)
        guard bytes.count <= limits.bytes else { throw .tooLarge(limit: limits.bytes) }
        let start = MessageHeader.start(of: bytes)
        guard start < bytes.count else { throw .empty }
        let separators = try MessageHeader.separators(bytes[start...])
        let lines = try MessageReader.lines(bytes[start...], separators, limits)
        let reader = MessageReader(separators: separators, limits: limits)
        var segments: [Segment] = []
        segments.reserveCapacity(lines.count)
        var occurrences: [String: Int] = [:]
        for line in lines {
            let name = String(decoding: line.prefix(3), as: UTF8.self).uppercased()
            occurrences[name, default: 0] += 1
            if name == "MSH", !segments.isEmpty {
                throw .invalid(Location("MSH", occurrence: 2), "a second message in the same frame")
            }
            segments.append(try reader.segment(line, name: name, occurrence: occurrences[name, default: 1]))
        }
        self.init(separators: separators, segments)
    }
}

/// What is known of a message before its text is decoded: separators, and the character set in MSH-18.
enum MessageHeader {
    /// Behind blank lines and byte order mark.
    static func start(of bytes: [UInt8]) -> Int {
        var at = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        while at < bytes.count, bytes[at] <= 0x20 { at += 1 }
        return at
    }

    static func separators(_ bytes: ArraySlice<UInt8>) throws(HL7Failure) -> Separators {
        let name = bytes.prefix(3).map { (0x61...0x7A).contains($0) ? $0 - 0x20 : $0 }
        if name == Array("FHS".utf8) || name == Array("BHS".utf8) { throw .batch }
        guard name == Array("MSH".utf8), bytes.count > 3 else { throw .noHeader }
        let field = bytes[bytes.startIndex + 3]
        let rest = bytes.dropFirst(4)
        // As long as MSH-2 can be, written badly.
        let encoding = rest.prefix(16).prefix { $0 != field && $0 != 0x0D && $0 != 0x0A }
        return try Separators(field: field, encoding: Array(encoding))
    }

    /// A field of the first line by the separators that it declares, as bytes; nil when there is none.
    static func field(_ number: Int, of bytes: [UInt8]) -> [UInt8]? {
        let line = bytes[start(of: bytes)...].prefix { $0 != 0x0D && $0 != 0x0A }.prefix(4096)
        guard line.count > 3 else { return nil }
        let separator = line[line.startIndex + 3]
        let fields = line.split(separator: separator, omittingEmptySubsequences: false)
        return fields.count >= number ? Array(fields[number - 1]) : nil
    }
}

/// Divides lines into fields and smaller pieces.
struct MessageReader {
    let separators: Separators
    let limits: ReadingLimits

    /// The segments' bytes; a line that goes on with the text of the one before is joined to it by a line feed.
    static func lines(
        _ bytes: ArraySlice<UInt8>, _ separators: Separators, _ limits: ReadingLimits
    ) throws(HL7Failure) -> [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        var number = 0
        for line in bytes.split(whereSeparator: { $0 == 0x0D || $0 == 0x0A }) {
            if line.allSatisfy({ $0 <= 0x20 }) { continue }
            number += 1
            let name = line.prefix { $0 != separators.field }
            if isName(name) {
                guard lines.count < limits.segments else { throw .tooMany("segments", limit: limits.segments, at: nil) }
                lines.append(line)
            } else if name.count == line.count, let last = lines.popLast() {
                // The pieces lie behind one another in the same bytes: only the line ends between them are new.
                lines.append(bytes[last.startIndex..<line.endIndex])
            } else {
                throw .notASegment(line: number)
            }
        }
        return lines
    }

    private static func isName(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard bytes.count == 3, let first = bytes.first, (0x41...0x5A).contains(first & 0xDF) else { return false }
        return bytes.allSatisfy { (0x41...0x5A).contains($0 & 0xDF) || (0x30...0x39).contains($0) }
    }

    func segment(_ line: ArraySlice<UInt8>, name: String, occurrence: Int) throws(HL7Failure) -> Segment {
        // MSH-1 is the character behind the name, so that MSH-2 is what follows it.
        let isHeader = name == "MSH"
        var fields: [Field] = isHeader ? [.absent, .absent] : []
        let parts = line.dropFirst(4).split(separator: separators.field, omittingEmptySubsequences: false)
        for part in isHeader ? parts.dropFirst() : parts[...] {
            let location = Location(name, occurrence: occurrence, fields.count + 1)
            guard fields.count < limits.fields else {
                throw .tooMany("fields", limit: limits.fields, at: Location(name, occurrence: occurrence))
            }
            fields.append(try field(part, location))
        }
        return Segment(name, fields)
    }

    private func field(_ bytes: ArraySlice<UInt8>, _ location: Location) throws(HL7Failure) -> Field {
        if bytes.isEmpty { return .absent }
        let parts = try split(bytes, separators.repetition, "repetitions", limits.repetitions, location)
        var repetitions: [Repetition] = []
        for part in parts {
            var components: [Component] = []
            for part in try split(part, separators.component, "components", limits.components, location) {
                let values = try split(
                    part, separators.subcomponent, "subcomponents", limits.subcomponents, location)
                components.append(Component(values.map(value)))
            }
            repetitions.append(Repetition(components))
        }
        return Field(repetitions)
    }

    private func split(
        _ bytes: ArraySlice<UInt8>, _ separator: UInt8, _ what: String, _ limit: Int, _ location: Location
    ) throws(HL7Failure) -> [ArraySlice<UInt8>] {
        let parts = bytes.split(separator: separator, maxSplits: limit, omittingEmptySubsequences: false)
        guard parts.count <= limit else { throw .tooMany(what, limit: limit, at: location) }
        return parts
    }

    /// A value with its escape sequences resolved; an escape character that begins none stands for itself.
    private func value(_ bytes: ArraySlice<UInt8>) -> Value {
        if bytes.isEmpty { return .absent }
        if bytes.elementsEqual([0x22, 0x22]) { return .null }
        guard bytes.contains(separators.escape) || bytes.contains(0x0D) else {
            return Value(String(decoding: bytes, as: UTF8.self))
        }
        var runs: [Value.Run] = []
        var plain: [UInt8] = []
        var at = bytes.startIndex
        while at < bytes.endIndex {
            let byte = bytes[at]
            if byte == 0x0D {
                // Only joined lines hold line ends: CR, LF or both are one.
                plain.append(0x0A)
                at += at + 1 < bytes.endIndex && bytes[at + 1] == 0x0A ? 2 : 1
                continue
            }
            guard byte == separators.escape, let (sequence, next) = sequence(bytes[at...]) else {
                plain.append(byte)
                at += 1
                continue
            }
            if let characters = characters(of: sequence) {
                plain += characters
            } else {
                if !plain.isEmpty { runs.append(.plain(String(decoding: plain, as: UTF8.self))) }
                plain = []
                runs.append(.sequence(String(decoding: sequence, as: UTF8.self)))
            }
            at = next
        }
        if runs.isEmpty { return Value(String(decoding: plain, as: UTF8.self)) }
        if !plain.isEmpty { runs.append(.plain(String(decoding: plain, as: UTF8.self))) }
        return Value(content: .mixed(runs))
    }

    /// What stands between the escape character at the beginning and the next one, and where it goes on behind that.
    private func sequence(_ bytes: ArraySlice<UInt8>) -> (ArraySlice<UInt8>, Int)? {
        let rest = bytes.dropFirst().prefix(EscapeSequence.longest)
        guard let end = rest.firstIndex(of: separators.escape) else { return nil }
        let sequence = rest[..<end]
        let isSeparator = sequence.count == 1 && separators.byte(for: sequence[sequence.startIndex]) != nil
        return isSeparator || EscapeSequence.isKnown(sequence) ? (sequence, end + 1) : nil
    }

    /// The characters that a sequence stands for: separators, line breaks, and hexadecimal ones of ASCII.
    private func characters(of sequence: ArraySlice<UInt8>) -> [UInt8]? {
        if sequence.count == 1, let byte = separators.byte(for: sequence[sequence.startIndex]) { return [byte] }
        if sequence.elementsEqual([0x2E, 0x62, 0x72]) || sequence.elementsEqual([0x2E, 0x42, 0x52]) { return [0x0A] }
        guard let bytes = EscapeSequence.bytes(String(decoding: sequence, as: UTF8.self)),
            bytes.allSatisfy({ $0 < 0x80 })
        else { return nil }
        return bytes
    }
}
