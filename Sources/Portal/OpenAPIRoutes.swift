// The description of /api/v1 for programs, and the same as a plain page for people.

import Hummingbird
import Web

struct OpenAPIRoutes: Sendable {
    private static let description = Asset(OpenAPIDocument.json, mediaType: "application/json")
    private static let page = Asset(OpenAPIDocument.page, mediaType: "text/html; charset=utf-8")
    /// No script, nothing from elsewhere.
    private static let pageHeaders: HTTPFields = [
        .contentSecurityPolicy: "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    ]

    func add(to group: RouterGroup<WebRequestContext>) {
        group.get("openapi.json") { request, _ in Self.description.response(to: request) }
        group.get("/") { request, _ in Self.page.response(to: request, adding: Self.pageHeaders) }
    }
}
