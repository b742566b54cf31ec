// The query of a URL as names and values, read strictly (RFC 3986 Section 3.4, PS3.18 Section 8.2).

import Hummingbird

/// The parameters of a request, in the order in which they came.
package struct QueryParameters: Sendable {
    package struct Parameter: Sendable, Equatable {
        package let name: String
        package let value: String
    }

    package let all: [Parameter]

    /// Longest query in bytes: a list of five hundred UIDs fits.
    package static let longest = 32_768
    package static let most = 256

    /// - Throws: 414 for a query that is too long, 400 for too many parameters and for text that is none.
    package init(_ query: String) throws(Problem) {
        guard query.utf8.count <= Self.longest else {
            throw Problem(.uriTooLong, "The query is longer than \(Self.longest) bytes.")
        }
        var all: [Parameter] = []
        for part in query.utf8.split(separator: UInt8(ascii: "&")) {
            guard all.count < Self.most else {
                throw Problem(.badRequest, "The query has more than \(Self.most) parameters.")
            }
            let halves = part.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let name = try Self.decoded(halves[0])
            guard !name.isEmpty else { throw Problem(.badRequest, "A parameter of the query has no name.") }
            all.append(Parameter(name: name, value: halves.count == 2 ? try Self.decoded(halves[1]) : ""))
        }
        self.all = all
    }

    /// Percent encoding undone; a plus is a space, as forms and most clients write it.
    private static func decoded(_ text: Substring.UTF8View) throws(Problem) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var at = text.startIndex
        while at < text.endIndex {
            let byte = text[at]
            at = text.index(after: at)
            switch byte {
            case UInt8(ascii: "+"): bytes.append(0x20)
            case UInt8(ascii: "%"):
                guard let high = at < text.endIndex ? digit(text[at]) : nil else { throw .badEncoding }
                let next = text.index(after: at)
                guard let low = next < text.endIndex ? digit(text[next]) : nil else { throw .badEncoding }
                bytes.append(high << 4 | low)
                at = text.index(after: next)
            default: bytes.append(byte)
            }
        }
        guard !bytes.contains(where: { $0 < 0x20 || $0 == 0x7F }),
            let decoded = String(validating: bytes, as: UTF8.self)
        else { throw .badEncoding }
        return decoded
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }
}

extension Problem {
    package static let badEncoding = Problem(
        .badRequest, "The query is not percent-encoded UTF-8 text without control characters.")

    /// What came as a name, safe to show: the beginning of it, printable ASCII alone.
    package static func shown(_ name: String) -> String {
        let kept = name.unicodeScalars.prefix(64).map { (0x21...0x7E).contains($0.value) ? Character($0) : "?" }
        return String(kept)
    }
}
