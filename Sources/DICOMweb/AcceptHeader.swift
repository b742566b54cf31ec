// The Accept header field and the `accept` query parameter as values (RFC 9110 Section 12.5.1, PS3.18 Section 8.3.3.1).

/// One alternative that a caller accepts.
package struct MediaRange: Sendable, Equatable {
    /// Such as `image/jpeg`, `image/*` or `*/*`, in lower case; inside `multipart/related` the type of its parts.
    var mediaType: String
    /// Whether the answer is to be `multipart/related`; nil when any form will do.
    var isMultipart: Bool?
    /// A UID, `*` for whatever is stored, or nil when the caller says nothing.
    var transferSyntax: String?
    var charset: String?
    /// Thousandths; 0 means "not this".
    var quality = 1000
    /// Bits of a grey value, where the caller says so for PNG: 8 or 16.
    var bits: Int?

    /// Whether a media type of the archive is in the range.
    func includes(_ type: String) -> Bool {
        if mediaType == "*/*" || mediaType == type { return true }
        return mediaType.hasSuffix("/*") && type.hasPrefix(mediaType.dropLast())
    }

    /// What no caller says nothing about.
    static let anything = MediaRange(mediaType: "*/*")

    /// One type in one part.
    static func single(_ mediaType: String, _ transferSyntax: String?) -> MediaRange {
        MediaRange(mediaType: mediaType, isMultipart: false, transferSyntax: transferSyntax)
    }
}

extension MediaRange {
    /// More alternatives than any client has; what follows does not count.
    private static let most = 64

    /// The alternatives of a field, in its order. Nil when it holds none that can be read.
    ///
    /// A comma that separates transfer syntaxes or types without naming `multipart/related` again, as viewers in the
    /// field send, is understood as a further alternative like the one before it.
    package static func parse(_ field: String) -> [MediaRange]? {
        guard field.utf8.count <= 16 << 10 else { return nil }
        var ranges: [MediaRange] = []
        for alternative in split(field, at: ",").prefix(most) {
            let parts = split(alternative, at: ";")
            guard let first = parts.first?.trimmed, !first.isEmpty else { continue }
            var parameters: [(String, String)] = []
            for part in first.contains("=") ? parts[...] : parts.dropFirst() {
                let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard pair.count == 2 else { continue }
                parameters.append((pair[0].trimmed.lowercased(), unquoted(pair[1].trimmed)))
            }
            if let range = range(first, parameters, after: ranges.last) { ranges.append(range) }
        }
        return ranges.isEmpty ? nil : ranges
    }

    private static func range(
        _ first: String, _ parameters: [(String, String)], after previous: MediaRange?
    ) -> MediaRange? {
        var range: MediaRange
        if first.contains("=") || isUID(first) {
            guard var same = previous else { return nil }
            if isUID(first) { same.transferSyntax = first } else { same.transferSyntax = nil }
            range = same
        } else {
            let type = first.lowercased()
            guard type.split(separator: "/", omittingEmptySubsequences: false).count == 2, !type.hasPrefix("/"),
                !type.hasSuffix("/")
            else { return nil }
            range = MediaRange(mediaType: type, isMultipart: false)
            if type == "multipart/related" || type == "multipart/*" {
                range = MediaRange(mediaType: "*/*", isMultipart: true)
            } else if type == "*/*" {
                range.isMultipart = nil
            }
        }
        for (name, value) in parameters {
            switch name {
            case "type" where range.isMultipart == true: range.mediaType = value.lowercased()
            case "transfer-syntax": range.transferSyntax = value
            case "charset": range.charset = value.lowercased()
            case "bits": range.bits = Int(value)
            case "q": range.quality = quality(value)
            default: break
            }
        }
        return range
    }

    private static func isUID(_ text: String) -> Bool {
        text.contains(".") && text.utf8.allSatisfy { $0 == 0x2E || ($0 &- 0x30) < 10 }
    }

    private static func quality(_ text: String) -> Int {
        guard let value = Double(text), value.isFinite else { return 1000 }
        return Int((min(max(value, 0), 1) * 1000).rounded())
    }

    /// Splits outside quotation marks.
    private static func split(_ text: String, at separator: Character) -> [String] {
        var parts = [""]
        var isQuoted = false
        var isEscaped = false
        for character in text {
            if isEscaped {
                isEscaped = false
            } else if isQuoted, character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
            } else if character == separator, !isQuoted {
                parts.append("")
                continue
            }
            parts[parts.count - 1].append(character)
        }
        return parts
    }

    private static func unquoted(_ text: String) -> String {
        guard text.count >= 2, text.hasPrefix("\""), text.hasSuffix("\"") else { return text }
        return String(text.dropFirst().dropLast().replacing("\\\"", with: "\""))
    }
}

extension StringProtocol {
    /// Without spaces and tabs at either end.
    var trimmed: String {
        var rest = self[...]
        while let first = rest.first, first == " " || first == "\t" { rest.removeFirst() }
        while let last = rest.last, last == " " || last == "\t" { rest.removeLast() }
        return String(rest)
    }
}
