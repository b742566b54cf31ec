// Canonical composition and decomposition of letters with marks, from Unicode's own table (Unicode Annex 15).

/// Unicode normalisation for Latin, Greek, Cyrillic, kana and the other scripts with canonical pairs.
package enum Normalization {
    /// The text with every letter and its marks composed (NFC, without Hangul jamo).
    package static func composed(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 >= 0xCC }) else { return text }
        var result = String.UnicodeScalarView()
        var cluster: [Unicode.Scalar] = []
        for scalar in text.unicodeScalars {
            for part in decomposed(scalar) {
                if part.properties.canonicalCombiningClass == .notReordered {
                    flush(&cluster, into: &result)
                }
                cluster.append(part)
            }
        }
        flush(&cluster, into: &result)
        return String(result)
    }

    /// The canonical decomposition of one scalar, itself when it has none.
    static func decomposed(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
        guard scalar.value >= 0xC0, let (first, second) = table.pairs[scalar] else { return [scalar] }
        return decomposed(first) + (second.map { [$0] } ?? [])
    }

    /// Orders the marks behind a starter and composes what composes.
    private static func flush(_ cluster: inout [Unicode.Scalar], into result: inout String.UnicodeScalarView) {
        defer { cluster.removeAll(keepingCapacity: true) }
        guard var starter = cluster.first else { return }
        let marks = cluster.dropFirst().enumerated().sorted { left, right in
            let leftClass = left.element.properties.canonicalCombiningClass.rawValue
            let rightClass = right.element.properties.canonicalCombiningClass.rawValue
            return leftClass == rightClass ? left.offset < right.offset : leftClass < rightClass
        }.map(\.element)
        var kept: [Unicode.Scalar] = []
        var lastClass: UInt8?
        for mark in marks {
            let markClass = mark.properties.canonicalCombiningClass.rawValue
            // A mark is blocked by a kept one of its own class.
            if lastClass != markClass, let composed = table.composed[Pair(first: starter, second: mark)] {
                starter = composed
            } else {
                kept.append(mark)
                lastClass = markClass
            }
        }
        result.append(starter)
        result.append(contentsOf: kept)
    }

    struct Pair: Hashable, Sendable {
        let first: Unicode.Scalar
        let second: Unicode.Scalar
    }

    private struct Table: Sendable {
        var pairs: [Unicode.Scalar: (Unicode.Scalar, Unicode.Scalar?)] = [:]
        var composed: [Pair: Unicode.Scalar] = [:]

        init(_ text: StaticString) {
            func scalar(_ digits: Substring) -> Unicode.Scalar? { UInt32(digits, radix: 16).flatMap(Unicode.Scalar.init) }
            for entry in text.description.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
                guard let separator = entry.firstIndex(where: { $0 == "=" || $0 == "~" }),
                    let whole = scalar(entry[..<separator])
                else { continue }
                let parts = entry[entry.index(after: separator)...].split(separator: "+").compactMap(scalar)
                guard let first = parts.first else { continue }
                pairs[whole] = (first, parts.dropFirst().first)
                if entry[separator] == "=", parts.count == 2 { composed[Pair(first: first, second: parts[1])] = whole }
            }
        }
    }

    private static let table = Table(decompositionTable)
}
