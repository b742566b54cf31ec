// Dates and times as keys: single values and ranges, made comparable as text (PS3.4 Section C.2.2.2.5).

/// A date or a range of dates, both ends included; each end as YYYYMMDD.
package struct DateRange: Hashable, Sendable {
    /// First day, nil when open.
    package let lower: String?
    /// Last day, nil when open.
    package let upper: String?

    /// A range of normalised ends.
    package init(lower: String?, upper: String?) {
        self.lower = lower
        self.upper = upper
    }

    /// `20240101`, `20240101-20240131`, `20240101-`, `-20240131`; nil for anything else, and for an empty key.
    package init?(_ key: String) {
        guard let (from, to) = rangeEnds(key, separator: DateRange.separator(key)) else { return nil }
        lower = from.flatMap { DateRange.normalized($0, isUpper: false) }
        upper = to.flatMap { DateRange.normalized($0, isUpper: true) }
        if (from == nil) != (lower == nil) || (to == nil) != (upper == nil) { return nil }
    }

    /// Whether a value lies in the range.
    package func contains(_ value: String) -> Bool {
        guard let day = DateRange.normalized(value) else { return false }
        return (lower.map { $0 <= day } ?? true) && (upper.map { day <= $0 } ?? true)
    }

    /// A date as YYYYMMDD, also from the ACR-NEMA form `2024.01.31` (PS3.5 Table 6.2-1); nil when it is no date.
    package static func normalized(_ value: String) -> String? {
        normalized(value[...], isUpper: false).flatMap { value.utf8.count >= 8 ? $0 : nil }
    }

    /// A year or month alone means its first or its last day.
    static func normalized(_ value: Substring, isUpper: Bool) -> String? {
        let digits = trimmedKey(value).filter { $0 != "." }
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        let fill = isUpper ? "1231" : "0101"
        let full: String
        switch digits.utf8.count {
        case 4: full = digits + fill
        case 6: full = digits + fill.suffix(2)
        case 8: full = digits
        default: return nil
        }
        guard let month = Int(full.dropFirst(4).prefix(2)), let day = Int(full.suffix(2)) else { return nil }
        return (1...12).contains(month) && (1...31).contains(day) ? full : nil
    }

    private static func separator(_ key: String) -> String.Index? { key.firstIndex(of: "-") }
}

/// A time of day or a range of times, both ends included; each end as HHMMSS.FFFFFF.
package struct TimeRange: Hashable, Sendable {
    /// First instant, nil when open.
    package let lower: String?
    /// Last instant, nil when open.
    package let upper: String?

    /// A range of normalised ends.
    package init(lower: String?, upper: String?) {
        self.lower = lower
        self.upper = upper
    }

    /// `1030`, `1030-1100`, `1030-`, `-1100`; a single time of less than full precision is the range it covers. Nil for
    /// anything else.
    package init?(_ key: String) {
        guard let (from, to) = rangeEnds(key, separator: key.firstIndex(of: "-")) else { return nil }
        lower = from.flatMap { TimeRange.normalized($0, isUpper: false) }
        upper = to.flatMap { TimeRange.normalized($0, isUpper: true) }
        if (from == nil) != (lower == nil) || (to == nil) != (upper == nil) { return nil }
    }

    /// Whether a value lies in the range.
    package func contains(_ value: String) -> Bool {
        guard let instant = TimeRange.normalized(value) else { return false }
        return (lower.map { $0 <= instant } ?? true) && (upper.map { instant <= $0 } ?? true)
    }

    /// A time as HHMMSS.FFFFFF, what is not said being zero; also from `10:30:00`. Nil when it is no time.
    package static func normalized(_ value: String) -> String? { normalized(value[...], isUpper: false) }

    static func normalized(_ value: Substring, isUpper: Bool) -> String? {
        let text = trimmedKey(value).filter { $0 != ":" }
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first, [2, 4, 6].contains(whole.utf8.count) else { return nil }
        let fraction = parts.count == 2 ? parts[1] : ""
        guard fraction.utf8.count <= 6, fraction.isEmpty || whole.utf8.count == 6,
            (whole + fraction).utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        let clock = whole + (isUpper ? "235959" : "000000").dropFirst(whole.utf8.count)
        guard clock.prefix(2) <= "23", clock.dropFirst(2).prefix(2) <= "59", clock.suffix(2) <= "60" else { return nil }
        let filler = isUpper ? "9" : "0"
        return clock + "." + fraction + String(repeating: filler, count: 6 - fraction.utf8.count)
    }
}

