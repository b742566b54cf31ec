// Accounts, for administrators: /api/v1/accounts.

import Access
import Foundation
import Hummingbird
import Records
import Web

struct AccountRoutes: Sendable {
    struct Answer: Encodable {
        let name: String
        let roles: [String]
        let isDisabled: Bool
        let mustChangePassword: Bool
        /// Nil when it is not locked.
        let lockedUntil: Date?
        /// Of the identity provider that vouches for it.
        let issuer: String?
        let createdAt: Date
        /// Only in the answer that made it, and only when it was made here.
        var password: String?

        init(_ account: AccountRecord, password: String? = nil) {
            name = account.name
            roles = account.roles.sorted()
            isDisabled = account.isDisabled
            mustChangePassword = account.mustChangePassword
            lockedUntil = account.lockedUntil.map(JSONAnswer.date)
            issuer = account.issuer
            createdAt = JSONAnswer.date(account.createdAt)
            self.password = password
        }
    }

    private struct NewAccount: Decodable {
        let name: String
        let roles: [String]
        /// Nil: one is made and told once.
        let password: String?
        /// False for an account that comes with tokens only.
        let hasPassword: Bool?
    }

    private struct Change: Decodable {
        let roles: [String]?
        let isDisabled: Bool?
        let password: String?
    }

    private let services: AccessServices

    init(_ services: AccessServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        let accounts = group.group("accounts")
        accounts.get { _, context in
            _ = try context.authorized(.administer, detail: "list of accounts")
            return try JSONAnswer.response(try await services.run { try $0.accounts() }.map { Answer($0) })
        }
        accounts.post { request, context in try await make(request, context) }
        accounts.get(":name") { _, context in
            _ = try context.authorized(.administer, detail: "account")
            let name = try context.name()
            return try JSONAnswer.response(Answer(try await services.run { try $0.account(named: name) }))
        }
        accounts.patch(":name") { request, context in try await change(request, context) }
        accounts.delete(":name") { _, context in
            let author = Author(try context.authorized(.administer, detail: "account"))
            let name = try context.name()
            try await services.run { try $0.removeAccount(name, by: author) }
            return Response(status: .noContent)
        }
    }

    private func make(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let author = Author(try context.authorized(.administer, detail: "account"))
        let asked = try await JSONAnswer.body(NewAccount.self, of: request)
        let roles = try Self.roles(asked.roles)
        let isMade = asked.password == nil && asked.hasPassword != false
        let password = isMade ? Secret.makePassword() : asked.password
        let account = try await services.run { access in
            try access.addAccount(
                name: asked.name, roles: roles, password: password, mustChangePassword: password != nil, by: author)
        }
        return try JSONAnswer.response(Answer(account, password: isMade ? password : nil), status: .created)
    }

    private func change(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let author = Author(try context.authorized(.administer, detail: "account"))
        let name = try context.name()
        let asked = try await JSONAnswer.body(Change.self, of: request)
        let roles = try asked.roles.map(Self.roles)
        let account = try await services.run { access in
            if let roles { try access.setRoles(roles, of: name, by: author) }
            if let password = asked.password {
                try access.setPassword(password, mustChange: true, of: name, by: author)
            }
            if let isDisabled = asked.isDisabled { try access.setDisabled(isDisabled, of: name, by: author) }
            return try access.account(named: name)
        }
        return try JSONAnswer.response(Answer(account))
    }

    static func roles(_ words: [String]) throws -> Set<Role> {
        Set(
            try words.map { word in
                guard let role = Role(rawValue: word) else {
                    throw Problem(
                        .badRequest, "roles: known are \(Role.allCases.map(\.rawValue).joined(separator: ", "))")
                }
                return role
            })
    }
}

extension WebRequestContext {
    /// The name in the path.
    func name() throws -> String {
        guard let name = parameters.get("name")?.removingPercentEncoding else { throw Problem.absent }
        return name
    }

    /// The number in the path.
    func number() throws -> Int64 {
        guard let number = parameters.get("id").flatMap({ Int64($0) }) else { throw Problem.absent }
        return number
    }
}
