// Reading and searching (FHIR R4 Sections 3.1.0.1 and 3.1.1).

import Access
import DICOMCore
import Foundation
import Hummingbird
import Web

struct ReadRoutes: Sendable {
    private let answers: FHIRAnswers

    init(_ answers: FHIRAnswers) { self.answers = answers }

    func add(to group: RouterGroup<WebRequestContext>) {
        // Says nothing of patients: open, so that a client can find out how to sign in.
        group.get("metadata") { request, context in
            let services = answers.services
            return try answers.response(
                CapabilityStatement(
                    version: services.version, base: answers.base(request, context), started: services.started),
                request, format: request.uri.queryParameters["_format"].map(String.init))
        }
        for definition in ResourceDefinition.all {
            let path = RouterPath(definition.type)
            if definition.interactions.contains(.read) {
                group.get(path.appendingPath("{id}")) { request, context in
                    try await read(definition, request, context)
                }
            }
            guard definition.interactions.contains(.search) else { continue }
            group.get(path) { request, context in
                try await search(definition, request.uri.query ?? "", request, context)
            }
            group.post(path.appendingPath("_search")) { request, context in
                try await search(definition, try await form(request), request, context)
            }
        }
    }

    private func read(
        _ definition: ResourceDefinition, _ request: Request, _ context: WebRequestContext
    ) async throws -> Response {
        let type = definition.type
        let id = context.parameters.get("id") ?? ""
        let study = type == "ImagingStudy" && UID.isValid(id) ? id : nil
        let caller = try context.authorized(.read, study: study, detail: "FHIR " + type)
        let found = try await answers.look(request, context, as: caller) { try $0.resource(type, id, isWhole: true) }
        guard let found else { throw FHIRFault.absent(type) }
        if case .diagnosticReport(let report) = found, let study = report.studyInstanceUID {
            // Of which study the document is, is known only now.
            _ = try context.authorized(.read, study: study, detail: "FHIR " + type)
        }
        var headers = FHIRAnswers.validators(found.meta)
        if let version = found.meta?.versionId, EntityTag(version).isKnown(to: request.headers) {
            headers[.cacheControl] = "private, no-cache"
            return Response(status: .notModified, headers: headers)
        }
        let parameters = request.uri.queryParameters
        return try answers.response(
            found, request, format: parameters["_format"].map(String.init), isPretty: parameters["_pretty"] == "true",
            headers: headers)
    }

    private func search(
        _ definition: ResourceDefinition, _ text: String, _ request: Request, _ context: WebRequestContext
    ) async throws -> Response {
        let type = definition.type
        let caller = try context.authorized(.search, detail: "FHIR " + type)
        let isLenient = FHIRAnswers.preference("handling", request) == "lenient"
        let query = try SearchQuery(QueryParameters(text), of: definition, isLenient: isLenient)
        // An answer that nobody can read is not made.
        _ = try FHIRFormat.accepted(request, format: query.format)
        let base = answers.base(request, context)
        let bundle = try await answers.look(request, context, as: caller) { reader in
            try SearchBundle(search: ResourceSearch(reader: reader, query: query), type: type, base: base).bundle()
        }
        return try answers.response(bundle, request, format: query.format, isPretty: query.isPretty)
    }

    /// The parameters of the address and of the form that was sent.
    private func form(_ request: Request) async throws -> String {
        let essence = request.headers[.contentType].flatMap { ContentType($0) }?.essence
        guard essence == nil || essence == "application/x-www-form-urlencoded" else {
            throw FHIRFault(.unsupportedMediaType, "not-supported", "Send application/x-www-form-urlencoded.")
        }
        let body: ByteBuffer
        do { body = try await request.body.collect(upTo: QueryParameters.longest) } catch {
            throw FHIRFault(.contentTooLarge, "too-long", "At most \(QueryParameters.longest) bytes.")
        }
        return [request.uri.query ?? "", String(buffer: body)].filter { !$0.isEmpty }.joined(separator: "&")
    }
}
