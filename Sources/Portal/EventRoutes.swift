// Live events of studies that somebody has open: /api/v1/events, as server-sent events.

import Access
import DICOMCore
import Hummingbird
import NIOCore
import Web

/// What a listener asks for.
struct EventRequest: Hashable, Sendable {
    static let mostStudies = 16

    /// Named ones; none for every study that the caller may see.
    let studies: Set<String>
    /// Where it stood when it listened last.
    let after: Int64?
    /// False: only what has happened since, then the end.
    let follows: Bool

    /// Reads the query and the field that a browser sends when it comes back.
    init(_ request: Request) throws {
        var studies: Set<String> = []
        var after: Int64?
        var follows = true
        for (key, value) in request.uri.queryParameters {
            switch key {
            case "study":
                guard UID.isValid(String(value)) else { throw Problem(.badRequest, "study: a Study Instance UID") }
                studies.insert(String(value))
            case "after": after = try Self.sequence(value, "after")
            case "follow":
                guard value == "true" || value == "false" else { throw Problem(.badRequest, "follow: true or false") }
                follows = value == "true"
            default: throw Problem(.badRequest, "known are study, after, follow")
            }
        }
        guard studies.count <= Self.mostStudies else {
            throw Problem(.badRequest, "study: at most \(Self.mostStudies) Study Instance UIDs")
        }
        if let id = request.headers[PageHeader.lastEventID], !id.isEmpty {
            after = try Self.sequence(id[...], "Last-Event-ID")
        }
        self.studies = studies
        self.after = after
        self.follows = follows
    }

    private static func sequence(_ text: Substring, _ field: String) throws -> Int64 {
        guard let number = Int64(text), number >= 0 else { throw Problem(.badRequest, "\(field): the id of an event") }
        return number
    }
}

struct EventRoutes: Sendable {
    private let feed: EventFeed

    init(_ feed: EventFeed) { self.feed = feed }

    func add(to group: RouterGroup<WebRequestContext>) {
        group.get("events") { request, context in try await answer(request, context) }
    }

    private func answer(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        guard context.caller != nil else { throw Problem.unauthenticated }
        let asked = try EventRequest(request)
        let (caller, studies) = try Self.permitted(asked, context)
        guard asked.follows else {
            let past = try await feed.past(of: studies, after: asked.after)
            return response(.init(byteBuffer: ByteBuffer(string: try Self.opening(past))))
        }
        let channel = context.channel
        let place: EventFeed.Place
        do {
            place = try await feed.join(
                studies: studies, account: caller.account, after: asked.after,
                cut: { channel.close(promise: nil) })
        } catch is EventFeed.Refusal {
            throw Problem(
                .serviceUnavailable, "Too many listen already; read the study again now and then instead.",
                headers: [.retryAfter: "30"])
        }
        return response(
            ResponseBody { writer in
                do {
                    try await stream(place, to: &writer, request) { await Self.mayListen(asked, studies, context) }
                } catch {
                    await feed.leave(place.number)
                    throw error
                }
                await feed.leave(place.number)
            })
    }

    private func response(_ body: ResponseBody) -> Response {
        Response(
            status: .ok,
            headers: [
                .contentType: "text/event-stream", .cacheControl: "no-store",
                // What stands before us must not gather what is meant to arrive now.
                .accelBuffering: "no",
            ],
            body: body)
    }

    private static func opening(_ place: EventFeed.Place) throws -> String {
        var text = EventText.opening
        if place.mustReset { text += EventText.reset(place.sequence) }
        for change in place.missed { text += try EventText.change(change) }
        return text + EventText.ready(place.sequence)
    }

    /// Who listens, and to what.
    private static func permitted(
        _ asked: EventRequest, _ context: WebRequestContext
    ) throws(Problem) -> (Caller, StudyScope) {
        if asked.studies.isEmpty {
            let caller = try context.authorized(.search, detail: "live events")
            return (caller, caller.scope)
        }
        for study in asked.studies.sorted() { _ = try context.authorized(.read, study: study, detail: "live events") }
        guard let caller = context.caller else { throw .unauthenticated }
        return (caller, .only(asked.studies))
    }

    // What the library hands us was compiled without nonisolated(nonsending) by default.
    @concurrent
    private func stream(
        _ place: EventFeed.Place, to writer: inout any ResponseBodyWriter, _ request: Request,
        mayStillListen: @escaping @Sendable () async -> Bool
    ) async throws {
        let mailbox = place.mailbox
        try await writer.write(ByteBuffer(string: try Self.opening(place)))
        // A peer that goes away cancels the waiting.
        try await request.body.consumeWithCancellationOnInboundClose { _ in
            try await follow(mailbox, to: &writer, mayStillListen: mayStillListen)
        }
        try await writer.finish(nil)
    }

    @concurrent
    private func follow(
        _ mailbox: EventMailbox, to writer: inout any ResponseBodyWriter,
        mayStillListen: @escaping @Sendable () async -> Bool
    ) async throws {
        while true {
            let delivery = await mailbox.next()
            if delivery.end == .left || delivery.end == .stuck { return }
            if delivery.isBeat, await !mayStillListen() {
                try await writer.write(ByteBuffer(string: EventText.end("access")))
                return
            }
            try await writer.write(ByteBuffer(string: try EventText.delivery(delivery)))
            if delivery.end != nil { return }
        }
    }

    /// Whether the credential is still good, and still for all these studies.
    private static func mayListen(
        _ asked: EventRequest, _ studies: StudyScope, _ context: WebRequestContext
    ) async -> Bool {
        guard let lookAgain = context.lookAgain else { return false }
        do {
            guard let caller = try await lookAgain() else { return false }
            // Other studies than at the beginning: who comes back hears of those.
            if asked.studies.isEmpty { return caller.scope == studies && caller.rights.contains(.search) }
            for study in asked.studies { try Rules.check(caller, may: .read, study: study) }
            return true
        } catch is AccessDenied {
            return false
        } catch {
            // Records that cannot be read now end nobody's listening; the next beat looks again.
            return true
        }
    }
}

extension HTTPFields.Element.Name {
    static var accelBuffering: Self { Self("X-Accel-Buffering")! }
}
