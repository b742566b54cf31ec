// Bodies and numbers of requests, looked at before they are believed; failures as statuses.

import DICOMCore
import DICOMImaging
import Encounters
import Foundation
import Hummingbird
import Ingest
import LineCoding
import NIOCore
import Web

enum ExchangeChecks {
    /// Octets of a JSON body as it comes, and as it is once inflated.
    private static let longestBody = 8 << 20
    private static let longestInflated = 32 << 20

    /// Objects that a request may list.
    private static let mostObjects = 50_000

    static func bound(_ objects: [String: String]?) throws(Problem) {
        guard (objects?.count ?? 0) <= mostObjects else {
            throw Problem(.contentTooLarge, "objects: at most \(mostObjects) in one request")
        }
    }

    static func isUID(_ text: String) -> Bool { UID.isValid(text) }

    /// The JSON body of a request, which may be compressed by gzip.
    static func body<Value: Decodable & Sendable>(
        _ type: Value.Type, of request: Request, on services: ExchangeServices
    ) async throws -> Value {
        let media = request.headers[.contentType].flatMap { ContentType($0) }?.essence ?? ""
        guard media == "application/json" else { throw Problem(.unsupportedMediaType, "Send application/json.") }
        let isCompressed: Bool
        switch request.headers[.contentEncoding]?.lowercased() {
        case nil, "identity": isCompressed = false
        case "gzip": isCompressed = true
        default: throw Problem(.unsupportedMediaType, "Compress by gzip, or not at all.")
        }
        let buffer: ByteBuffer
        do { buffer = try await request.body.collect(upTo: longestBody) } catch is NIOTooManyBytesError {
            throw Problem(.contentTooLarge, "At most \(longestBody) bytes.")
        }
        let bytes = Array(buffer.readableBytesView)
        return try await services.run { _ in
            guard let text = isCompressed ? inflated(bytes) : bytes else {
                throw Problem(.badRequest, "The body is not gzip, or longer than \(longestInflated) bytes.")
            }
            do { return try JSONDecoder().decode(type, from: Data(text)) } catch {
                throw Problem(.badRequest, "The body is not the JSON that this resource takes.")
            }
        }
    }

    /// A gzip file without optional fields (RFC 1952); nil for anything else.
    private static func inflated(_ bytes: [UInt8]) -> [UInt8]? {
        guard bytes.count > 18, bytes[0] == 0x1F, bytes[1] == 0x8B, bytes[2] == 8, bytes[3] == 0 else { return nil }
        var out: [UInt8] = []
        do throws(ImagingFailure) {
            var stream = try DataSetStream(.inflate)
            try stream.put(Array(bytes[10...]), onDamage: { $0 }) { piece throws(ImagingFailure) in
                guard out.count + piece.count <= longestInflated else { throw .damaged("too long") }
                out += piece
            }
            return stream.isFinished ? out : nil
        } catch { return nil }
    }

    static func response(
        _ value: some Encodable, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]
    ) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        var fields = headers
        fields[.contentType] = "application/json"
        fields[.cacheControl] = "no-store"
        return Response(
            status: status, headers: fields, body: .init(byteBuffer: ByteBuffer(bytes: try encoder.encode(value))))
    }
}

extension Problem {
    /// Nothing was kept of what came; the same may come again later.
    static let full = Problem(
        HTTPResponse.Status(code: 507, reasonPhrase: "Insufficient Storage"),
        "There is no room for objects now; what has arrived is kept.",
        headers: [.retryAfter: "60"])

    init(_ failure: EncounterFailure) {
        switch failure {
        case .invalid, .unknown: self.init(.unprocessableContent, failure.sentence)
        case .outdated, .merged, .conflict, .unlawful: self.init(.conflict, failure.sentence)
        case .records: self = .busy
        }
    }

    init(_ failure: UploadFailure) {
        switch failure {
        case .offset(let offset):
            self.init(
                .conflict, "The object goes on at another octet.",
                headers: [ExchangeWords.uploadOffset: "\(offset)", ExchangeWords.uploadComplete: "?0"])
        case .superseded: self.init(.conflict, "Another request goes on with this object.")
        case .accepting:
            self.init(
                .serviceUnavailable, "The object has arrived and is being taken in; ask again.",
                headers: [.retryAfter: "1"])
        case .full: self = .full
        case .unreadable: self.init(.conflict, "What has arrived of the object is of another length, or unreadable.")
        }
    }

    init(_ failure: LineCodingFailure) {
        switch failure {
        case .damaged, .rotten:
            self.init(
                .unprocessableContent, "Not taken: \(failure.sentence).", headers: [ExchangeWords.wanted: "plain"])
        case .busy: self = .busy
        case .lost:
            self.init(
                .serviceUnavailable, "The object could not be decoded now; what has arrived is kept.",
                headers: [.retryAfter: "5"])
        case .outOfSpace: self = .full
        case .unreadable: self.init(.internalServerError, "What has arrived cannot be read.")
        }
    }

    init(_ failure: IngestFailure) {
        switch failure {
        case .outOfSpace: self = .full
        case .busy, .stopped: self = .busy
        case .tooLarge: self.init(.contentTooLarge, "The object is larger than this archive takes.")
        case .unreadable, .invalidIdentifier:
            self.init(.unprocessableContent, "The object cannot be read as far as its identifiers.")
        case .identifierMismatch: self.init(.unprocessableContent, "The object is another than was announced.")
        case .refused(let reason): self.init(.unprocessableContent, "The archive does not take it: \(reason).")
        case .storage: self.init(.internalServerError, "The object cannot be stored.")
        }
    }
}
