// The outbox: /api/v1/outbox, /api/v1/studies/{uid}/shipments.

import Access
import DICOMCore
import Forwarding
import Hummingbird
import Records
import Web

struct OutboxRoutes: Sendable {
    private struct Backlog: Encodable, Sendable {
        let backlog: [BacklogReport]
    }

    private struct List: Encodable, Sendable {
        let shipments: [ShipmentReport]
        let next: Int64?
    }

    private struct Wish: Decodable, Sendable {
        let study: String
        let destination: String
        let priority: String?
        let legalBasis: String?
        let compress: Bool?
        let deidentify: String?
        let characterSet: String?

        func transform() throws -> ShipmentTransform {
            var transform = ShipmentTransform()
            transform.compresses = compress ?? false
            transform.deidentification = deidentify ?? ""
            transform.characterSet = characterSet ?? ""
            return transform
        }
    }

    private struct Turn: Decodable, Sendable {
        let priority: String
    }

    private struct Why: Decodable, Sendable {
        let reason: String?
    }

    private let services: ForwardingServices

    init(_ services: ForwardingServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        group.get("outbox") { _, context in
            _ = try context.authorized(.forward, detail: "outbox")
            return try JSONAnswer.response(Backlog(backlog: try await services.run { try $0.outbox.backlog() }))
        }
        group.get("outbox/shipments") { request, context in try await list(request, context) }
        group.post("outbox/shipments") { request, context in try await send(request, context) }
        group.get("outbox/shipments/:id") { _, context in
            _ = try context.authorized(.forward, detail: "outbox")
            let id = try context.pathNumber()
            return try JSONAnswer.response(try await services.run { try $0.outbox.shipment(id) })
        }
        group.get("outbox/receipts/:id") { _, context in
            _ = try context.authorized(.forward, detail: "receipts")
            let id = try context.pathNumber()
            return try JSONAnswer.response(try await services.run { try $0.outbox.receipt(id) })
        }
        group.get("studies/:uid/shipments") { _, context in
            let uid = try context.studyInstanceUID()
            _ = try context.authorized(.forward, study: uid, detail: "ledger")
            return try JSONAnswer.response(try await services.run { try $0.outbox.ledger(study: uid) })
        }
        addChanges(to: group)
    }

    private func addChanges(to group: RouterGroup<WebRequestContext>) {
        func action(
            _ name: String, _ detail: String,
            _ body: @escaping @Sendable (Outbox, Int64, _ actor: String) throws -> Void
        ) {
            group.post("outbox/shipments/:id/\(RouterPath(stringLiteral: name))") { _, context in
                try await change(context, detail, body)
            }
        }
        action("hold", "held") { try $0.hold($1, true, by: $2) }
        action("release", "released") { try $0.hold($1, false, by: $2) }
        action("first", "put first") { try $0.reorder($1, isFirst: true, by: $2) }
        action("last", "put last") { try $0.reorder($1, isFirst: false, by: $2) }
        action("retry", "tried again") { try $0.retry($1, by: $2) }
        action("resend", "sent again") { try $0.resend($1, by: $2) }
        group.post("outbox/shipments/:id/drop") { request, context in
            // Who may not is told so before a word of it is read.
            _ = try context.authorized(.forward)
            let asked = try await JSONAnswer.body(Why.self, of: request)
            try check(asked.reason, "reason")
            return try await change(context, "dropped") { try $0.drop($1, reason: asked.reason ?? "", by: $2) }
        }
        group.post("outbox/shipments/:id/priority") { request, context in
            _ = try context.authorized(.forward)
            let asked = try await JSONAnswer.body(Turn.self, of: request)
            let priority = try Self.priority(asked.priority)
            return try await change(context, "is \(priority.word)") { try $0.reorder($1, priority: priority, by: $2) }
        }
    }

    private func change(
        _ context: WebRequestContext, _ detail: String,
        _ body: @escaping @Sendable (Outbox, Int64, _ actor: String) throws -> Void
    ) async throws -> Response {
        let caller = try context.authorized(.forward)
        let id = try context.pathNumber()
        let report = try await services.run { services in
            _ = try services.outbox.shipment(id)
            try body(services.outbox, id, caller.account)
            return try services.outbox.shipment(id)
        }
        context.noteForwarding(caller, study: report.studyInstanceUID, "shipment \(id) \(detail)")
        return try JSONAnswer.response(report)
    }

    private func list(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        _ = try context.authorized(.forward, detail: "outbox")
        let asked = try ListParameters(request, known: ["state", "destination", "study", "before", "limit"])
        var state: ShipmentRecord.State?
        if let word = asked["state"] {
            guard let known = ShipmentRecord.State(rawValue: word) else {
                let all = ShipmentRecord.State.allCases.map(\.rawValue).joined(separator: ", ")
                throw Problem(.badRequest, "state: known are \(all)")
            }
            state = known
        }
        let (destination, study) = (asked["destination"] ?? "", asked["study"])
        let (before, limit) = (try asked.number("before") ?? .max, try asked.limit)
        let found = try await services.run { [state] services in
            try services.outbox.shipments(
                state: state, destination: destination, study: study, before: before, limit: limit)
        }
        return try JSONAnswer.response(
            List(shipments: found, next: found.count == limit ? found.last?.number : nil))
    }

    private func send(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        _ = try context.authorized(.forward)
        let asked = try await JSONAnswer.body(Wish.self, of: request)
        guard UID.isValid(asked.study) else { throw Problem(.badRequest, "study: a Study Instance UID") }
        let caller = try context.authorized(.forward, study: asked.study)
        let priority = try asked.priority.map(Self.priority) ?? .normal
        try check(asked.legalBasis, "legalBasis")
        let transform = try asked.transform()
        let report = try await services.run { services in
            let shipment = try services.outbox.send(
                study: asked.study, to: asked.destination, priority: priority, legalBasis: asked.legalBasis ?? "",
                transform: transform, by: caller.account)
            return try services.outbox.shipment(shipment.id)
        }
        context.audit?.note(
            AuditEvent(
                .export, account: caller.account, credential: caller.credential, address: caller.address,
                studyInstanceUID: asked.study, detail: "to destination \(report.destination)"))
        return try JSONAnswer.response(report)
    }

    private static func priority(_ word: String) throws(Problem) -> ShipmentRecord.Priority {
        guard let priority = ShipmentRecord.Priority(word: word) else {
            throw Problem(.badRequest, "priority: stat, normal or bulk")
        }
        return priority
    }

    private func check(_ text: String?, _ field: String) throws {
        do { try WishText.check(text, field, most: 200) } catch { throw Problem(error) }
    }
}
