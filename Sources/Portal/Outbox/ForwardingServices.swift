// What is sent on to other archives, over JSON: the outbox, rules, destinations. /api/v1

import Access
package import Forwarding
import Foundation
import Hummingbird
package import Web

/// The rooms behind the routes of forwarding.
package struct ForwardingServices: Sendable {
    let outbox: Outbox
    let book: RouteBook
    /// Names of the peers that there are. Blocks.
    let peers: @Sendable () throws(ForwardingFailure) -> [String]
    let work: BlockingWork

    package init(
        outbox: Outbox, book: RouteBook, peers: @escaping @Sendable () throws(ForwardingFailure) -> [String],
        work: BlockingWork
    ) {
        self.outbox = outbox
        self.book = book
        self.peers = peers
        self.work = work
    }

    /// Runs what blocks, and says in HTTP what fails.
    func run<Value: Sendable>(_ body: @escaping @Sendable (ForwardingServices) throws -> Value) async throws -> Value {
        do { return try await work.run { try body(self) } } catch let failure as ForwardingFailure {
            throw Problem(failure)
        }
    }
}

extension Problem {
    init(_ failure: ForwardingFailure) {
        switch failure {
        case .invalid: self.init(.badRequest, failure.sentence)
        case .unknown: self.init(.notFound, failure.sentence)
        case .conflict: self.init(.conflict, failure.sentence)
        case .unavailable: self = .busy
        }
    }
}

extension WebRequestContext {
    /// A change of what is sent on: each is a row of the trail of its own.
    func noteForwarding(_ caller: Caller, study: String? = nil, _ detail: String) {
        audit?.note(
            AuditEvent(
                .administer, account: caller.account, credential: caller.credential, address: caller.address,
                studyInstanceUID: study, detail: detail))
    }

    /// The name in the path.
    func pathName() -> String { parameters.get("name")?.removingPercentEncoding ?? "" }

    /// The number in the path; 404 for what is none.
    func pathNumber() throws(Problem) -> Int64 {
        guard let id = Int64(parameters.get("id") ?? "") else { throw .absent }
        return id
    }
}

/// The routes of forwarding.
enum ForwardingEdge {
    static func addRoutes(to group: RouterGroup<WebRequestContext>, services: ForwardingServices) {
        OutboxRoutes(services).add(to: group)
        DestinationRoutes(services).add(to: group)
        RuleRoutes(services).add(to: group)
    }
}
