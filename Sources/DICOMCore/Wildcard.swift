// Wild card matching: `*` any run of characters, `?` one (PS3.4 Section C.2.2.2.4).

/// Wild card patterns.
package enum Wildcard {
    /// Whether a key has a wild card character.
    package static func isPattern(_ key: String) -> Bool { key.utf8.contains { $0 == 0x2A || $0 == 0x3F } }

    /// Whether the whole value matches. Only the last `*` is ever reconsidered, so time is at most the product of the two
    /// lengths, never exponential.
    package static func matches(pattern: String, value: String) -> Bool {
        if pattern.utf8.allSatisfy({ $0 < 0x80 }), value.utf8.allSatisfy({ $0 < 0x80 }) {
            return matches(Array(pattern.utf8), Array(value.utf8), any: 0x2A, one: 0x3F)
        }
        return matches(Array(pattern), Array(value), any: "*", one: "?")
    }

    private static func matches<Unit: Equatable>(_ pattern: [Unit], _ value: [Unit], any: Unit, one: Unit) -> Bool {
        var inPattern = 0
        var inValue = 0
        var star: (pattern: Int, value: Int)?
        while inValue < value.count {
            if inPattern < pattern.count, pattern[inPattern] == any {
                star = (inPattern, inValue)
                inPattern += 1
            } else if inPattern < pattern.count, pattern[inPattern] == one || pattern[inPattern] == value[inValue] {
                inPattern += 1
                inValue += 1
            } else if let last = star {
                star = (last.pattern, last.value + 1)
                inPattern = last.pattern + 1
                inValue = last.value + 1
            } else {
                return false
            }
        }
        return pattern[inPattern...].allSatisfy { $0 == any }
    }
}
