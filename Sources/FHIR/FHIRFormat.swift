// JSON in and out: media types, what a caller takes, validators (FHIR R4 Sections 2.6 and 3.1.0).

import Crypto
import Foundation
import Hummingbird
import Web

enum FHIRFormat {
    static let mediaType = "application/fhir+json; charset=utf-8"
    private static let json: Set<String> = ["application/fhir+json", "application/json", "text/json", "json"]
    /// Bytes of a request's body at most.
    static let longestBody = 4 << 20

    static func bytes(_ value: some Encodable, isPretty: Bool = false) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting =
            isPretty
            ? [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted] : [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }

    /// The version of a resource: equal contents are equal versions.
    static func version(_ resource: some Encodable) -> String {
        guard let bytes = try? bytes(resource) else { return "0" }
        return SHA256.hash(data: bytes).prefix(8).map { String(UInt16($0) + 256, radix: 16).dropFirst() }.joined()
    }

    /// The media type of the answer. `_format` overrides the header.
    /// - Throws: 406 where only something else than JSON would do.
    static func accepted(_ request: Request, format: String?) throws -> String {
        if let format {
            guard json.contains(ContentType(format)?.essence ?? format.lowercased()) else { throw unacceptable }
            return mediaType
        }
        let wishes = request.headers[values: .accept].flatMap { $0.split(separator: ",") }
            .compactMap { ContentType(String($0)) }
            .filter { $0.parameters["q"].flatMap(Double.init) != 0 }
        if wishes.isEmpty { return mediaType }
        let kinds = Set(wishes.map(\.essence))
        if !kinds.isDisjoint(with: ["application/fhir+json", "*/*", "application/*"]) { return mediaType }
        guard let kind = kinds.first(where: json.contains) else { throw unacceptable }
        return kind + "; charset=utf-8"
    }

    private static let unacceptable = FHIRFault(.notAcceptable, "not-supported", "Only application/fhir+json is given.")

    /// The body of a request as a value.
    static func body<Value: Decodable>(_ type: Value.Type, named name: String, of request: Request) async throws
        -> Value
    {
        let essence = request.headers[.contentType].flatMap { ContentType($0) }?.essence ?? ""
        guard json.contains(essence) else {
            throw FHIRFault(.unsupportedMediaType, "not-supported", "Send application/fhir+json.")
        }
        let buffer: ByteBuffer
        do { buffer = try await request.body.collect(upTo: longestBody) } catch {
            throw FHIRFault(.contentTooLarge, "too-long", "At most \(longestBody) bytes.")
        }
        do { return try JSONDecoder().decode(Value.self, from: Data(buffer.readableBytesView)) } catch {
            throw FHIRFault(error, in: name)
        }
    }

    // MARK: Validators

    /// `W/"…"`.
    static func tag(_ meta: Meta?) -> String? { meta?.versionId.map { "W/\"\($0)\"" } }

    /// Whether `If-Match` names another version than this one.
    static func isOutdated(_ field: String?, _ meta: Meta?) -> Bool {
        guard let field else { return false }
        return !field.split(separator: ",").contains { part in
            let text = part.trimmingCharacters(in: .whitespaces)
            let bare = (text.hasPrefix("W/") ? String(text.dropFirst(2)) : text).trimmingCharacters(
                in: CharacterSet(charactersIn: "\""))
            return bare == meta?.versionId
        }
    }

    /// The value of Last-Modified, from the time of a resource's meta (RFC 9110 Section 5.6.7).
    static func httpDate(_ instant: String?) -> String? {
        guard let instant, let microseconds = FHIRDate(instant)?.instant else { return nil }
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "GMT")
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        return formatter.string(from: Date(timeIntervalSince1970: Double(microseconds / 1_000_000)))
    }
}
