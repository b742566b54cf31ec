// The way in for hospitals without an HL7 engine: create, update, transaction (FHIR R4 Section 3.1.0).

import Access
import Foundation
import Hummingbird
import Web

struct WriteRoutes: Sendable {
    private let answers: FHIRAnswers

    init(_ answers: FHIRAnswers) { self.answers = answers }

    func add(to group: RouterGroup<WebRequestContext>) {
        group.post("") { request, context in try await transact(request, context) }
        for definition in ResourceDefinition.all {
            let type = definition.type
            let path = RouterPath(type)
            if definition.interactions.contains(.create) {
                group.post(path) { request, context in
                    try await write(type, request, context) { desk, resource in
                        try desk.create(
                            resource, ifNoneExist: request.headers[.ifNoneExist], at: type)
                    }
                }
            }
            guard definition.interactions.contains(.update) else { continue }
            group.put(path.appendingPath("{id}")) { request, context in
                let id = context.parameters.get("id") ?? ""
                return try await write(type, request, context) { desk, resource in
                    try desk.update(resource, id: id, ifMatch: request.headers[.ifMatch], at: type)
                }
            }
            group.put(path) { request, context in
                try await write(type, request, context) { desk, resource in
                    try desk.update(
                        resource, where: request.uri.query ?? "", ifMatch: request.headers[.ifMatch], at: type)
                }
            }
        }
    }

    private func write(
        _ type: String, _ request: Request, _ context: WebRequestContext,
        _ body: @escaping @Sendable (ResourceDesk, Resource) throws -> WrittenResource
    ) async throws -> Response {
        let caller = try context.authorized(.register, detail: "FHIR " + type)
        _ = try FHIRFormat.accepted(request, format: nil)
        let resource = try await FHIRFormat.body(Resource.self, named: type, of: request)
        guard resource.type == type else {
            throw FHIRFault(.badRequest, "value", "The resource is of another type.", at: type + ".resourceType")
        }
        let written = try await answers.change(request, context, as: caller) { try body($0, resource) }
        var headers = FHIRAnswers.validators(written.resource.meta)
        let location = answers.base(request, context) + "/" + written.resource.path
        headers[.location] = location
        let status: HTTPResponse.Status = written.outcome == .created ? .created : .ok
        switch FHIRAnswers.preference("return", request) {
        case "minimal": return Response(status: status, headers: headers)
        case "OperationOutcome":
            let words = written.warning ?? "Done"
            let outcome = OperationOutcome(issue: [
                .init(
                    severity: written.warning == nil ? "information" : "warning", code: "informational",
                    diagnostics: words)
            ])
            return try answers.response(outcome, request, status: status, headers: headers)
        default: return try answers.response(written.resource, request, status: status, headers: headers)
        }
    }

    // MARK: Bundles

    private func transact(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let caller = try context.authorized(.register, detail: "FHIR Bundle")
        _ = try FHIRFormat.accepted(request, format: nil)
        let bundle = try await FHIRFormat.body(Bundle.self, named: "Bundle", of: request)
        guard bundle.resourceType == "Bundle", let kind = BundleKind(rawValue: bundle.type) else {
            throw FHIRFault(
                .badRequest, "value", "A Bundle of the type transaction or batch is taken here.", at: "Bundle.type")
        }
        let (entries, faults) = try bundle.ordered()
        let base = answers.base(request, context)
        let wantsResource = FHIRAnswers.preference("return", request) != "minimal"
        var replies: [(Int, Bundle.Entry)] = []
        switch kind {
        case .transaction:
            if let fault = faults.first?.fault { throw fault }
            replies = try await answers.change(request, context, as: caller) { desk in
                try entries.map { place, entry, resource in
                    let written = try desk.apply(entry, resource, at: place)
                    return (place, Bundle.Entry(written, base: base, wantsResource: wantsResource))
                }
            }
        case .batch:
            replies = faults.map { ($0.place, Bundle.Entry($0.fault)) }
            for (place, entry, resource) in entries {
                do {
                    let written = try await answers.change(request, context, as: caller) {
                        try $0.apply(entry, resource, at: place)
                    }
                    replies.append((place, Bundle.Entry(written, base: base, wantsResource: wantsResource)))
                } catch is CancellationError {
                    throw CancellationError()
                } catch {
                    // What was done before stays done: its answer must not be lost with this entry.
                    replies.append((place, Bundle.Entry(FHIRFault.told(error))))
                }
            }
        }
        let inOrder = replies.sorted { $0.0 < $1.0 }.map(\.1)
        return try answers.response(
            Bundle(type: kind.rawValue + "-response", entry: inOrder.unlessEmpty), request)
    }
}
