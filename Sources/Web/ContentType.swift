// A media type with its parameters, as Content-Type gives it (RFC 9110 Section 8.3.1).

/// A media type.
package struct ContentType: Sendable, Hashable {
    /// Type and subtype in lower case, such as `multipart/related`.
    package let essence: String
    /// Parameters by their names in lower case; quotes are taken off the values.
    package let parameters: [String: String]

    /// Reads a header field's value; nil when it begins with no type and subtype.
    package init?(_ text: String) {
        var rest = Substring(text)
        let essence = Self.trimmed(rest.prefix { $0 != ";" }).lowercased()
        let halves = essence.split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count == 2, halves.allSatisfy({ !$0.isEmpty && !$0.contains(where: \.isWhitespace) }) else {
            return nil
        }
        rest = rest.dropFirst(rest.prefix { $0 != ";" }.count)
        var parameters: [String: String] = [:]
        while rest.first == ";" {
            rest = rest.dropFirst()
            let name = Self.trimmed(rest.prefix { $0 != "=" && $0 != ";" }).lowercased()
            rest = rest.drop { $0 != "=" && $0 != ";" }
            guard rest.first == "=" else { continue }
            rest = rest.dropFirst().drop(while: \.isWhitespace)
            let value = Self.value(&rest)
            if parameters[name] == nil { parameters[name] = value }
        }
        self.essence = essence
        self.parameters = parameters
    }

    /// A token, or a quoted string with its escapes undone; leaves the text at the next semicolon.
    private static func value(_ rest: inout Substring) -> String {
        guard rest.first == "\"" else {
            let token = rest.prefix { $0 != ";" }
            rest = rest.dropFirst(token.count)
            return trimmed(token)
        }
        rest = rest.dropFirst()
        var value = ""
        while let character = rest.popFirst(), character != "\"" {
            if character == "\\", let escaped = rest.popFirst() {
                value.append(escaped)
            } else {
                value.append(character)
            }
        }
        rest = rest.drop { $0 != ";" }
        return value
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text.drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
