// Finds out who calls, before any route sees the request.

package import Access
package import Hummingbird

/// What authentication goes by.
package struct AuthenticationPolicy: Sendable {
    /// Numeric addresses of proxies whose word is taken for where a request came from.
    package var trustedProxies: Set<String> = []
    /// Origins beside our own whose pages may act for who is signed in, such as `https://emr.example.org`.
    package var origins: Set<String> = []
    /// Whether cookies are for encrypted connections only.
    package var isSecure = false

    package init() {}
}

/// Puts the caller into the context of every request that has a valid credential.
package struct Authentication: RouterMiddleware {
    private let access: AccessControl
    private let policy: AuthenticationPolicy
    private let openID: OpenIDSignOn?
    /// Of its own, so that a request waits for no image to learn that it may not be.
    private let work: BlockingWork

    package init(
        access: AccessControl, policy: AuthenticationPolicy = AuthenticationPolicy(), openID: OpenIDSignOn? = nil,
        work: BlockingWork = BlockingWork(threads: 2)
    ) {
        self.access = access
        self.policy = policy
        self.openID = openID
        self.work = work
    }

    // Hummingbird's requirement was compiled without nonisolated(nonsending) by default.
    @concurrent
    package func handle(
        _ request: Request, context: WebRequestContext,
        next: @concurrent (Request, WebRequestContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        context.audit = access.audit
        context.forwardedAddress = ForwardedAddress.of(
            request, peer: context.remoteAddress?.ipAddress ?? "", proxies: policy.trustedProxies)
        if let presented = Self.credential(of: request, isSecure: policy.isSecure) {
            if case .session = presented, !SameOrigin.allows(request, origins: policy.origins) {
                throw Problem(.forbidden, "A page of another site must not act for you here.")
            }
            let address = context.address
            context.caller = try await caller(presented, from: address)
            context.lookAgain = { try await verified(presented, from: address, isUse: false) }
        }
        return try await next(request, context)
    }

    private func caller(_ presented: Presented, from address: String) async throws -> Caller? {
        if let known = access.knownCaller(presenting: presented, from: address) { return known }
        return try await verified(presented, from: address, isUse: true)
    }

    private func verified(_ presented: Presented, from address: String, isUse: Bool) async throws -> Caller? {
        do {
            if case .token(let text) = presented, let openID, OpenIDKeySet.isToken(text) {
                return try await identityCaller(text, presented, openID, from: address)
            }
            return try await work.run { [access] in
                try access.caller(presenting: presented, from: address, isUse: isUse)
            }
        } catch is AccessFailure {
            throw Problem.busy
        }
    }

    /// The caller of a token that the identity provider has made.
    private func identityCaller(
        _ text: String, _ presented: Presented, _ openID: OpenIDSignOn, from address: String
    ) async throws -> Caller? {
        do {
            guard let bearer = try await openID.bearer(text) else { return nil }
            return try await work.run { [access] in
                try access.caller(bearer: bearer, presenting: presented, from: address)
            }
        } catch let failure as OpenIDFailure {
            access.noteFailure(failure, from: address, isAttempt: false)
            switch failure {
            case .token, .disabled, .noRole, .wrongState, .providerRefused: return nil
            case .providerAway, .tooMany, .access: throw Problem.busy
            }
        }
    }

    /// A token wins over a cookie: what a program says on purpose counts.
    static func credential(of request: Request, isSecure: Bool) -> Presented? {
        if let field = request.headers[.authorization] {
            let parts = field.split(separator: " ", maxSplits: 1)
            guard parts.count == 2, parts[0].lowercased() == "bearer" else { return .token("") }
            return .token(String(parts[1].drop { $0 == " " }))
        }
        return SessionCookie.secret(in: request, isSecure: isSecure).map(Presented.session)
    }
}
