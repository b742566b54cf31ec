// What a caller is told when a request fails: a status and one readable sentence (RFC 9457), never patient data.

import Foundation
package import Hummingbird

/// A failed request.
package struct Problem: HTTPResponseError, Sendable {
    package let status: HTTPResponse.Status
    /// One sentence for the person or the program that asked.
    package let detail: String
    /// Header fields beside the content type.
    package var headers: HTTPFields

    package init(_ status: HTTPResponse.Status, _ detail: String, headers: HTTPFields = [:]) {
        self.status = status
        self.detail = detail
        self.headers = headers
    }

    /// No valid credential came with the request.
    package static let unauthenticated = Problem(
        .unauthorized, "Sign in, or send a token: Authorization: Bearer TOKEN.",
        headers: [.wwwAuthenticate: "Bearer realm=\"Phim\""])
    /// Nothing here under this name, or nothing that this caller may see.
    package static let absent = Problem(.notFound, "There is no such resource.")
    /// Too much is going on.
    package static let busy = Problem(
        .serviceUnavailable, "The archive is busy; try again.", headers: [.retryAfter: "5"])

    private struct Body: Encodable {
        let type = "about:blank"
        let title: String
        let status: Int
        let detail: String
    }

    package func response(from request: Request, context: some RequestContext) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let body = try encoder.encode(Body(title: status.reasonPhrase, status: status.code, detail: detail))
        var fields = headers
        fields[.contentType] = "application/problem+json"
        fields[.cacheControl] = "no-store"
        return Response(status: status, headers: fields, body: .init(byteBuffer: ByteBuffer(bytes: body)))
    }
}
