// Where studies are sent on to: /api/v1/destinations.

import Access
import Encounters
import Forwarding
import Hummingbird
import Records
import Web

struct DestinationRoutes: Sendable {
    private struct List: Encodable, Sendable {
        let destinations: [DestinationReport]
    }

    /// What is not given stays as it is.
    private struct Wish: Decodable, Sendable {
        let way: String?
        let peer: String?
        let url: String?
        let tokenFile: String?
        let caFile: String?
        let certificateFile: String?
        let keyFile: String?
        let isSecure: Bool?
        let commits: Bool?
        let lanes: Int?
        let timetable: [String]?
        let needsLegalBasis: Bool?
        let contractFrom: String?
        let contractUntil: String?

        func check() throws(Problem) {
            guard way.map({ DestinationSettings.Way(rawValue: $0) != nil }) ?? true else {
                throw Problem(.badRequest, "way: dimse, dicomweb or phim")
            }
            try Self.check(tokenFile, "tokenFile")
            try Self.check(caFile, "caFile")
            try Self.check(certificateFile, "certificateFile")
            try Self.check(keyFile, "keyFile")
        }

        func apply(to settings: inout DestinationSettings) {
            settings.way = way.flatMap(DestinationSettings.Way.init) ?? settings.way
            // Another archive has another key.
            if let url, url != settings.url { settings.receiptKey = "" }
            settings.peer = peer ?? settings.peer
            settings.url = url ?? settings.url
            settings.tokenFile = tokenFile ?? settings.tokenFile
            settings.caFile = caFile ?? settings.caFile
            settings.certificateFile = certificateFile ?? settings.certificateFile
            settings.keyFile = keyFile ?? settings.keyFile
            settings.isSecure = isSecure ?? settings.isSecure
            settings.commits = commits ?? settings.commits
            settings.lanes = lanes ?? settings.lanes
            settings.timetable = timetable ?? settings.timetable
            settings.needsLegalBasis = needsLegalBasis ?? settings.needsLegalBasis
            settings.contractFrom = contractFrom ?? settings.contractFrom
            settings.contractUntil = contractUntil ?? settings.contractUntil
        }

        /// What a token file holds goes to the destination: whoever may name any file by HTTP could read all of them.
        private static func check(_ name: String?, _ field: String) throws(Problem) {
            guard let name, !name.isEmpty else { return }
            guard name.wholeMatch(of: /secrets\/[A-Za-z0-9_-][A-Za-z0-9._-]{0,100}/) != nil else {
                throw Problem(.badRequest, "\(field): a file in the folder secrets of the data directory: secrets/NAME")
            }
        }
    }

    private let services: ForwardingServices

    init(_ services: ForwardingServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        group.get("destinations") { _, context in
            _ = try context.authorized(.forward, detail: "destinations")
            return try JSONAnswer.response(List(destinations: try await services.run { try $0.book.destinations() }))
        }
        group.get("destinations/:name") { _, context in
            _ = try context.authorized(.forward, detail: "destinations")
            let name = context.pathName()
            return try JSONAnswer.response(try await services.run { try $0.report(name) })
        }
        group.put("destinations/:name") { request, context in try await put(request, context) }
        group.delete("destinations/:name") { _, context in try await remove(context) }
        group.post("destinations/:name/pause") { _, context in
            try await change(context, "paused") { try $0.outbox.pause(destination: $1, true, by: $2) }
        }
        group.post("destinations/:name/resume") { _, context in
            try await change(context, "resumed") { services, name, actor in
                try services.outbox.pause(destination: name, false, by: actor)
                try services.outbox.retry(destination: name, by: actor)
            }
        }
        group.post("destinations/:name/retry") { _, context in
            try await change(context, "tried again") { try $0.outbox.retry(destination: $1, by: $2) }
        }
    }

    /// Whereto patients' images go is for those who administer.
    private func put(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let caller = try context.authorized(.administer, detail: "destination")
        let asked = try await JSONAnswer.body(Wish.self, of: request)
        try asked.check()
        let name = context.pathName()
        do {
            try WishText.check(name, "name", most: 64)
            for text in [asked.peer, asked.url] { try WishText.check(text, "peer or url") }
        } catch { throw Problem(error) }
        let report = try await services.run { services in
            try services.book.demandOwn(destination: name)
            let peers = try services.peers()
            try services.book.change(destination: name, by: caller.account) { settings throws(EncounterFailure) in
                asked.apply(to: &settings)
                guard settings.way == .dimse else { return }
                guard let peer = peers.first(where: { $0.lowercased() == settings.peer.lowercased() }) else {
                    throw .invalid(field: "peer", reason: "the name of a peer that there is")
                }
                settings.peer = peer
            }
            return try services.report(name)
        }
        context.noteForwarding(caller, "destination \(report.name) is \(report.way) \(report.place)")
        return try JSONAnswer.response(report)
    }

    private func remove(_ context: WebRequestContext) async throws -> Response {
        let caller = try context.authorized(.administer, detail: "destination")
        let name = context.pathName()
        let known = try await services.run { services in
            let known = try services.book.destination(name).name
            try services.book.demandOwn(destination: known)
            do throws(ForwardingFailure) { try services.book.remove(destination: known, by: caller.account) } catch {
                // Routes lead there: that is no fault of the request.
                if case .invalid(_, let reason) = error { throw ForwardingFailure.conflict(reason: reason) }
                throw error
            }
            return known
        }
        context.noteForwarding(caller, "destination \(known) removed")
        return Response(status: .noContent)
    }

    private func change(
        _ context: WebRequestContext, _ detail: String,
        _ body: @escaping @Sendable (ForwardingServices, _ name: String, _ actor: String) throws -> Void
    ) async throws -> Response {
        let caller = try context.authorized(.forward)
        let asked = context.pathName()
        let report = try await services.run { services in
            let name = try services.book.destination(asked).name
            try body(services, name, caller.account)
            return try services.report(name)
        }
        context.noteForwarding(caller, "destination \(report.name) \(detail)")
        return try JSONAnswer.response(report)
    }
}

extension ForwardingServices {
    fileprivate func report(_ name: String) throws(ForwardingFailure) -> DestinationReport {
        guard let found = try book.destinations().first(where: { $0.name.lowercased() == name.lowercased() }) else {
            throw .unknown(what: "destination")
        }
        return found
    }
}
