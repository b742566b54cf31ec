// Signing in and out, and who one is: /api/v1/session.

package import Access
import Foundation
package import Hummingbird
package import Web

/// What the routes of access need.
package struct AccessServices: Sendable {
    package let access: AccessControl
    package let authentication: AuthenticationPolicy
    package let work: BlockingWork
    /// Sign-in at the hospital's identity provider; nil: there is none.
    package let openID: OpenIDSignOn?
    /// Whether a study is here, so that nothing is shared that does not exist. Blocks.
    package let hasStudy: @Sendable (String) throws -> Bool
    /// Where a link leads once it is open: the page that shows a study.
    package let viewer: @Sendable (String) -> String

    package init(
        access: AccessControl, authentication: AuthenticationPolicy, work: BlockingWork,
        openID: OpenIDSignOn? = nil,
        hasStudy: @escaping @Sendable (String) throws -> Bool,
        viewer: @escaping @Sendable (String) -> String = { "/ohif/viewer?StudyInstanceUIDs=\($0)" }
    ) {
        self.access = access
        self.authentication = authentication
        self.work = work
        self.openID = openID
        self.hasStudy = hasStudy
        self.viewer = viewer
    }
}

/// Everything about accounts, sessions, tokens, grants, links and the trail.
package enum AccessEdge {
    package static func addRoutes(to router: Router<WebRequestContext>, services: AccessServices) {
        let api = router.group("api/v1")
        SessionRoutes(services).add(to: api)
        OpenIDRoutes(services).add(to: api)
        SessionLinkRoutes(services).add(to: router)
        AccountRoutes(services).add(to: api)
        AccountTokenRoutes(services).add(to: api)
        GrantRoutes(services).add(to: api)
        AuditRoutes(services).add(to: api)
    }
}

/// Who is signed in, as the pages read it.
struct SessionAnswer: Encodable {
    let account: String
    let roles: [String]
    let rights: [String]
    /// `all`, or `granted` for those who see single studies only.
    let scope: String
    let mustChangePassword: Bool
    /// `session`, `token`, `link` or `identityToken`.
    let credential: String
    /// Seconds without a request that end a session.
    let idleTimeout: Int

    init(_ caller: Caller, idleTimeout: Int) {
        account = caller.account
        roles = caller.roles.map(\.rawValue).sorted()
        rights = caller.rights.map(\.rawValue).sorted()
        scope =
            switch caller.scope {
            case .all: "all"
            case .only: "granted"
            }
        mustChangePassword = caller.mustChangePassword
        credential =
            switch caller.credential {
            case .session: "session"
            case .token: "token"
            case .link: "link"
            case .identityToken: "identityToken"
            }
        self.idleTimeout = idleTimeout
    }
}

struct SessionRoutes: Sendable {
    private struct SignIn: Decodable {
        let name: String
        let password: String
    }

    private struct PasswordChange: Decodable {
        let current: String
        let new: String
    }

    private let services: AccessServices

    init(_ services: AccessServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        group.get("session") { _, context in try who(context) }
        group.post("session") { request, context in try await signIn(request, context) }
        group.delete("session") { _, context in try await signOut(context) }
        group.put("session/password") { request, context in try await changePassword(request, context) }
    }

    private func who(_ context: WebRequestContext) throws -> Response {
        guard let caller = context.caller else { throw Problem.unauthenticated }
        return try JSONAnswer.response(SessionAnswer(caller, idleTimeout: services.access.policy.idleTimeout))
    }

    private func signIn(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        // A page of another site must not sign somebody in under a name of its choice either. A program sends no origin.
        if request.headers[.origin] != nil || request.headers[.secFetchSite] != nil {
            guard SameOrigin.allows(request, origins: services.authentication.origins) else {
                throw Problem(.forbidden, "A page of another site must not act for you here.")
            }
        }
        let asked = try await JSONAnswer.body(SignIn.self, of: request)
        let session: NewSession
        do {
            session = try await services.access.signIn(
                name: asked.name, password: asked.password, from: context.address, replacing: context.caller)
        } catch { throw Problem(error) }
        let caller = try await services.work.run { [access = services.access, address = context.address] in
            try access.caller(presenting: .session(session.secret), from: address)
        }
        guard let caller else { throw Problem.unauthenticated }
        var response = try JSONAnswer.response(
            SessionAnswer(caller, idleTimeout: services.access.policy.idleTimeout))
        response.setCookie(SessionCookie.make(session.secret, isSecure: services.authentication.isSecure))
        return response
    }

    private func signOut(_ context: WebRequestContext) async throws -> Response {
        if let caller = context.caller {
            try await services.run { try $0.signOut(caller) }
        }
        var response = Response(status: .noContent, headers: [.cacheControl: "no-store"])
        response.setCookie(SessionCookie.end(isSecure: services.authentication.isSecure))
        return response
    }

    private func changePassword(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        guard let caller = context.caller else { throw Problem.unauthenticated }
        guard case .session = caller.credential else {
            throw Problem(.forbidden, "A password is changed by who is signed in with it.")
        }
        let asked = try await JSONAnswer.body(PasswordChange.self, of: request)
        do {
            try await services.access.changePassword(of: caller, from: asked.current, to: asked.new)
        } catch { throw Problem(error) }
        return Response(status: .noContent, headers: [.cacheControl: "no-store"])
    }
}

extension AccessServices {
    /// Runs what blocks, and says in HTTP what fails.
    func run<Value: Sendable>(_ body: @escaping @Sendable (AccessControl) throws -> Value) async throws -> Value {
        do { return try await work.run { [access] in try body(access) } } catch let error as AccessFailure {
            throw Problem(error)
        }
    }
}
