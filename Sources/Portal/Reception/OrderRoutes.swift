// Orders: /api/v1/orders.

import Access
import Crypto
import DICOMCore
import Encounters
import Hummingbird
import Records
import Web

struct OrderRoutes: Sendable {
    /// In a body, so that no name or number stands in an address.
    private struct Search: Decodable, Sendable {
        /// Day or range of days, `yyyymmdd-yyyymmdd`; today where nothing else narrows it.
        let date: String?
        let modality: String?
        let states: [String]?
        /// Any identifier of the patient.
        let patientID: String?
        let accessionNumber: String?
        /// As the page before gave it.
        let after: String?
        let limit: Int?
    }

    private struct List: Encodable, Sendable {
        let orders: [OrderReport]
        let next: String?
    }

    private struct Made: Encodable, Sendable {
        let order: OrderReport
        /// For a person to look at, such as the same procedure ordered twice.
        let warning: String?
    }

    private struct Step: Decodable, Sendable {
        let step: String
        let reason: String?
        let version: Int64?
    }

    private struct Cancel: Decodable, Sendable {
        let reason: String
        let version: Int64?
    }

    private let services: HospitalServices

    init(_ services: HospitalServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        let orders = group.group("orders")
        orders.post("search") { request, context in try await search(request, context) }
        orders.post { request, context in try await enter(request, context) }
        orders.get(":id") { _, context in try await show(context) }
        orders.patch(":id") { request, context in try await change(request, context) }
        orders.post(":id/cancel") { request, context in
            let caller = try context.authorized(.register, detail: "order cancelled")
            let (id, asked) = (try context.number(), try await JSONAnswer.body(Cancel.self, of: request))
            return try await take(.cancel, id, asked.version, asked.reason, caller)
        }
        orders.post(":id/steps") { request, context in
            let caller = try context.authorized(.register, detail: "step of an order")
            let (id, asked) = (try context.number(), try await JSONAnswer.body(Step.self, of: request))
            guard let step = ProcedureStep(rawValue: asked.step) else {
                throw Problem(
                    .badRequest, "step: known are \(ProcedureStep.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            return try await take(step, id, asked.version, asked.reason ?? "", caller)
        }
    }

    private func search(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let caller = try context.authorized(.readOrders, detail: "search of orders")
        let asked = try await JSONAnswer.body(Search.self, of: request)
        let limit = try PageLimit.checked(asked.limit)
        let position = try asked.after.map(PageMark.order)
        let filter = try Self.filter(asked)
        let list = try await services.look { records in
            var filter = filter
            filter.procedures = try Sight(caller, records).orders
            if let identifier = asked.patientID {
                filter.patients = try records.patients(identifierValue: identifier, type: nil, issuer: nil).flatMap {
                    try records.rows(of: $0).map(\.id)
                }
            }
            if filter.from == nil, asked.patientID == nil, asked.accessionNumber == nil {
                let today = LocalTime.text(records.now).prefix(8)
                (filter.from, filter.through) = ("\(today)000000", "\(today)235959")
            }
            let found = try records.orders(filter, after: position, limit: limit)
            return List(
                orders: found.map(OrderReport.init), next: found.count == limit ? found.last.map(PageMark.text) : nil)
        }
        return try JSONAnswer.response(list)
    }

    private static func filter(_ asked: Search) throws(Problem) -> OrderFilter {
        var filter = OrderFilter()
        if let date = asked.date {
            guard let range = DateRange(date) else { throw Problem(.badRequest, "date: yyyymmdd or a range of them") }
            filter.from = (range.lower ?? "00000000") + "000000"
            filter.through = range.upper.map { $0 + "235959" }
        }
        filter.modality = asked.modality
        filter.states = Set(asked.states ?? [])
        guard filter.states.allSatisfy({ ProcedureState(rawValue: $0) != nil }) else {
            throw Problem(
                .badRequest, "states: known are \(ProcedureState.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        filter.accessionNumber = asked.accessionNumber
        return filter
    }

    private func enter(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let caller = try context.authorized(.register, detail: "order")
        let key = try Self.key(request, caller)
        let asked = try await JSONAnswer.body(OrderWish.self, of: request)
        let (made, isNew) = try await services.change(by: caller) { desk in
            let entry = try asked.entry(issuer: desk.settings.issuer, asOf: desk.records.now, key: key)
            let outcome = try desk.enter(entry, repetition: .isTheSame)
            let report = OrderReport(try desk.records.line(outcome.procedure))
            return (Made(order: report, warning: outcome.warning), outcome.procedure.createdAt == desk.records.now)
        }
        return try JSONAnswer.response(made, status: isNew ? .created : .ok)
    }

    /// The number of an order that its caller has none for: the same for the same key of the same account.
    private static func key(_ request: Request, _ caller: Caller) throws(Problem) -> String? {
        guard let key = request.headers[.idempotencyKey] else { return nil }
        guard (1...200).contains(key.utf8.count) else {
            throw Problem(.badRequest, "Idempotency-Key: 1 to 200 characters")
        }
        let digest = SHA256.hash(data: Array("\(caller.accountID):\(key)".utf8)).prefix(20)
        return "KEY-" + digest.map { String(UInt16($0) | 0x100, radix: 16).dropFirst() }.joined()
    }

    private func change(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let caller = try context.authorized(.register, detail: "order changed")
        let (id, asked) = (try context.number(), try await JSONAnswer.body(OrderWish.self, of: request))
        return try JSONAnswer.response(
            try await services.change(by: caller) { desk in
                let visit = try asked.visit(issuer: desk.settings.issuer, asOf: desk.records.now)
                let outcome = try desk.change(
                    order: id, version: asked.version, visit: visit, amend: try asked.amend())
                return Made(order: OrderReport(try desk.records.line(outcome.procedure)), warning: outcome.warning)
            })
    }

    private func take(
        _ step: ProcedureStep, _ id: Int64, _ version: Int64?, _ reason: String, _ caller: Caller
    ) async throws -> Response {
        try JSONAnswer.response(
            try await services.change(by: caller) { desk in
                try WishText.check(reason, "reason")
                let outcome = try desk.take(step, order: id, version: version, reason: reason)
                return Made(order: OrderReport(try desk.records.line(outcome.procedure)), warning: nil)
            })
    }

    private func show(_ context: WebRequestContext) async throws -> Response {
        let caller = try context.authorized(.readOrders, detail: "order")
        let id = try context.number()
        return try JSONAnswer.response(
            try await services.look { records in
                let sight = try Sight(caller, records)
                try sight.demand(sight.has(order: id))
                return try OrderStory(try records.procedure(id: id), records).showing { caller.scope.contains($0) }
            })
    }
}

extension HTTPFields.Element.Name {
    static var idempotencyKey: Self { Self("Idempotency-Key")! }
}
