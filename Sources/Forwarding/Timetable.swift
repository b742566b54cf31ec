// How fast a line may be used at which hour of the week.

/// A week of rates. What no line speaks of is free.
package struct Timetable: Hashable, Sendable {
    /// What a line of the timetable allows.
    package enum Allowance: Hashable, Sendable {
        /// As fast as the line goes.
        case all
        /// Octets a second.
        case rate(Int)
        /// Only what is urgent, as fast as the line goes.
        case stat
        /// Nothing.
        case closed
    }

    private struct Entry: Hashable, Sendable {
        /// 0 is Monday.
        let days: Set<Int>
        /// Minutes of the day; a span that ends before it begins goes over midnight.
        let from: Int
        let until: Int
        let allowance: Allowance

        func holds(day: Int, minute: Int) -> Bool {
            if from < until { return days.contains(day) && (from..<until).contains(minute) }
            if minute >= from { return days.contains(day) }
            return minute < until && days.contains((day + 6) % 7)
        }
    }

    private let entries: [Entry]

    /// Reads lines such as `mon-fri 06:00-20:00 2M`: days (`mon`, `mon-fri`, `sat,sun`, `daily`), a span, and bits a second
    /// (`512k`, `2M`), `all`, `stat` or `closed`. The first line that speaks of an hour holds.
    package init(_ lines: [String]) throws(ForwardingFailure) {
        var entries: [Entry] = []
        for line in lines {
            let words = line.lowercased().split(separator: " ")
            guard words.count == 3, let days = Self.days(words[0]), let span = Self.span(words[1]),
                let allowance = Self.allowance(words[2])
            else {
                throw .invalid(
                    field: "timetable",
                    reason:
                        "days, a span and a rate, such as mon-fri 06:00-20:00 2M; rates: 512k, 2M, all, stat, closed")
            }
            entries.append(Entry(days: days, from: span.0, until: span.1, allowance: allowance))
        }
        self.entries = entries
    }

    /// - Parameters:
    ///   - day: 0 is Monday.
    ///   - minute: of the day, local.
    package func allowance(day: Int, minute: Int) -> Allowance {
        entries.first { $0.holds(day: day, minute: minute) }?.allowance ?? .all
    }

    private static let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

    private static func days(_ text: Substring) -> Set<Int>? {
        if text == "daily" { return Set(0..<7) }
        var days: Set<Int> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map {
                names.firstIndex(of: String($0))
            }
            switch ends.count {
            case 1: guard let day = ends[0] else { return nil }; days.insert(day)
            case 2:
                guard let first = ends[0], let last = ends[1] else { return nil }
                for step in 0...((last - first + 7) % 7) { days.insert((first + step) % 7) }
            default: return nil
            }
        }
        return days
    }

    private static func span(_ text: Substring) -> (Int, Int)? {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map(minute)
        guard ends.count == 2, let from = ends[0], let until = ends[1], from != until, from < 1440 else { return nil }
        return (from, until)
    }

    private static func minute(_ text: Substring) -> Int? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.count == 2 && $0.allSatisfy(\.isNumber) }),
            let hour = Int(parts[0]), let minute = Int(parts[1]), minute < 60, hour * 60 + minute <= 1440
        else { return nil }
        return hour * 60 + minute
    }

    private static func allowance(_ text: Substring) -> Allowance? {
        switch text {
        case "all": return .all
        case "stat": return .stat
        case "closed": return .closed
        default:
            let unit = text.last == "k" ? 1_000.0 : text.last == "m" ? 1_000_000.0 : 0
            guard unit > 0, let number = Double(text.dropLast()), number > 0, number.isFinite, number * unit < 1e12
            else { return nil }
            return .rate(max(1, Int(number * unit / 8)))
        }
    }
}
