// Texts of the protocol: forms, codes, paths, and secrets compared without telling where they differ.

import Foundation

/// Texts in forms and queries.
package enum FormText {
    /// Percent-encoded but for what is never reserved (RFC 3986 Section 2.3).
    package static func escape(_ text: String) -> String {
        text.utf8.reduce(into: "") { result, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
    }

    /// Fields in an order of their own, so that equal forms are equal bytes.
    package static func encode(_ fields: [String: String]) -> String {
        fields.sorted { $0.key < $1.key }.map { "\(escape($0.key))=\(escape($0.value))" }.joined(separator: "&")
    }

    /// An error code of OAuth, or the word for one that is not.
    package static func code(_ text: String?) -> String {
        guard let text, (1...40).contains(text.utf8.count),
            text.utf8.allSatisfy({ (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || $0 == UInt8(ascii: "_") })
        else { return "unknown" }
        return text
    }
}

/// Where a browser may be sent after it has signed in.
package enum LocalPath {
    /// The path when it leads to this archive, otherwise the first page. A second slash or a backslash would let a
    /// browser read a host out of it.
    package static func checked(_ path: String) -> String {
        let bytes = Array(path.utf8)
        guard bytes.first == UInt8(ascii: "/"), bytes.count <= 2_048, bytes.count < 2 || bytes[1] != UInt8(ascii: "/"),
            bytes.allSatisfy({ (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "\\") })
        else { return "/" }
        return path
    }
}

extension Secret {
    /// Whether two texts are the same, in a time that does not tell how much of them is.
    static func areEqual(_ one: String, _ other: String) -> Bool {
        let (one, other) = (digest(one), digest(other))
        return zip(one, other).reduce(into: UInt8(0)) { $0 |= $1.0 ^ $1.1 } == 0
    }

    /// The bytes of base64url without padding (RFC 4648 Section 5); nil for any other text.
    package static func bytes(base64URL text: String) -> [UInt8]? {
        guard !text.contains(where: { "+/=".contains($0) }) else { return nil }
        let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        let standard = text.replacing("-", with: "+").replacing("_", with: "/") + padding
        return Data(base64Encoded: standard).map { [UInt8]($0) }
    }
}
