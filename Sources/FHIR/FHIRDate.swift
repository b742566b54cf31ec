// Dates and times as FHIR writes them, and as the records keep them: local, as precise as they are known.

import Encounters
import Foundation

/// A date, dateTime or instant (FHIR R4 Section 2.24.0.1).
package struct FHIRDate: Hashable, Sendable {
    /// `yyyy[mm[dd[HHMM[SS]]]]`, in the hospital's time.
    package let local: String

    /// Nil for what is no date, and for days that do not exist.
    package init?(_ text: String) {
        let pattern =
            /([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})(?:T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?)?)?/
        guard let match = text.wholeMatch(of: pattern)?.output, match.1 != "0000" else { return nil }
        let digits = [match.1, match.2 ?? "", match.3 ?? "", match.4 ?? "", match.5 ?? "", match.6 ?? ""].joined()
        // A leap second is the second before.
        let plain = digits.count == 14 && digits.hasSuffix("60") ? digits.dropLast(2) + "59" : digits[...]
        let day = (plain.prefix(8) + "0101".suffix(max(0, 8 - plain.count))).prefix(8)
        guard let instant = LocalTime.instant(String(plain.count > 8 ? plain : day)) else { return nil }
        guard let zone = match.7, plain.count > 8 else {
            local = String(plain)
            return
        }
        guard let east = Self.minutes(zone) else { return nil }
        let here = instant + Int64(LocalTime.minutesEast - east) * 60_000_000
        local = String(LocalTime.text(here).prefix(plain.count))
    }

    private static func minutes(_ zone: Substring) -> Int? {
        if zone == "Z" { return 0 }
        let parts = zone.dropFirst().split(separator: ":").compactMap { Int($0) }
        guard parts.count == 2, parts[0] <= 14, parts[1] < 60 else { return nil }
        return (parts[0] * 60 + parts[1]) * (zone.first == "-" ? -1 : 1)
    }

    /// Microseconds since 1970 of its first second; nil when not even the day is known.
    var instant: Int64? { LocalTime.instant(local) }

    /// The first and the last second that it can mean, `yyyymmddHHMMSS`.
    package var bounds: (low: String, high: String) {
        let rest =
            switch local.count {
            case 4: "1231235959"
            case 6: Self.lastDay(of: local) + "235959"
            case 8: "235959"
            case 12: "59"
            default: ""
            }
        return (String((local + "00000101000000".dropFirst(local.count)).prefix(14)), local + rest)
    }

    private static func lastDay(of month: String) -> String {
        (28...31).reversed().map(String.init).first { LocalTime.instant(month + $0) != nil } ?? "28"
    }

    // MARK: Writing

    /// A date from `yyyy[mm[dd]]`; nil for what is none.
    package static func date(_ local: String) -> String? {
        let digits = local.prefix(8)
        guard digits.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
        switch digits.count {
        case 4: return String(digits)
        case 6: return digits.prefix(4) + "-" + digits.suffix(2)
        case 8: return digits.prefix(4) + "-" + digits.dropFirst(4).prefix(2) + "-" + digits.suffix(2)
        default: return nil
        }
    }

    /// A dateTime from `yyyy[mm[dd[HH[MM[SS]]]]]` in local time; with a zone as soon as it has an hour.
    package static func dateTime(_ local: String, zone: String = "+07:00") -> String? {
        guard local.count > 8 else { return date(local) }
        guard let day = date(local), local.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
        let time = String((local.dropFirst(8) + "000000").prefix(6))
        return day + "T" + time.prefix(2) + ":" + time.dropFirst(2).prefix(2) + ":" + time.suffix(2) + zone
    }

    /// An instant from microseconds since 1970.
    package static func instant(_ microseconds: Int64) -> String {
        let text = dateTime(LocalTime.text(microseconds)) ?? ""
        let milliseconds = String(microseconds / 1_000 % 1_000 + 1_000).dropFirst()
        return text.dropLast(6) + "." + milliseconds + "+07:00"
    }
}
