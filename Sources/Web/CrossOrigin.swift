// Which pages of other sites may read answers, and what isolates our own pages (Fetch Standard Section 3.2, HTML 7.1.3).

import HTTPTypes
package import Hummingbird

/// Which other origins are let in.
package struct CrossOriginPolicy: Sendable {
    /// Origins whose pages may call with a token, such as `https://viewer.example.org`; `*` for all of them.
    package var origins: Set<String> = []
    /// Origins whose pages may also act for who is signed in.
    package var credentialedOrigins: Set<String> = []
    /// Whether our pages are isolated from other sites, which gives viewers memory shared between threads.
    package var isolatesPages = false

    package init() {}

    /// Nil when pages of the origin may not read answers.
    func access(of origin: String) -> (allowed: String, withCredentials: Bool)? {
        if credentialedOrigins.contains(origin) { return (origin, true) }
        if origins.contains(origin) { return (origin, false) }
        return origins.contains("*") ? ("*", false) : nil
    }

    var letsOthersIn: Bool { !origins.isEmpty || !credentialedOrigins.isEmpty }
}

/// Answers preflights, and marks every other answer. It stands before authentication: a preflight has no credential.
package struct CrossOrigin: RouterMiddleware {
    private let policy: CrossOriginPolicy

    package init(_ policy: CrossOriginPolicy) { self.policy = policy }

    // Hummingbird's requirement was compiled without nonisolated(nonsending) by default.
    @concurrent
    package func handle(
        _ request: Request, context: WebRequestContext,
        next: @concurrent (Request, WebRequestContext) async throws -> Response
    ) async throws -> Response {
        let origin = request.headers[.origin]
        if request.method == .options, origin != nil, request.headers[.accessControlRequestMethod] != nil {
            return marked(Response(status: .noContent, headers: preflight(origin)), origin)
        }
        do { return marked(try await next(request, context), origin) } catch let error as any HTTPResponseError {
            // A page must be able to read why it was refused.
            return marked(try error.response(from: request, context: context), origin)
        }
    }

    private func preflight(_ origin: String?) -> HTTPFields {
        guard let origin, policy.access(of: origin) != nil else { return [.vary: "Origin"] }
        return [
            .accessControlAllowMethods: "GET, HEAD, POST, PUT, DELETE, OPTIONS",
            .accessControlAllowHeaders: Self.requestHeaders,
            .accessControlMaxAge: "600",
        ]
    }

    private func marked(_ response: Response, _ origin: String?) -> Response {
        var response = response
        if policy.letsOthersIn { Self.vary(&response.headers) }
        if let origin, let access = policy.access(of: origin) {
            response.headers[.accessControlAllowOrigin] = access.allowed
            response.headers[.accessControlExposeHeaders] = Self.exposedHeaders
            if access.withCredentials { response.headers[.accessControlAllowCredentials] = "true" }
        }
        // Pages elsewhere that are isolated themselves may embed what they may read anyhow.
        let sharing = policy.letsOthersIn ? "cross-origin" : "same-origin"
        if response.headers[Self.resourcePolicy] == nil { response.headers[Self.resourcePolicy] = sharing }
        if policy.isolatesPages, response.headers[.contentType]?.hasPrefix("text/html") == true {
            response.headers[Self.openerPolicy] = "same-origin"
            response.headers[Self.embedderPolicy] = "require-corp"
        }
        return response
    }

    private static func vary(_ headers: inout HTTPFields) {
        guard let known = headers[.vary] else { return headers[.vary] = "Origin" }
        if !known.lowercased().contains("origin"), known != "*" { headers[.vary] = known + ", Origin" }
    }

    private static let requestHeaders =
        "Accept, Authorization, Content-Type, Idempotency-Key, If-Match, If-Modified-Since, If-None-Match, If-Range, Range, "
        + "X-Requested-With"
    private static let exposedHeaders =
        "Accept-Ranges, Content-Length, Content-Location, Content-Range, ETag, Location, Retry-After, Warning, "
        + "X-Total-Count, X-Total-Count-At-Least"
    private static let resourcePolicy = HTTPField.Name("Cross-Origin-Resource-Policy")!
    private static let openerPolicy = HTTPField.Name("Cross-Origin-Opener-Policy")!
    private static let embedderPolicy = HTTPField.Name("Cross-Origin-Embedder-Policy")!
}
