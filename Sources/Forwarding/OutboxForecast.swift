// When a backlog will have gone: from what the line carried of late and the week's rates.

import Encounters
package import Records

/// The arithmetic of an estimate.
package enum OutboxForecast {
    /// Beyond this an estimate is none: four weeks, in minutes.
    private static let horizon = 28 * 1_440

    /// When so many octets will have gone, microseconds since 1970; nil when nothing is known of the line, or when it would
    /// take more than four weeks.
    ///
    /// In hours without a rate the line is taken to be as fast as it was of late; hours that are closed, or for urgent
    /// studies only, count for nothing.
    /// - Parameters:
    ///   - octets: as they are stored here.
    ///   - pace: what the line carried of late; nil when nothing went over it.
    package static func finish(
        octets: Int64, from now: Int64, pace: LinePaceRecord?, timetable: Timetable
    ) -> Int64? {
        guard octets > 0 else { return now }
        var left = Double(octets)
        let share = max(pace?.lineShare ?? 1, 0.001)
        // Every day has as many minutes: there is no daylight saving.
        let first = LocalTime.minuteOfWeek(now)
        let week = (0..<7 * 1_440).map { timetable.allowance(day: $0 / 1_440, minute: $0 % 1_440) }
        for minute in 0..<horizon {
            let at = now + Int64(minute) * 60_000_000
            let rate: Double
            switch week[(first + minute) % week.count] {
            case .closed, .stat: continue
            case .all:
                guard let pace else { return nil }
                rate = pace.rate
            case .rate(let most):
                let allowed = Double(most) / share
                rate = pace.map { min($0.rate, allowed) } ?? allowed
            }
            guard rate > 0 else { continue }
            let need = left / rate
            if need <= 60 { return at + Int64(need * 1_000_000) }
            left -= rate * 60
        }
        return nil
    }

    /// What the timetable allows at an instant.
    package static func allowance(_ timetable: Timetable, at instant: Int64) -> Timetable.Allowance {
        let minute = LocalTime.minuteOfWeek(instant)
        return timetable.allowance(day: minute / 1_440, minute: minute % 1_440)
    }
}

extension Timetable.Allowance {
    /// For people: `all`, `stat`, `closed`, or a rate as it is written in a timetable.
    package var word: String {
        switch self {
        case .all: return "all"
        case .stat: return "stat"
        case .closed: return "closed"
        case .rate(let octets):
            let bits = Double(octets) * 8
            func short(_ value: Double) -> String {
                value == value.rounded() ? "\(Int(value))" : "\((value * 10).rounded() / 10)"
            }
            return bits >= 1_000_000 ? short(bits / 1_000_000) + "M" : short(bits / 1_000) + "k"
        }
    }
}
