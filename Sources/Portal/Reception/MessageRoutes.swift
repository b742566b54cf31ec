// Messages of the hospital's system, for who looks after it: /api/v1/messages.

import Access
import Encounters
import Hummingbird
import Interop
import Records
import Web

struct MessageRoutes: Sendable {
    private struct List: Encodable, Sendable {
        let messages: [MessageReport]
        let next: Int64?
    }

    private struct Answer: Encodable, Sendable {
        let message: MessageReport
        /// As it was read, one segment a line.
        let text: String
    }

    private struct Replay: Decodable, Sendable {
        /// The repaired message, one segment a line; as it came where there is none.
        let text: String?
    }

    private let services: HospitalServices

    init(_ services: HospitalServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        group.get("messages") { request, context in
            _ = try context.authorized(.administer, detail: "list of messages")
            let asked = try ListParameters(request, known: ["refused", "before", "limit"])
            let (isRefused, before) = (try asked.flag("refused"), try asked.number("before") ?? .max)
            let limit = try asked.limit
            return try JSONAnswer.response(
                try await services.look { records in
                    let found = try records.messages(refusedOnly: isRefused, before: before, limit: limit)
                    return List(
                        messages: found.map(MessageReport.init), next: found.count == limit ? found.last?.id : nil)
                })
        }
        group.get("messages/:id") { _, context in
            let id = try context.number()
            _ = try context.authorized(.administer, detail: "message \(id)")
            return try JSONAnswer.response(
                try await services.look { records in
                    let message = try records.message(id: id)
                    return Answer(message: MessageReport(message), text: MessageReport.lines(of: message))
                })
        }
        group.post("messages/:id/replay") { request, context in try await replay(request, context) }
    }

    private func replay(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let id = try context.number()
        let caller = try context.authorized(.administer, detail: "message \(id) applied again")
        let asked = try await JSONAnswer.body(Replay.self, of: request)
        return try JSONAnswer.response(
            try await services.run { services in
                let repaired = asked.text.map(MessageIntake.bytes(ofLines:))
                _ = try services.intake.replay(id, repaired: repaired, by: caller.account)
                return MessageReport(try services.encounters.look { try $0.message(id: id) })
            })
    }
}
