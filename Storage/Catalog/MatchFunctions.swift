// SQL functions that decide a match exactly, after an index has found the candidates (PS3.4 Section C.2.2.2).

import DICOMCore
import GRDB
import Synchronization

/// Pure functions registered on every connection.
enum MatchFunctions {
    static let all: [DatabaseFunction] = [like, likeAny, name, time, dateTime]

    /// `dicom_like(pattern, value)`: wild card matching of one value, case-sensitive.
    private static let like = DatabaseFunction("dicom_like", argumentCount: 2, pure: true) { arguments in
        guard let (pattern, value) = texts(arguments) else { return false }
        return Wildcard.matches(pattern: pattern, value: value)
    }

    /// `dicom_like_any(pattern, values)`: as above, of any of several values joined by backslashes.
    private static let likeAny = DatabaseFunction("dicom_like_any", argumentCount: 2, pure: true) { arguments in
        guard let (pattern, values) = texts(arguments), !values.isEmpty else { return false }
        return values.split(separator: "\\", omittingEmptySubsequences: false).contains {
            Wildcard.matches(pattern: pattern, value: String($0))
        }
    }

    /// `dicom_name(query, key)`: person name matching on folded names, one name per line.
    private static let name = DatabaseFunction("dicom_name", argumentCount: 2, pure: true) { arguments in
        guard let (query, key) = texts(arguments), !key.isEmpty else { return false }
        let pattern = patterns.withLock { cache -> PersonNamePattern in
            if let known = cache[query] { return known }
            if cache.count >= 64 { cache.removeAll() }
            let made = PersonNamePattern(query)
            cache[query] = made
            return made
        }
        if !key.utf8.contains(UInt8(ascii: "\n")) { return pattern.matches(folded: key) }
        return key.split(separator: "\n").contains { pattern.matches(folded: String($0)) }
    }

    /// `dicom_time(value)`: `HHMMSS.FFFFFF`, NULL when the value is no time.
    private static let time = DatabaseFunction("dicom_time", argumentCount: 1, pure: true) { arguments in
        String.fromDatabaseValue(arguments[0]).flatMap { TimeRange.normalized($0) }
    }

    /// `dicom_datetime(value)`: `YYYYMMDDHHMMSS.FFFFFF` in UTC, NULL when the value is no date-time.
    private static let dateTime = DatabaseFunction("dicom_datetime", argumentCount: 1, pure: true) { arguments in
        String.fromDatabaseValue(arguments[0]).flatMap { DateTimeRange.normalized($0) }
    }

    /// Patterns are compiled once per query, not once per row.
    private static let patterns = Mutex<[String: PersonNamePattern]>([:])

    private static func texts(_ arguments: [DatabaseValue]) -> (String, String)? {
        guard let first = String.fromDatabaseValue(arguments[0]), let second = String.fromDatabaseValue(arguments[1])
        else { return nil }
        return (first, second)
    }
}
