// Dates and times as precise as they were given (HL7 v2.5.1 Sections 2.A.22 and 2.A.77).

/// A DTM or the first component of a TS: `YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]`.
package struct TimeStamp: Hashable, Sendable, CustomStringConvertible {
    package let year: Int
    package private(set) var month: Int?
    package private(set) var day: Int?
    package private(set) var hour: Int?
    package private(set) var minute: Int?
    /// 60 in a leap second.
    package private(set) var second: Int?
    /// The digits behind the point, one to four.
    package private(set) var fraction: String?
    /// Minutes east of UTC, nil when not said.
    package var zone: Int?

    /// A time to the second.
    package init(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int, zone: Int? = nil) {
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
        self.zone = zone
    }

    /// Reads a time; nil when it is none. Zeros for month and day, by which insurance files say that they are unknown,
    /// leave the year; ISO 8601 with dashes and colons is understood, too.
    package init?(parsing text: String) {
        var bytes = Array(text.utf8)
        while bytes.last == 0x20 { bytes.removeLast() }
        guard (4...40).contains(bytes.count) else { return nil }
        if bytes.count > 4, bytes[4] == 0x2D, bytes.count >= 8, bytes[7] == 0x2D || bytes.count == 7 {
            bytes = bytes.enumerated().filter { index, byte in
                !(index == 4 || index == 7 || index == 10 && (byte == 0x54 || byte == 0x20) || byte == 0x3A)
            }.map(\.element)
            if bytes.last == 0x5A { bytes = bytes.dropLast() + Array("+0000".utf8) }
        }
        var rest = bytes[...]
        if let sign = rest.firstIndex(where: { $0 == 0x2B || $0 == 0x2D }) {
            guard let zone = Self.zone(rest[sign...]) else { return nil }
            self.zone = zone
            rest = rest[..<sign]
        }
        if let point = rest.firstIndex(of: 0x2E) {
            let digits = rest[(point + 1)...]
            guard (1...9).contains(digits.count), digits.allSatisfy(Self.isDigit), point == 14 else { return nil }
            fraction = String(decoding: digits.prefix(4), as: UTF8.self)
            rest = rest[..<point]
        }
        guard rest.allSatisfy(Self.isDigit), [4, 6, 8, 10, 12, 14].contains(rest.count) else { return nil }
        let digits = rest.map { Int($0 - 0x30) }
        year = digits[0] * 1000 + digits[1] * 100 + digits[2] * 10 + digits[3]
        guard year > 0 else { return nil }
        let pairs = stride(from: 4, to: digits.count, by: 2).map { digits[$0] * 10 + digits[$0 + 1] }
        guard setParts(pairs) else { return nil }
    }

    private mutating func setParts(_ pairs: [Int]) -> Bool {
        guard let month = pairs.first, month > 0 else { return pairs.allSatisfy { $0 == 0 } }
        guard month <= 12 else { return false }
        self.month = month
        guard pairs.count > 1, pairs[1] > 0 else { return pairs.dropFirst().allSatisfy { $0 == 0 } }
        guard pairs[1] <= Self.days(in: month, of: year) else { return false }
        day = pairs[1]
        let limits = [23, 59, 60]
        let times = Array(pairs.dropFirst(2))
        guard zip(times, limits).allSatisfy({ $0 <= $1 }) else { return false }
        hour = times.at(1)
        minute = times.at(2)
        second = times.at(3)
        return true
    }

    package var description: String {
        var text = Self.digits(year, 4)
        for part in [month, day, hour, minute, second] {
            guard let part else { break }
            text += Self.digits(part, 2)
        }
        if let fraction { text += "." + fraction }
        if let zone { text += (zone < 0 ? "-" : "+") + Self.digits(abs(zone) / 60, 2) + Self.digits(abs(zone) % 60, 2) }
        return text
    }

    /// `YYYYMMDD` when the day is known: a DICOM date.
    package var date: String? {
        guard let month, let day else { return nil }
        return Self.digits(year, 4) + Self.digits(month, 2) + Self.digits(day, 2)
    }

    private static func zone(_ bytes: ArraySlice<UInt8>) -> Int? {
        let digits = bytes.dropFirst()
        guard digits.count == 4 || digits.count == 2, digits.allSatisfy(isDigit) else { return nil }
        let numbers = digits.map { Int($0 - 0x30) }
        let minutes = (numbers[0] * 10 + numbers[1]) * 60 + (numbers.count == 4 ? numbers[2] * 10 + numbers[3] : 0)
        guard minutes <= 14 * 60 else { return nil }
        return bytes.first == 0x2D ? -minutes : minutes
    }

    private static func days(in month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func digits(_ number: Int, _ count: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}

extension Message {
    /// The time at a place, nil when absent or null.
    package func time(_ location: Location) throws(HL7Failure) -> TimeStamp? {
        guard let text = self[location].text else { return nil }
        guard let time = TimeStamp(parsing: text) else {
            throw .invalid(location, "is not a date or time of the form YYYYMMDDHHMMSS")
        }
        return time
    }

    /// The text at a place that must have one.
    package func required(_ location: Location) throws(HL7Failure) -> String {
        guard let text = self[location].text else { throw .invalid(location, "is required and missing") }
        return text
    }
}
