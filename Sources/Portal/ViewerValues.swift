// Values of DICOM as a web page reads them.

import DICOMCore

enum ViewerValues {
    /// Nil for an empty value.
    static func text(_ value: String?) -> String? { value.flatMap { $0.isEmpty ? nil : $0 } }

    /// `20240315` as `2024-03-15`; nil when it is no date (PS3.5 Section 6.2, DA).
    static func date(_ value: String?) -> String? {
        guard let value, value.utf8.count == 8, value.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        let digits = Array(value)
        guard let month = Int(String(digits[4..<6])), let day = Int(String(digits[6..<8])), (1...12).contains(month),
            (1...31).contains(day)
        else { return nil }
        return "\(String(digits[0..<4]))-\(String(digits[4..<6]))-\(String(digits[6..<8]))"
    }

    /// `101500.123` as `10:15:00`; nil when it is no time of day (PS3.5 Section 6.2, TM).
    static func time(_ value: String?) -> String? {
        let digits = Array((value ?? "").prefix { $0 != "." })
        guard [2, 4, 6].contains(digits.count), digits.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
        let padded = digits + Array("000000".dropFirst(digits.count))
        let parts = stride(from: 0, to: 6, by: 2).map { String(padded[$0..<$0 + 2]) }
        guard let hour = Int(parts[0]), hour < 24, let minute = Int(parts[1]), minute < 60 else { return nil }
        return parts.joined(separator: ":")
    }

    /// The first component group of a person's name as people read it (PS3.5 Section 6.2.1).
    static func displayName(_ value: String?) -> String? {
        guard let group = value?.split(separator: "=", omittingEmptySubsequences: false).first else { return nil }
        let words = group.split(separator: "^").map { $0.filter { $0 != "\\" } }.filter { !$0.isEmpty }
        return words.isEmpty ? nil : words.joined(separator: " ")
    }

    /// Days since 1 January 1970 of an ISO date, by the civil calendar.
    static func day(_ iso: String?) -> Int? {
        let parts = (iso ?? "").split(separator: "-").compactMap { Int($0) }
        guard parts.count == 3 else { return nil }
        let year = parts[1] <= 2 ? parts[0] - 1 : parts[0]
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (parts[1] + (parts[1] > 2 ? -3 : 9)) + 2) / 5 + parts[2] - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    static func number(_ value: String?) -> Int? { value.flatMap { Int($0) } }

    static func list(_ value: String?) -> [String] {
        (value ?? "").split(separator: "\\").map { String($0) }.filter { !$0.isEmpty }
    }
}

/// The main direction of a slice.
enum AnatomicalPlane {
    /// - Parameter orientation: direction cosines of a row and of a column (PS3.3 Section C.7.6.2.1.1).
    /// - Returns: nil when they are no two unit vectors at right angles.
    static func of(_ orientation: [Double]) -> String? {
        guard orientation.count == 6, orientation.allSatisfy(\.isFinite) else { return nil }
        let (row, column) = (Array(orientation[0..<3]), Array(orientation[3..<6]))
        func dot(_ left: [Double], _ right: [Double]) -> Double { zip(left, right).reduce(0) { $0 + $1.0 * $1.1 } }
        guard abs(dot(row, row) - 1) < 0.02, abs(dot(column, column) - 1) < 0.02, abs(dot(row, column)) < 0.02 else {
            return nil
        }
        let normal = [
            abs(row[1] * column[2] - row[2] * column[1]), abs(row[2] * column[0] - row[0] * column[2]),
            abs(row[0] * column[1] - row[1] * column[0]),
        ]
        // Within some 30 degrees of an axis people still call it by that plane's name.
        guard let largest = normal.max(), largest > 0.85 else { return "oblique" }
        return ["sagittal", "coronal", "axial"][normal.firstIndex(of: largest) ?? 2]
    }
}
