// The store transaction: POST of instances to all studies or to one (PS3.18 Section 10.5).

import Access
import DICOMCore
import Hummingbird
import Ingest
import Logging
import Web

struct StoreRoutes: Sendable {
    private let services: DICOMwebServices
    private let lanes = StoreLanes()

    init(_ services: DICOMwebServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        group.post("studies") { request, context in try await store(request, context, study: nil) }
        group.post("studies/{study}") { request, context in
            let study = try context.parameters.require("study")
            guard UID.isValid(study) else { throw Problem(.badRequest, "The study of the resource is no UID.") }
            return try await store(request, context, study: study)
        }
    }

    private func store(_ request: Request, _ context: WebRequestContext, study: String?) async throws -> Response {
        let caller = try context.authorized(.store, study: study)
        if let encoding = request.headers[.contentEncoding], encoding.lowercased() != "identity" {
            throw Problem(.unsupportedMediaType, "The body must not be compressed as a whole (Content-Encoding).")
        }
        let type = try Self.contentType(of: request)
        let rule = StoreRule(
            source: "web:" + caller.account, priority: try Self.priority(of: request), study: study,
            scope: caller.scope)
        let asked = try WrapRequest(request)
        let session = StoreSession(
            ingest: services.ingest, lanes: lanes, rule: rule, scratch: services.scratch,
            defaults: { [services] in asked.defaults(study: study, services) })
        let outcomes = try await lanes.admit { try await Self.receive(request, type, session) }
        guard !outcomes.isEmpty else { throw Problem(.badRequest, "The body holds no instance.") }
        try note(outcomes, context, study: study)
        let base = services.address.base(of: request, peer: context.remoteAddress?.ipAddress ?? "") + services.prefix
        return StoreResponse(outcomes, study: study, base: base)
            .response(accept: request.headers[.accept])
    }

    private static func receive(
        _ request: Request, _ type: ContentType, _ session: StoreSession
    ) async throws -> [StoreOutcome] {
        guard type.essence == "multipart/related" else {
            return try await session.receive(request.body, type: type.essence, length: try length(of: request))
        }
        guard let boundary = type.parameters["boundary"] else {
            throw Problem(.badRequest, MultipartFailure.invalidBoundary.sentence)
        }
        let root = type.parameters["type"]?.lowercased() ?? "application/dicom"
        return try await session.receive(request.body, boundary: boundary, root: root)
    }

    private static let known: Set = [
        "application/dicom", "application/dicom+json", "application/dicom+xml", "image/jpeg", "application/pdf",
        "video/mp4",
    ]

    private static func contentType(of request: Request) throws(Problem) -> ContentType {
        guard let text = request.headers[.contentType], let type = ContentType(text) else {
            throw Problem(.badRequest, "The request has no content type.")
        }
        let parts = type.essence == "multipart/related" ? type.parameters["type"]?.lowercased() : type.essence
        if parts == nil || parts.map(known.contains) == true { return type }
        throw Problem(
            .unsupportedMediaType,
            "Send multipart/related, or one part, of application/dicom, application/dicom+json or application/dicom+xml "
                + "with their bulk data, image/jpeg, application/pdf or video/mp4.")
    }

    /// A single part must say its length: nothing else tells the end of an object from the end of a connection.
    private static func length(of request: Request) throws(Problem) -> Int {
        guard let length = request.headers[.contentLength].flatMap({ Int($0) }) else {
            throw Problem(.lengthRequired, "A single part needs Content-Length; multipart/related does not.")
        }
        guard length > 0 else { throw Problem(.badRequest, "The body is empty.") }
        return length
    }

    /// `?priority=`: routine unless an emergency, or a migration, says so.
    private static func priority(of request: Request) throws(Problem) -> IngestPriority {
        guard let name = request.uri.queryParameters["priority"] else { return .routine }
        guard let priority = IngestPriority(rawValue: String(name)) else {
            throw Problem(.badRequest, "The priority is none of stat, routine, bulk.")
        }
        return priority
    }

    /// Every study that instances went into lands in the audit trail, also when the resource did not name it.
    private func note(_ outcomes: [StoreOutcome], _ context: WebRequestContext, study: String?) throws(Problem) {
        let stored = Set(outcomes.filter { $0.fault == nil }.compactMap(\.studyInstanceUID))
        for other in stored.sorted() where other != study { _ = try context.authorized(.store, study: other) }
        let faults = Set(outcomes.compactMap(\.fault?.words))
        guard !faults.isEmpty else { return }
        services.logger.warning(
            "instances of a store request were refused",
            metadata: [
                "from": "\(context.address)", "refused": "\(outcomes.count { $0.fault != nil })",
                "of": "\(outcomes.count)", "why": "\(faults.sorted().prefix(4).joined(separator: "; "))",
            ])
    }
}
