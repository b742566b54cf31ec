// Where a value stands in a message: segment, field, repetition, component, subcomponent.

/// A place in a message, all numbers from 1. It is written `PID-3`, `PID-3[2].4.1`, `OBX[2]-5`.
package struct Location: Hashable, Sendable, CustomStringConvertible {
    package let segment: String
    /// Which of several segments of that name.
    package let occurrence: Int
    /// Nil for the whole segment.
    package let field: Int?
    package let repetition: Int
    package let component: Int?
    package let subcomponent: Int?

    package init(
        _ segment: String, occurrence: Int = 1, _ field: Int? = nil, repetition: Int = 1, _ component: Int? = nil,
        _ subcomponent: Int? = nil
    ) {
        self.segment = segment
        self.occurrence = max(occurrence, 1)
        self.field = field
        self.repetition = max(repetition, 1)
        self.component = component
        self.subcomponent = subcomponent
    }

    /// Reads what `description` writes; nil for anything else.
    package init?(parsing text: String) {
        let halves = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard let (name, occurrence) = Self.numbered(halves[0]), Segment.isName(name) else { return nil }
        guard halves.count == 2 else {
            self.init(String(name), occurrence: occurrence)
            return
        }
        let parts = halves[1].split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 3, let (first, repetition) = Self.numbered(parts[0]), let field = Self.number(first) else {
            return nil
        }
        let rest = parts.dropFirst().map(Self.number)
        guard !rest.contains(nil) else { return nil }
        self.init(
            String(name), occurrence: occurrence, field, repetition: repetition, rest.first ?? nil,
            rest.count > 1 ? rest[1] : nil)
    }

    package var description: String {
        var text = segment
        if occurrence > 1 { text += "[\(occurrence)]" }
        guard let field else { return text }
        text += "-\(field)"
        if repetition > 1 { text += "[\(repetition)]" }
        if let component { text += ".\(component)" }
        if let subcomponent { text += ".\(subcomponent)" }
        return text
    }

    private static func number(_ text: Substring) -> Int? {
        guard (1...4).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(text).flatMap { $0 > 0 ? $0 : nil }
    }

    private static func numbered(_ text: Substring) -> (Substring, Int)? {
        guard let bracket = text.firstIndex(of: "[") else { return (text, 1) }
        guard text.last == "]" else { return nil }
        guard let number = number(text[text.index(after: bracket)...].dropLast()) else { return nil }
        return (text[..<bracket], number)
    }
}
