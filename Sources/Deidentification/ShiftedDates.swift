// Dates moved by days, in the calendar that DICOM dates are of (PS3.5 Table 6.2-1).

package enum ShiftedDates {
    /// `YYYYMMDD` so many days earlier; nil for what is no date.
    package static func date(_ text: String, back days: Int) -> String? {
        let digits = Array(text.utf8)
        guard digits.count == 8, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        func number(_ range: Range<Int>) -> Int { digits[range].reduce(0) { $0 * 10 + Int($1) - 0x30 } }
        let (year, month, day) = (number(0..<4), number(4..<6), number(6..<8))
        guard year > 0, (1...12).contains(month), (1...31).contains(day) else { return nil }
        let moved = civil(self.days(year, month, day) - days)
        guard moved.year > 0 else { return nil }
        return padded(moved.year, 4) + padded(moved.month, 2) + padded(moved.day, 2)
    }

    /// A DT: its date is moved, its time stays; nil for one without a whole date.
    static func dateTime(_ text: String, back days: Int) -> String? {
        let rest = text.dropFirst(8)
        guard let date = date(String(text.prefix(8)), back: days), isTime(rest) else { return nil }
        return date + rest
    }

    /// A TM: `HHMMSS.FFFFFF` or the beginning of it.
    static func isTime(_ text: some StringProtocol) -> Bool {
        text.utf8.count <= 18
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2E || $0 == 0x2B || $0 == 0x2D }
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// Days since 0000-03-01 of the Gregorian calendar, carried back.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shifted = month > 2 ? (year, month - 3) : (year - 1, month + 9)
        let year = shifted.0
        return year * 365 + year / 4 - year / 100 + year / 400 + (153 * shifted.1 + 2) / 5 + day - 1
    }

    private static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
        guard days >= 0 else { return (0, 1, 1) }
        let era = days / 146_097
        let ofEra = days % 146_097
        let yearOfEra = (ofEra - ofEra / 1_460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * ofYear + 2) / 153
        let day = ofYear - (153 * month + 2) / 5 + 1
        return (era * 400 + yearOfEra + (month >= 10 ? 1 : 0), month < 10 ? month + 3 : month - 9, day)
    }
}
