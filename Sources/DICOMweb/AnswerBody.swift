// Bodies of answers: bytes at hand, or read piece by piece while the caller takes them, so that memory stays flat.

import Hummingbird
import NIOCore
import Retrieval
import Web

/// Bytes of known length that can be read from any place.
struct ByteSource: Sendable {
    let length: Int64
    /// All of it, where it is in memory already.
    private(set) var buffer: ByteBuffer?
    /// Appends a range to a buffer; blocks.
    let append: @Sendable (_ range: Range<Int64>, _ buffer: inout ByteBuffer) throws(RetrievalFailure) -> Void

    /// A stored object, or a part of it.
    init(_ object: StoredObject, _ part: Range<Int64>? = nil) {
        let start = part?.lowerBound ?? 0
        length = Int64(part?.count ?? Int(object.length))
        append = { (range, buffer) throws(RetrievalFailure) in
            try buffer.writeWithOutputRawSpan(minimumWritableBytes: range.count) { (span) throws(RetrievalFailure) in
                try object.read(from: start + range.lowerBound, count: range.count, into: &span)
            }
        }
    }

    /// Parts of a stored object as if they followed each other.
    init(_ object: StoredObject, _ parts: [Range<Int64>]) {
        length = parts.reduce(0) { $0 + Int64($1.count) }
        append = { (range, buffer) throws(RetrievalFailure) in
            var start: Int64 = 0
            for part in parts {
                let wanted = range.clamped(to: start..<start + Int64(part.count))
                if !wanted.isEmpty {
                    let from = part.lowerBound + wanted.lowerBound - start
                    try buffer.writeWithOutputRawSpan(minimumWritableBytes: wanted.count) {
                        (span) throws(RetrievalFailure) in
                        try object.read(from: from, count: wanted.count, into: &span)
                    }
                }
                start += Int64(part.count)
            }
        }
    }

    /// An object that was converted for this answer, or a part of it.
    init(_ object: ConvertedObject, _ part: Range<Int64>? = nil) {
        let start = part?.lowerBound ?? 0
        length = part.map { Int64($0.count) } ?? object.length
        append = { (range, buffer) throws(RetrievalFailure) in
            buffer.writeBytes(try object.read(from: start + range.lowerBound, count: range.count))
        }
    }

    /// Bytes at hand.
    init(_ bytes: ByteBuffer) {
        length = Int64(bytes.readableBytes)
        buffer = bytes
        append = { (range, buffer) throws(RetrievalFailure) in
            let start = bytes.readerIndex + Int(range.lowerBound)
            if let slice = bytes.getSlice(at: start, length: range.count) { buffer.writeImmutableBuffer(slice) }
        }
    }

    /// What is read at once: enough for speed, little enough for many callers.
    static let piece: Int64 = 1 << 20
}

extension ResponseBodyWriter {
    /// Sends a range of a source piece by piece. While the caller does not take them no thread waits.
    @concurrent
    mutating func write(
        _ source: ByteSource, _ range: Range<Int64>, before head: String = "", after tail: String = "",
        work: BlockingWork
    ) async throws {
        var start = range.lowerBound
        var isFirst = true
        repeat {
            let end = min(start + ByteSource.piece, range.upperBound)
            let (part, opening, closing) = (start..<end, isFirst ? head : "", end == range.upperBound ? tail : "")
            let buffer = try await work.run {
                var buffer = ByteBufferAllocator().buffer(
                    capacity: part.count + opening.utf8.count + closing.utf8.count)
                buffer.writeString(opening)
                try source.append(part, &buffer)
                buffer.writeString(closing)
                return buffer
            }
            try await write(buffer)
            isFirst = false
            start = end
        } while start < range.upperBound
    }
}

/// What every answer with patient data carries.
enum AnswerHeaders {
    /// - Parameter tag: of this representation.
    static func fields(_ contentType: String, _ tag: EntityTag?) -> HTTPFields {
        var fields: HTTPFields = [
            .contentType: contentType,
            // Kept by the caller alone, and asked for again each time: rights may have gone meanwhile.
            .cacheControl: "private, no-cache",
            .vary: "Accept, Accept-Encoding, Authorization, Cookie",
            .xContentTypeOptions: "nosniff",
        ]
        if let tag { fields[.eTag] = tag.description }
        return fields
    }
}

extension RetrieveCall {
    /// 304 or 412 where the caller's conditions say so (RFC 9110 Section 13.2.2).
    func conditional(_ tag: EntityTag) -> Response? {
        if tag.isOutdated(by: request.headers) {
            return Response(status: .preconditionFailed, headers: [.eTag: tag.description])
        }
        guard tag.isKnown(to: request.headers) else { return nil }
        var fields = AnswerHeaders.fields("", tag)
        fields[.contentType] = nil
        return Response(status: .notModified, headers: fields)
    }

    /// One representation, whole or by ranges (RFC 9110 Section 14).
    func ranged(_ source: ByteSource, contentType: String, tag: EntityTag, name: String? = nil) -> Response {
        if let answer = conditional(tag) { return answer }
        var fields = AnswerHeaders.fields(contentType, tag)
        fields[.acceptRanges] = "bytes"
        if let name { fields[.contentDisposition] = "attachment; filename=\"\(name)\"" }
        let ifRange = request.headers[.ifRange]
        let isSame = ifRange == nil || ifRange == tag.description
        let work = services.work
        switch ByteRanges(isSame ? request.headers[.range] : nil, length: source.length) {
        case .whole:
            if let buffer = source.buffer {
                return Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: buffer))
            }
            return Response(
                status: .ok, headers: fields,
                body: ResponseBody(contentLength: Int(source.length)) { writer in
                    if source.length > 0 { try await writer.write(source, 0..<source.length, work: work) }
                    try await writer.finish(nil)
                })
        case .unsatisfiable:
            return Response(
                status: .rangeNotSatisfiable, headers: [.contentRange: "bytes */\(source.length)"])
        case .parts(let parts) where parts.count == 1:
            let part = parts[0]
            fields[.contentRange] = "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(source.length)"
            return Response(
                status: .partialContent, headers: fields,
                body: ResponseBody(contentLength: part.count) { writer in
                    try await writer.write(source, part, work: work)
                    try await writer.finish(nil)
                })
        case .parts(let parts):
            let multipart = MultipartAnswer(
                kind: "multipart/byteranges", type: nil, seed: tag.opaque,
                parts: parts.map { part in
                    MultipartPart(
                        contentType: contentType,
                        fields: ["Content-Range: bytes \(part.lowerBound)-\(part.upperBound - 1)/\(source.length)"],
                        length: Int64(part.count), body: .range(source, part))
                })
            return multipart.response(status: .partialContent, fields: fields, call: self)
        }
    }
}
