// Writes multipart answers (RFC 2046 Section 5.1, RFC 2387, PS3.18 Section 8.6.1.2.1).

import Catalog
import Crypto
import Hummingbird
import NIOCore
import Retrieval
import Web

/// One part of an answer.
struct MultipartPart: Sendable {
    let contentType: String
    /// Header fields beside Content-Type and Content-Length, without line ends.
    var fields: [String] = []
    /// Length of the body; nil where it is known only when it has been made.
    let length: Int64?
    let body: Body

    /// Where the bytes come from.
    enum Body: Sendable {
        case range(ByteSource, Range<Int64>)
        /// Made on a thread that may block when it is its turn, with the type of what came out.
        case made(@Sendable () throws -> (source: ByteSource, contentType: String))
    }

    init(_ source: ByteSource, contentType: String, fields: [String] = []) {
        self.init(
            contentType: contentType, fields: fields, length: source.length, body: .range(source, 0..<source.length))
    }

    init(contentType: String, fields: [String] = [], length: Int64?, body: Body) {
        self.contentType = contentType
        self.fields = fields
        self.length = length
        self.body = body
    }

    /// Viewers in the field look for these names in exactly this spelling.
    fileprivate func head(_ boundary: String, contentType: String, length: Int64, isFirst: Bool) -> String {
        var text = "\(isFirst ? "" : "\r\n")--\(boundary)\r\nContent-Type: \(contentType)\r\n"
        text += "Content-Length: \(length)\r\n"
        for field in fields { text += field + "\r\n" }
        return text + "\r\n"
    }
}

/// An answer of several parts.
struct MultipartAnswer: Sendable {
    /// `multipart/related` or `multipart/byteranges`.
    var kind = "multipart/related"
    /// The type of the parts.
    let type: String?
    let boundary: String
    let parts: [MultipartPart]

    /// - Parameter seed: what the answer is made from: the same answer has the same boundary, so that its entity tag is
    ///   strong. What is sent cannot hold its own digest.
    init(kind: String = "multipart/related", type: String?, seed: String, parts: [MultipartPart]) {
        self.kind = kind
        self.type = type
        self.parts = parts
        boundary = "phim-" + Digest.hexadecimal("boundary\n\(seed)", count: 20)
    }

    var contentType: String {
        type.map { "\(kind); type=\"\($0)\"; boundary=\(boundary)" } ?? "\(kind); boundary=\(boundary)"
    }

    /// Length of the whole, where all parts know theirs.
    private var length: Int? {
        var sum = Int64(closing.utf8.count)
        for (index, part) in parts.enumerated() {
            guard let length = part.length else { return nil }
            let head = part.head(boundary, contentType: part.contentType, length: length, isFirst: index == 0)
            sum += Int64(head.utf8.count) + length
        }
        return Int(sum)
    }

    private var closing: String { "\(parts.isEmpty ? "" : "\r\n")--\(boundary)--\r\n" }

    /// The answer; its parts are read or made while it is sent.
    func response(status: HTTPResponse.Status = .ok, fields: HTTPFields, call: RetrieveCall) -> Response {
        var fields = fields
        fields[.contentType] = contentType
        let (answer, work, imaging) = (self, call.services.work, call.services.imaging)
        return Response(
            status: status, headers: fields,
            body: ResponseBody(contentLength: length) { writer in
                for (index, part) in answer.parts.enumerated() {
                    let (source, range, type) = try await part.ready(imaging)
                    let head = part.head(
                        answer.boundary, contentType: type, length: Int64(range.count), isFirst: index == 0)
                    let tail = index == answer.parts.count - 1 ? answer.closing : ""
                    try await writer.write(source, range, before: head, after: tail, work: work)
                }
                if answer.parts.isEmpty { try await writer.write(ByteBuffer(string: answer.closing)) }
                try await writer.finish(nil)
            })
    }

    /// The whole answer as one buffer, for few and small parts: one write of the connection instead of several.
    /// Blocks.
    func buffer() throws(RetrievalFailure) -> ByteBuffer? {
        guard let length, length <= 16 << 20 else { return nil }
        var buffer = ByteBufferAllocator().buffer(capacity: length)
        for (index, part) in parts.enumerated() {
            guard case .range(let source, let range) = part.body else { return nil }
            buffer.writeString(
                part.head(boundary, contentType: part.contentType, length: Int64(range.count), isFirst: index == 0))
            try source.append(range, &buffer)
        }
        buffer.writeString(closing)
        return buffer
    }
}

extension MultipartPart {
    func ready(_ imaging: BlockingWork) async throws -> (ByteSource, Range<Int64>, String) {
        switch body {
        case .range(let source, let range): return (source, range, contentType)
        case .made(let make):
            let (source, type) = try await imaging.run(isBegun: true, make)
            return (source, 0..<source.length, type)
        }
    }
}

/// Digests of short texts, for names that say nothing.
enum Digest {
    static func hexadecimal(_ text: String, count: Int) -> String {
        SHA256.hash(data: Array(text.utf8)).prefix(count).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }

    /// What an instance goes out as: its bytes, and the revision of what is corrected in them.
    static func hexadecimal(_ instance: StoredInstance) -> String {
        hexadecimal(instance.digest) + (instance.correction.map { "-\($0.revision)" } ?? "")
    }

    /// The beginning of a digest that the catalogue has.
    static func hexadecimal(_ digest: [UInt8]) -> String {
        digest.prefix(12).map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }
}
