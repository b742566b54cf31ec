// Entity tags: whether what a caller has is what it would get (RFC 9110 Sections 8.8.3 and 13.1).

package import Hummingbird

/// A strong validator of one representation.
package struct EntityTag: Sendable, Hashable, CustomStringConvertible {
    /// Without the quotation marks.
    package let opaque: String

    /// - Parameter opaque: visible ASCII without quotation marks.
    package init(_ opaque: String) { self.opaque = opaque }

    /// As the header field has it.
    package var description: String { "\"\(opaque)\"" }

    /// Whether `If-None-Match` names this tag, so that 304 is the answer. Weak comparison (RFC 9110 Section 13.1.2).
    package func isKnown(to headers: HTTPFields) -> Bool {
        headers[values: .ifNoneMatch].contains { Self.matches($0, self) }
    }

    /// Whether `If-Match` asks for another representation than this one: 412. Strong comparison (Section 13.1.1).
    package func isOutdated(by headers: HTTPFields) -> Bool {
        let fields = headers[values: .ifMatch]
        return !fields.isEmpty && !fields.contains { Self.matches($0.replacing("W/\"", with: "\"weak:"), self) }
    }

    private static func matches(_ field: String, _ tag: EntityTag) -> Bool {
        field.split(separator: ",").contains { candidate in
            let text = candidate.drop { $0 == " " || $0 == "\t" }
            let end = text.lastIndex { $0 != " " && $0 != "\t" } ?? text.startIndex
            let trimmed = text.isEmpty ? text : text[...end]
            return trimmed == "*" || trimmed == tag.description || trimmed == "W/\(tag.description)"
        }
    }
}
