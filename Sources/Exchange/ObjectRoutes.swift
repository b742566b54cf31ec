// Objects on their way in: /api/v1/exchange/studies/{study}/objects/{digest of the coded form}. What has arrived before a
// cut is kept (draft-ietf-httpbis-resumable-upload).

import Access
import Foundation
import Hummingbird
import Ingest
import LineCoding
import Web

struct ObjectRoutes: Sendable {
    private struct Outcome: Encodable, Sendable {
        /// `stored`, `duplicate` or `conflict`.
        let outcome: String
    }

    private let services: ExchangeServices

    init(_ services: ExchangeServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        group.get("studies/:uid/objects/:digest") { request, context in
            let caller = try context.authorized(.exchange, study: try context.study())
            let object = try AnnouncedObject(request, context)
            let (isHeld, received) = try await services.run { services in
                if try object.isHeld(services, caller) { return (true, Int64(0)) }
                let ticket = try object.ticket(of: caller, services)
                defer { ticket.leave() }
                return (false, ticket.received)
            }
            return Self.progress(isHeld ? object.length : received, isComplete: isHeld)
        }
        group.patch("studies/:uid/objects/:digest") { request, context in
            let caller = try context.authorized(.exchange, study: try context.study())
            return try await receive(request, context, caller)
        }
    }

    private func receive(
        _ request: Request, _ context: WebRequestContext, _ caller: Caller
    ) async throws -> Response {
        let object = try AnnouncedObject(request, context)
        guard let offset = request.headers[ExchangeWords.uploadOffset].flatMap({ Int64($0) }), offset >= 0 else {
            throw Problem(.badRequest, "Upload-Offset: the octet that the body begins with")
        }
        let begun = try await services.run { services in
            if try object.isHeld(services, caller) { return nil as UploadTicket? }
            let ticket = try object.ticket(of: caller, services)
            guard ticket.received == offset else {
                defer { ticket.leave() }
                throw Problem(UploadFailure.offset(ticket.received))
            }
            return ticket
        }
        guard let ticket = begun else {
            return try ExchangeChecks.response(
                Outcome(outcome: "duplicate"), headers: [ExchangeWords.uploadComplete: "?1"])
        }
        do {
            try await append(request.body, to: ticket)
        } catch {
            // The line was cut, or the disk is full: what has come waits for the rest.
            await leave(ticket)
            if let failure = error as? UploadFailure { throw Problem(failure) }
            if let problem = error as? Problem { throw problem }
            // Nobody hears it; and it is no error of this archive.
            throw Problem(.badRequest, "The body ends early; what has arrived is kept.")
        }
        guard ticket.received == ticket.length else {
            let received = ticket.received
            await leave(ticket)
            return Self.progress(received, isComplete: false)
        }
        let outcome = try await accepted(object, ticket, caller)
        context.note(caller, study: object.study, "")
        return try ExchangeChecks.response(
            Outcome(outcome: outcome.rawValue), headers: [ExchangeWords.uploadComplete: "?1"])
    }

    private func accepted(
        _ object: AnnouncedObject, _ ticket: UploadTicket, _ caller: Caller
    ) async throws -> Receipt.Outcome {
        do throws(UploadFailure) { try ticket.accept() } catch { throw Problem(error) }
        do {
            let threads = object.priority == .stat ? services.acceptingUrgent : services.accepting
            return try await services.run(threads) { services in
                try ObjectArrival(services, object, ticket, source: "station:" + caller.account).accept()
            }
        } catch {
            // Also where it never came to a thread.
            await leave(ticket)
            throw error
        }
    }

    /// In a task of its own: that of a request whose line was cut may be cancelled already.
    private func leave(_ ticket: UploadTicket) async {
        let work = services.work
        await Task { try? await work.run(isBegun: true) { ticket.leave() } }.value
    }

    private func append(_ body: RequestBody, to ticket: UploadTicket) async throws {
        for try await chunk in body {
            guard Int64(chunk.readableBytes) <= ticket.length - ticket.received else {
                throw Problem(.badRequest, "The body goes on behind the end of the object.")
            }
            let bytes = Array(chunk.readableBytesView)
            if ticket.isDue(with: bytes.count) {
                try await services.work.run(isBegun: true) { try ticket.append(bytes) }
            } else {
                try ticket.append(bytes)
            }
        }
    }

    private static func progress(_ offset: Int64, isComplete: Bool) -> Response {
        Response(
            status: .noContent,
            headers: [
                ExchangeWords.uploadOffset: "\(offset)", ExchangeWords.uploadComplete: isComplete ? "?1" : "?0",
                .cacheControl: "no-store",
            ])
    }
}

/// What a request says of its object.
struct AnnouncedObject: Sendable {
    let study: String
    let uid: String
    /// SHA-256 of the object, and of its coded form.
    let digest: [UInt8]
    let codedDigest: [UInt8]
    /// Octets of the coded form.
    let length: Int64
    let priority: IngestPriority

    init(_ request: Request, _ context: WebRequestContext) throws(Problem) {
        study = try context.study()
        guard let coded = Hexadecimal.bytes(context.parameters.get("digest") ?? "", count: 32) else {
            throw Problem(.badRequest, "The object of the resource is named by SHA-256 in hexadecimal.")
        }
        guard let uid = request.headers[ExchangeWords.instance], ExchangeChecks.isUID(uid) else {
            throw Problem(.badRequest, "Phim-Instance: the SOP Instance UID")
        }
        guard let digest = Hexadecimal.bytes(request.headers[ExchangeWords.digest] ?? "", count: 32) else {
            throw Problem(.badRequest, "Phim-Digest: SHA-256 of the object in hexadecimal")
        }
        guard let length = request.headers[ExchangeWords.uploadLength].flatMap({ Int64($0) }), length > 0 else {
            throw Problem(.badRequest, "Upload-Length: octets of the coded object")
        }
        let named = request.headers[ExchangeWords.priority] ?? IngestPriority.routine.rawValue
        guard let priority = IngestPriority(rawValue: named) else {
            throw Problem(.badRequest, "Phim-Priority: stat, routine or bulk")
        }
        (self.uid, self.digest, codedDigest, self.length, self.priority) = (uid, digest, coded, length, priority)
    }

    /// Whether it is here, in which case nothing is kept of what has arrived of it. Blocks.
    func isHeld(_ services: ExchangeServices, _ caller: Caller) throws -> Bool {
        guard try HeldObjects(services).copy(uid, digest: digest) != nil else { return false }
        services.uploads.discard(station: caller.accountID, digest: Hexadecimal.text(codedDigest))
        return true
    }

    /// The right to go on with it. Blocks.
    func ticket(of caller: Caller, _ services: ExchangeServices) throws(Problem) -> UploadTicket {
        guard length <= min(services.uploads.longest, LineFormat.longestForm(of: services.ingest.longestObject)) else {
            throw Problem(.contentTooLarge, "The object is larger than this archive takes.")
        }
        do throws(UploadFailure) {
            return try services.uploads.take(
                station: caller.accountID, digest: Hexadecimal.text(codedDigest), length: length)
        } catch { throw Problem(error) }
    }
}
