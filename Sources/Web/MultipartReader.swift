// Takes a multipart body apart while it comes in: chunks go in, parts come out (RFC 2046 Section 5.1, RFC 2387).

package import NIOCore

/// Why a body is no multipart body. None of the cases carries a byte of it.
package enum MultipartFailure: Error, Hashable, Sendable {
    /// No boundary in the content type, or one that is none.
    case invalidBoundary
    /// The boundary of the content type never came.
    case noBoundary
    /// The body ended before its closing boundary.
    case truncated
    /// A part's header is longer, or has more fields, than any honest one.
    case headerTooLarge
    /// A line of a part's header is no field.
    case malformedHeader
    /// More parts than one request may have.
    case tooManyParts
    /// A part that is a multipart body itself.
    case nested

    /// One sentence for the sender.
    package var sentence: String {
        switch self {
        case .invalidBoundary: "The content type names no usable boundary."
        case .noBoundary: "The body does not contain the boundary that the content type names."
        case .truncated: "The body ends before its closing boundary."
        case .headerTooLarge: "The header of a part is too large."
        case .malformedHeader: "The header of a part has a line that is no field."
        case .tooManyParts: "The body has too many parts; send it in several requests."
        case .nested: "A part is a multipart body itself; send its parts side by side."
        }
    }
}

/// The header fields of one part.
package struct PartHeader: Sendable, Hashable {
    /// Values by the names in lower case; of a field that comes twice the first counts.
    private var fields: [String: String]

    package init(_ fields: [String: String] = [:]) { self.fields = fields }

    /// The value of a field, its name in lower case.
    package subscript(_ name: String) -> String? { fields[name] }

    /// What the part holds; nil when it does not say.
    package var contentType: ContentType? { fields["content-type"].flatMap { ContentType($0) } }

    fileprivate mutating func add(_ name: String, _ value: String) {
        if fields[name] == nil { fields[name] = value }
    }

    fileprivate var count: Int { fields.count }
}

