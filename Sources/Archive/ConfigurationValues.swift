// Kinds of values in the configuration file, and the check that a misspelt key does not pass in silence.

/// A number of bytes, written as a number or with KiB, MiB, GiB, TiB.
package struct ByteSize: Decodable, Sendable, Equatable {
    package let bytes: Int64

    package init(_ bytes: Int64) { self.bytes = bytes }

    package init?(_ text: String) {
        let units: [(String, Int64)] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)]
        let unit = units.first { text.hasSuffix($0.0) }
        let digits = unit.map { text.dropLast($0.0.count) } ?? Substring(text)
        let trimmed = digits.filter { $0 != " " && $0 != "_" }
        guard let number = Int64(trimmed), number >= 0 else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit?.1 ?? 1)
        guard !overflow else { return nil }
        self.bytes = bytes
    }

    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let size = ByteSize(text) else {
            let place = decoder.codingPath.map(\.stringValue).joined(separator: ".")
            throw ConfigurationError("\(place): \(text) is not a size like 512MiB or 1073741824")
        }
        self = size
    }
}

/// Any key at all, to see which ones a section has.
private struct AnyKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    init?(stringValue: String) {
        self.stringValue = stringValue
        intValue = nil
    }

    init?(intValue: Int) {
        stringValue = String(intValue)
        self.intValue = intValue
    }
}

extension Decoder {
    func refuseUnknownKeys<Keys: CodingKey & CaseIterable>(_ keys: Keys.Type) throws {
        let known = Keys.allCases.map(\.stringValue)
        let present = try container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
        guard let stray = present.first(where: { !known.contains($0) }) else { return }
        let section = codingPath.map(\.stringValue).joined(separator: ".")
        let place = section.isEmpty ? stray : "\(section).\(stray)"
        throw ConfigurationError("\(place): no such setting; known here: \(known.joined(separator: ", "))")
    }
}

extension KeyedDecodingContainer {
    func integer(_ key: Key, _ lawful: ClosedRange<Int>, _ standard: Int, _ section: String) throws -> Int {
        guard let value = try decodeIfPresent(Int.self, forKey: key) else { return standard }
        guard lawful.contains(value) else {
            throw ConfigurationError(
                "\(section).\(key.stringValue): \(value) is not from \(lawful.lowerBound) to \(lawful.upperBound)")
        }
        return value
    }
}
