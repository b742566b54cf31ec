// Byte ranges of a representation (RFC 9110 Section 14).

/// What a `Range` header field asks of a representation of known length.
package enum ByteRanges: Sendable, Equatable {
    /// No range, one in another unit, or one that is not worth it: the whole representation.
    case whole
    /// Ranges inside the representation, in the order of the request.
    case parts([Range<Int64>])
    /// None of the ranges overlaps the representation: 416.
    case unsatisfiable

    /// More ranges than an honest caller has.
    private static let most = 32

    /// Reads the field. One that is no list of ranges does not count (RFC 9110 Section 14.2), nor do many small ones or
    /// ones that ask for more than everything.
    package init(_ field: String?, length: Int64) {
        guard let field, field.utf8.count <= 1024, let equals = field.firstIndex(of: "="),
            field[..<equals].lowercased() == "bytes"
        else {
            self = .whole
            return
        }
        let specs = field[field.index(after: equals)...].split(separator: ",")
        guard !specs.isEmpty, specs.count <= Self.most else {
            self = .whole
            return
        }
        var parts: [Range<Int64>] = []
        for spec in specs {
            guard let bounds = Self.bounds(spec.filter { $0 != " " && $0 != "\t" }) else {
                self = .whole
                return
            }
            switch bounds {
            case (let first?, let last):
                if first < length { parts.append(first..<min(last ?? length - 1, length - 1) + 1) }
            case (nil, let suffix?):
                if suffix > 0, length > 0 { parts.append(max(0, length - suffix)..<length) }
            case (nil, nil): break
            }
        }
        if parts.isEmpty {
            self = .unsatisfiable
        } else if parts.count > 1, parts.reduce(0, { $0 + Int64($1.count) }) > length {
            self = .whole
        } else {
            self = .parts(parts)
        }
    }

    /// `first-last`, `first-` or `-suffix`; nil when it is none.
    private static func bounds(_ spec: String) -> (first: Int64?, last: Int64?)? {
        let ends = spec.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard ends.count == 2, ends.allSatisfy({ $0.utf8.allSatisfy { ($0 &- 0x30) < 10 } && $0.utf8.count <= 18 }),
            !(ends[0].isEmpty && ends[1].isEmpty)
        else { return nil }
        let (first, last) = (Int64(ends[0]), Int64(ends[1]))
        if let first, let last, last < first { return nil }
        return (first, last)
    }
}
