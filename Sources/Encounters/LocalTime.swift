// Dates and times as hospitals write them: local, without a zone.

import Foundation

/// Local time of the hospital. DICOM, HL7 and insurance write it without a zone; all of Viet Nam has one.
package enum LocalTime {
    /// UTC+7, without daylight saving.
    /// Also where the system knows no names of zones.
    static let zone = TimeZone(identifier: "Asia/Ho_Chi_Minh") ?? TimeZone(secondsFromGMT: 7 * 3_600) ?? .gmt

    private static let calendar: Calendar = {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = zone
        return calendar
    }()

    /// Microseconds since 1970 of `yyyymmdd[HH[MM[SS]]]`; nil when it is not a day that exists.
    package static func instant(_ text: String) -> Int64? {
        let digits = Array(text.utf8)
        guard digits.count >= 8, digits.count <= 14, digits.count % 2 == 0,
            digits.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        func number(_ range: Range<Int>) -> Int {
            range.upperBound > digits.count ? 0 : digits[range].reduce(0) { $0 * 10 + Int($1 - 0x30) }
        }
        let parts = DateComponents(
            year: number(0..<4), month: number(4..<6), day: number(6..<8), hour: number(8..<10),
            minute: number(10..<12), second: number(12..<14))
        guard parts.isValidDate(in: calendar), let date = calendar.date(from: parts) else { return nil }
        return Int64(date.timeIntervalSince1970) * 1_000_000
    }

    /// `yyyymmddHHMMSS` of an instant.
    package static func text(_ instant: Int64) -> String {
        let date = Date(timeIntervalSince1970: Double(instant / 1_000_000))
        let parts = calendar.dateComponents([.year, .month, .day, .hour, .minute, .second], from: date)
        func two(_ value: Int?) -> String { value.map { $0 < 10 ? "0\($0)" : "\($0)" } ?? "00" }
        let year = String("000\(parts.year ?? 0)".suffix(4))
        return year + two(parts.month) + two(parts.day) + two(parts.hour) + two(parts.minute) + two(parts.second)
    }
}

extension LocalTime {
    /// `yyyymmdd` of an instant.
    package static func day(_ instant: Int64) -> String { String(text(instant).prefix(8)) }

    /// Minutes since Monday, 00:00.
    package static func minuteOfWeek(_ instant: Int64) -> Int {
        let minutes = (instant / 1_000_000 + Int64(zone.secondsFromGMT())) / 60
        return weekday(instant) * 1_440 + Int(minutes % 1_440)
    }

    /// Minutes east of UTC.
    package static let minutesEast = zone.secondsFromGMT() / 60
}

extension LocalTime {
    /// The day of the week of an instant: 0 is Monday.
    package static func weekday(_ instant: Int64) -> Int {
        let days = (instant / 1_000_000 + Int64(zone.secondsFromGMT())) / 86_400
        // 1 January 1970 was a Thursday.
        return Int((days + 3) % 7)
    }
}