/// A state machine over the chunks of a body: the same parts come out however the bytes were cut.
///
/// Lines may end in LF alone. Of what has come in it holds back no more than could be the beginning of a boundary.
package struct MultipartReader: Sendable {
    /// What comes out.
    package enum Event: Sendable, Hashable {
        case begin(PartHeader)
        /// The next bytes of the part that has begun.
        case bytes(ByteBuffer)
        case end
    }

    /// Bounds of one body.
    package struct Limits: Sendable {
        package var headerBytes = 16 << 10
        package var headerFields = 64
        package var parts = 50_000
        /// Bytes before the first boundary.
        package var preamble = 64 << 10

        package init() {}
    }

    private enum State { case preamble, header, body, epilogue }

    private let finder: BoundaryFinder
    private let limits: Limits
    private var state = State.preamble
    private var held = ByteBuffer()
    /// Whether what is held begins a line, because nothing of this part has come out yet.
    private var isAtStart = true
    /// How much of what is held has been searched for the end of a header.
    private var searched = 0
    private var skipped = 0
    private var parts = 0
    private var endsPart = false

    /// - Parameter boundary: of the content type, without the two hyphens.
    package init(boundary: String, limits: Limits = .init()) throws(MultipartFailure) {
        guard (1...70).contains(boundary.utf8.count), boundary.utf8.allSatisfy({ (0x20...0x7E).contains($0) }),
            boundary.utf8.last != 0x20
        else { throw .invalidBoundary }
        finder = BoundaryFinder(boundary)
        self.limits = limits
    }

    /// Takes the next chunk. All events of the one before must have been taken out.
    package mutating func append(_ chunk: ByteBuffer) {
        if held.readableBytes == 0 {
            held = chunk
        } else {
            var chunk = chunk
            var joined = ByteBuffer()
            joined.reserveCapacity(held.readableBytes + chunk.readableBytes)
            joined.writeBuffer(&held)
            joined.writeBuffer(&chunk)
            held = joined
        }
    }

    /// The next event; nil when more bytes are needed for one.
    package mutating func next() throws(MultipartFailure) -> Event? {
        while true {
            if endsPart {
                endsPart = false
                return .end
            }
            switch state {
            case .preamble:
                guard try skipPreamble() else { return nil }
            case .header:
                guard let header = try takeHeader() else { return nil }
                return .begin(header)
            case .body:
                guard let event = try takeBody() else { return nil }
                return event
            case .epilogue:
                held = ByteBuffer()
                return nil
            }
        }
    }

    /// The body has come to its end.
    package func finish() throws(MultipartFailure) {
        switch state {
        case .epilogue: return
        case .preamble: throw .noBoundary
        case .header, .body: throw .truncated
        }
    }

    private mutating func skipPreamble() throws(MultipartFailure) -> Bool {
        let found = finder.find(in: held, isAtStart: isAtStart)
        switch found {
        case .delimiter(let end, let next, let closes):
            guard skipped + end <= limits.preamble else { throw .noBoundary }
            held.moveReaderIndex(forwardBy: next)
            try delimit(closes)
            return true
        case .none(let safe):
            skipped += safe
            guard skipped <= limits.preamble else { throw .noBoundary }
            held.moveReaderIndex(forwardBy: safe)
            if safe > 0 { isAtStart = false }
            return false
        }
    }

    private mutating func takeBody() throws(MultipartFailure) -> Event? {
        switch finder.find(in: held, isAtStart: isAtStart) {
        case .delimiter(let end, let next, let closes):
            let bytes = held.readSlice(length: end)
            held.moveReaderIndex(forwardBy: next - end)
            try delimit(closes)
            guard let bytes, end > 0 else { return .end }
            endsPart = true
            return .bytes(bytes)
        case .none(let safe):
            guard safe > 0, let bytes = held.readSlice(length: safe) else { return nil }
            isAtStart = false
            return .bytes(bytes)
        }
    }

    private mutating func delimit(_ closes: Bool) throws(MultipartFailure) {
        if closes {
            state = .epilogue
            return
        }
        parts += 1
        guard parts <= limits.parts else { throw .tooManyParts }
        state = .header
        searched = 0
    }

    /// Reads as far as the empty line that ends a header (RFC 5322 Section 2.2).
    private mutating func takeHeader() throws(MultipartFailure) -> PartHeader? {
        let view = held.readableBytesView
        var lineStart = view.startIndex + searched
        while let lineFeed = view[lineStart...].firstIndex(of: 0x0A) {
            let isEmpty = lineFeed == lineStart || lineFeed == lineStart + 1 && view[lineStart] == 0x0D
            lineStart = lineFeed + 1
            guard lineStart - view.startIndex <= limits.headerBytes else { throw .headerTooLarge }
            if isEmpty {
                let header = try PartHeader(lines: view[view.startIndex..<lineFeed], limits)
                held.moveReaderIndex(forwardBy: lineStart - view.startIndex)
                state = .body
                isAtStart = true
                return header
            }
        }
        guard view.count <= limits.headerBytes else { throw .headerTooLarge }
        searched = lineStart - view.startIndex
        return nil
    }
}

extension PartHeader {
    fileprivate init(lines: ByteBufferView, _ limits: MultipartReader.Limits) throws(MultipartFailure) {
        self.init()
        var name = ""
        var value = ""
        var lines = lines.split(separator: 0x0A).map { String(decoding: $0, as: UTF8.self) }.map(Self.trimmedEnd)
        lines.append("")
        for line in lines {
            // A line that begins with a space continues the one before (RFC 5322 Section 2.2.3).
            if let first = line.first, first == " " || first == "\t", !name.isEmpty {
                value += line
                continue
            }
            if !name.isEmpty { add(name, value) }
            guard !line.isEmpty else { break }
            guard let colon = line.firstIndex(of: ":"), colon != line.startIndex else { throw .malformedHeader }
            name = Self.trimmedEnd(String(line[..<colon])).lowercased()
            value = String(line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" })
            guard count < limits.headerFields else { throw .headerTooLarge }
        }
        if contentType?.essence.hasPrefix("multipart/") == true { throw .nested }
    }

    private static func trimmedEnd(_ text: String) -> String {
        var text = Substring(text)
        while let last = text.last, last == " " || last == "\t" || last == "\r" { text.removeLast() }
        return String(text)
    }
}
