// Tokens of programs: /api/v1/tokens. Everybody their own, an administrator those of all.

import Access
import Foundation
import Hummingbird
import Records
import Web

struct AccountTokenRoutes: Sendable {
    private struct Answer: Encodable {
        let id: Int64
        let account: String
        let name: String
        /// Nil: those of the account.
        let roles: [String]?
        let createdAt: Date
        let expiresAt: Date?
        let revokedAt: Date?

        init(_ token: TokenRecord) {
            id = token.id
            account = token.accountName
            name = token.name
            roles = token.roles?.sorted()
            createdAt = JSONAnswer.date(token.createdAt)
            expiresAt = token.expiresAt.map(JSONAnswer.date)
            revokedAt = token.revokedAt.map(JSONAnswer.date)
        }
    }

    private struct NewTokenAnswer: Encodable {
        let id: Int64
        let token: String
    }

    private struct Asked: Decodable {
        let name: String?
        /// Nil: one's own.
        let account: String?
        let roles: [String]?
        let expiresAt: Date?
    }

    private let services: AccessServices

    init(_ services: AccessServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        let tokens = group.group("tokens")
        tokens.get { _, context in
            let caller = try owner(context)
            let account = caller.rights.contains(.administer) ? nil : caller.accountID
            let found = try await services.run { try $0.tokens(account: account) }
            return try JSONAnswer.response(found.map(Answer.init))
        }
        tokens.post { request, context in try await issue(request, context) }
        tokens.delete(":id") { _, context in
            let caller = try owner(context)
            let id = try context.number()
            try await services.run { access in
                let token = try access.token(id)
                guard token.account == caller.accountID || caller.rights.contains(.administer) else {
                    throw AccessFailure.notFound
                }
                try access.revokeToken(id, by: Author(caller))
            }
            return Response(status: .noContent)
        }
    }

    /// Who is signed in, or an administrator's program: a token that got lost must not beget others.
    private func owner(_ context: WebRequestContext) throws -> Caller {
        guard let caller = context.caller else { throw Problem.unauthenticated }
        if caller.rights.contains(.administer) { return try context.authorized(.administer, detail: "tokens") }
        guard case .session = caller.credential, !caller.mustChangePassword else {
            throw Problem(.forbidden, "Tokens are handled by who is signed in with a password.")
        }
        return caller
    }

    private func issue(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let caller = try owner(context)
        let asked = try await JSONAnswer.body(Asked.self, of: request)
        let account = asked.account ?? caller.account
        guard account == caller.account || caller.rights.contains(.administer) else {
            throw Problem(.forbidden, "Tokens of others are made by administrators.")
        }
        let roles = try asked.roles.map(AccountRoutes.roles)
        let token = try await services.run { access in
            try access.issueToken(
                account: account, label: asked.name ?? "", roles: roles,
                expiresAt: asked.expiresAt.map(JSONAnswer.microseconds), by: Author(caller))
        }
        return try JSONAnswer.response(NewTokenAnswer(id: token.id, token: token.secret), status: .created)
    }
}
