// The audit trail, for administrators: /api/v1/audit.

import Access
import Foundation
import Hummingbird
import Records
import Web

struct AuditRoutes: Sendable {
    private struct Page: Encodable {
        let events: [AuditReport]
        /// Give it as `before` to read on; nil at the end.
        let next: Int64?
    }

    private static let longestPage = 1_000
    private let services: AccessServices

    init(_ services: AccessServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        group.get("audit") { request, context in
            let caller = try context.authorized(.readAudit)
            context.audit?.note(
                AuditEvent(
                    .administer, account: caller.account, credential: caller.credential, address: caller.address,
                    detail: "audit trail read"))
            let search = try Self.search(request)
            let rows = try await services.run { try $0.audit.find(search) }
            let next = rows.count == search.limit ? rows.last?.number : nil
            return try JSONAnswer.response(Page(events: rows.map { AuditReport($0) }, next: next))
        }
    }

    private static func search(_ request: Request) throws -> AuditSearch {
        var search = AuditSearch()
        for (key, value) in request.uri.queryParameters {
            let value = String(value)
            switch key {
            case "account": search.account = value
            case "study": search.studyInstanceUID = value
            case "kind":
                guard AuditEvent.Kind(rawValue: value) != nil else {
                    let known = AuditEvent.Kind.allCases.map(\.rawValue).joined(separator: ", ")
                    throw Problem(.badRequest, "kind: known are \(known)")
                }
                search.kind = value
            case "from": search.from = try time(value, "from")
            case "to": search.to = try time(value, "to")
            case "before":
                guard let number = Int64(value) else { throw Problem(.badRequest, "before: a number") }
                search.before = number
            case "limit":
                guard let limit = Int(value), (1...longestPage).contains(limit) else {
                    throw Problem(.badRequest, "limit: from 1 to \(longestPage)")
                }
                search.limit = limit
            default: throw Problem(.badRequest, "known are account, study, kind, from, to, before, limit")
            }
        }
        return search
    }

    private static func time(_ text: String, _ field: String) throws -> Int64 {
        guard let date = try? Date(text, strategy: .iso8601) else {
            throw Problem(.badRequest, "\(field): a time like 2026-01-31T08:00:00Z")
        }
        return JSONAnswer.microseconds(date)
    }
}