/// A date-time or a range of them, both ends included; each end as YYYYMMDDHHMMSS.FFFFFF in UTC.
package struct DateTimeRange: Hashable, Sendable {
    /// First instant, nil when open.
    package let lower: String?
    /// Last instant, nil when open.
    package let upper: String?

    /// A DT key (PS3.4 Section C.2.2.2.5.1). Values without an offset are taken at `localOffset` minutes east of UTC.
    package init?(_ key: String, localOffset: Int = 0) {
        guard let (from, to) = rangeEnds(key, separator: DateTimeRange.separator(key)) else { return nil }
        lower = from.flatMap { DateTimeRange.normalized($0, isUpper: false, localOffset: localOffset) }
        upper = to.flatMap { DateTimeRange.normalized($0, isUpper: true, localOffset: localOffset) }
        if (from == nil) != (lower == nil) || (to == nil) != (upper == nil) { return nil }
    }

    /// A pair of date and time keys matched as one instant (PS3.4 Section C.2.2.2.5.4, combined date-time matching).
    /// Both ends are local, without any offset.
    package init(date: DateRange, time: TimeRange) {
        lower = date.lower.map { $0 + (time.lower ?? "000000.000000") }
        upper = date.upper.map { $0 + (time.upper ?? "235959.999999") }
    }

    /// Whether a DT value lies in the range.
    package func contains(_ value: String, localOffset: Int = 0) -> Bool {
        guard let instant = DateTimeRange.normalized(value, localOffset: localOffset) else { return false }
        return (lower.map { $0 <= instant } ?? true) && (upper.map { instant <= $0 } ?? true)
    }

    /// A DT value as YYYYMMDDHHMMSS.FFFFFF in UTC, nil when it is none.
    package static func normalized(_ value: String, localOffset: Int = 0) -> String? {
        normalized(value[...], isUpper: false, localOffset: localOffset)
    }

    static func normalized(_ value: Substring, isUpper: Bool, localOffset: Int) -> String? {
        var text = trimmedKey(value)[...]
        var offset = localOffset
        if let sign = text.lastIndex(where: { $0 == "+" || $0 == "-" }), text[sign...].utf8.count == 5 {
            guard let zone = Int(text[sign...].dropFirst()) else { return nil }
            offset = (zone / 100 * 60 + zone % 100) * (text[sign] == "-" ? -1 : 1)
            text = text[..<sign]
        }
        guard let day = DateRange.normalized(text.prefix(8), isUpper: isUpper) else { return nil }
        let clock = text.dropFirst(8)
        let filled = isUpper ? "235959.999999" : "000000.000000"
        guard let time = clock.isEmpty ? filled : TimeRange.normalized(clock, isUpper: isUpper) else { return nil }
        return offset == 0 ? day + time : shifted(day, time, minutes: -offset)
    }

    /// Where a range is separated: a hyphen that does not begin an offset. Offsets go from -1200 to +1400, and no year
    /// in use is as small.
    private static func separator(_ key: String) -> String.Index? {
        key.indices.first { index in
            guard key[index] == "-" else { return false }
            let digits = key[key.index(after: index)...].prefix { $0.isNumber }
            let isOffset = index != key.startIndex && digits.utf8.count == 4 && (Int(digits) ?? 9999) <= 1200
            return !isOffset
        }
    }

    private static func shifted(_ day: String, _ time: String, minutes: Int) -> String? {
        guard let year = Int(day.prefix(4)), let month = Int(day.dropFirst(4).prefix(2)), let date = Int(day.suffix(2)),
            let hour = Int(time.prefix(2)), let minute = Int(time.dropFirst(2).prefix(2))
        else { return nil }
        var total = hour * 60 + minute + minutes
        var days = daysFromCivil(year, month, date)
        days += total >= 0 ? total / 1440 : (total - 1439) / 1440
        total = (total % 1440 + 1440) % 1440
        let (newYear, newMonth, newDay) = civil(days)
        guard (0...9999).contains(newYear) else { return nil }
        return padded(newYear, 4) + padded(newMonth, 2) + padded(newDay, 2) + padded(total / 60, 2)
            + padded(total % 60, 2) + time.dropFirst(4)
    }
}

private func trimmedKey(_ value: Substring) -> String { value.filter { $0 != " " && $0 != "\0" } }

/// The two ends of a key: both the same for a single value, nil for an open end. Nil when there is no value at all.
private func rangeEnds(_ key: String, separator: String.Index?) -> (from: Substring?, to: Substring?)? {
    guard let separator else { return trimmedKey(key[...]).isEmpty ? nil : (key[...], key[...]) }
    let from = key[..<separator]
    let to = key[key.index(after: separator)...]
    let hasFrom = !trimmedKey(from).isEmpty
    let hasTo = !trimmedKey(to).isEmpty
    return hasFrom || hasTo ? (hasFrom ? from : nil, hasTo ? to : nil) : nil
}

private func padded(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}

/// Days since 1970-01-01 in the Gregorian calendar.
private func daysFromCivil(_ year: Int, _ month: Int, _ day: Int) -> Int {
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
}

private func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let month = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * month + 2) / 5 + 1
    let realMonth = month < 10 ? month + 3 : month - 9
    return (yearOfEra + era * 400 + (realMonth <= 2 ? 1 : 0), realMonth, day)
}
