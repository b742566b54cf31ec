// JSON in and out of the routes of access, and the one place where their failures become HTTP statuses.

import Access
import Foundation
import Hummingbird
import Web

enum JSONAnswer {
    /// Bytes of a request's body at most.
    private static let longestBody = 64 << 10

    static func response(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        return Response(
            status: status, headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(bytes: try encoder.encode(value))))
    }

    /// The body of a request. Only what calls itself JSON is read: forms of other sites cannot.
    static func body<Value: Decodable>(_ type: Value.Type, of request: Request) async throws -> Value {
        let media = request.headers[.contentType]?.split(separator: ";").first.map { $0.lowercased() } ?? ""
        guard media == "application/json" else {
            throw Problem(.unsupportedMediaType, "Send application/json.")
        }
        let buffer: ByteBuffer
        do { buffer = try await request.body.collect(upTo: longestBody) } catch {
            throw Problem(.contentTooLarge, "At most \(longestBody) bytes.")
        }
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        do { return try decoder.decode(Value.self, from: Data(buffer.readableBytesView)) } catch {
            throw Problem(.badRequest, "\(words(error))")
        }
    }

    /// What is wrong with the JSON, without its values.
    private static func words(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "The body is not JSON." }
        switch error {
        case .keyNotFound(let key, _): return "The field \(key.stringValue) is missing."
        case .typeMismatch(_, let at), .valueNotFound(_, let at):
            return "The field \(at.codingPath.map(\.stringValue).joined(separator: ".")) has a value of another kind."
        case .dataCorrupted(let at) where !at.codingPath.isEmpty:
            return "The field \(at.codingPath.map(\.stringValue).joined(separator: ".")) cannot be read."
        case .dataCorrupted: return "The body is not JSON."
        @unknown default: return "The body cannot be read."
        }
    }

    static func date(_ microseconds: Int64) -> Date { Date(timeIntervalSince1970: Double(microseconds) / 1e6) }

    /// A time that no number of microseconds can say is the farthest there is.
    static func microseconds(_ date: Date) -> Int64 {
        let exact = date.timeIntervalSince1970 * 1e6
        return Int64(exactly: exact.rounded()) ?? (exact < 0 ? .min : .max)
    }
}

extension Problem {
    init(_ failure: AccessFailure) {
        switch failure {
        case .wrongCredentials:
            // No WWW-Authenticate: a browser must not open a dialogue of its own.
            self.init(
                .unauthorized,
                "Name or password is wrong. After several wrong passwords an account is locked for a while.")
        case .tooMany(let seconds):
            self.init(
                .tooManyRequests, "Too many failed attempts; try again later.", headers: [.retryAfter: "\(seconds)"])
        case .invalid(let field, let reason): self.init(.badRequest, "\(field): \(reason)")
        case .nameTaken: self.init(.conflict, "An account of this name exists already.")
        case .notFound: self = .absent
        case .notCovered: self.init(.forbidden, "Nobody can give more than they have.")
        case .lastAdministrator: self.init(.conflict, "This is the last administrator.")
        case .records: self = .busy
        }
    }
}
