// Live events: what comes to a study while somebody looks at it (Server-Sent Events, HTML Living Standard Section 9.2).

import Access
import Catalog
import DICOMCore
import Foundation
import Hummingbird
import NIOCore
import Web

struct EventRoutes: Sendable {
    private let changes: ChangeFeed

    init(_ services: PortalServices) { changes = services.changes }

    func add(to group: RouterGroup<WebRequestContext>) {
        group.get("events") { request, context in
            let study = request.uri.queryParameters["study"].map { String($0) }
            if let study, !UID.isValid(study) { throw Problem(.badRequest, "study: not a UID.") }
            // Who listens to everything hears of the studies in his scope only.
            let caller =
                if let study { try context.authorized(.read, study: study, detail: "events") } else {
                    try context.authorized(.search, detail: "events")
                }
            let scope = caller.scope
            let isStillAllowed = context.isStillAllowed
            let subscription: ChangeFeed.Subscription
            do {
                subscription = try await changes.subscribe(
                    account: caller.account, after: try Self.lastSeen(request),
                    wants: { change in
                        if let study { return change.studyInstanceUID == study }
                        return scope.contains(change.studyInstanceUID)
                    })
            } catch is ChangeFeed.Full { throw Problem.busy }
            return Response(
                status: .ok,
                headers: [
                    .contentType: "text/event-stream", .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
                ],
                body: ResponseBody { writer in
                    defer { subscription.cancel() }
                    try await writer.write(ByteBuffer(string: "retry: 2000\n\n"))
                    for await signal in subscription.signals {
                        // Who was signed out, or whose grant has ended, hears no more.
                        if case .heartbeat = signal, await isStillAllowed?(study) == false { break }
                        try await writer.write(ByteBuffer(string: EventText.of(signal)))
                    }
                    try await writer.finish(nil)
                })
        }
    }

    /// The browser sends back the last number it has; programs may put it into the query.
    private static func lastSeen(_ request: Request) throws -> Int64? {
        let text =
            request.headers[PageHeader.lastEventID] ?? request.uri.queryParameters["after"].map { String($0) } ?? ""
        if text.isEmpty { return nil }
        guard let number = Int64(text), number >= 0 else {
            throw Problem(.badRequest, "Last-Event-ID: not a number of an event.")
        }
        return number
    }
}

/// A signal as one event of the stream.
enum EventText {
    private struct Data: Encodable {
        let study: String
        let series: String
        let instances: Int
        let at: String
    }

    static func of(_ signal: ChangeFeed.Signal) -> String {
        switch signal {
        case .heartbeat: return ": still here\n\n"
        case .ready(let number): return "id: \(number)\nevent: ready\ndata: {}\n\n"
        case .reset(let number): return "id: \(number)\nevent: reset\ndata: {}\n\n"
        case .change(let change):
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            let at = Date(timeIntervalSince1970: Double(change.at) / 1_000_000).formatted(.iso8601)
            let data = Data(
                study: change.studyInstanceUID, series: change.seriesInstanceUID, instances: change.instances, at: at)
            let text = (try? encoder.encode(data)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
            return "id: \(change.sequence)\nevent: \(change.kind.rawValue)\ndata: \(text)\n\n"
        }
    }
}
