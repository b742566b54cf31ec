// What can be asked of which resource: OPTIONS, 405, and the description of the whole service (PS3.18 Section 8.9).

package import Hummingbird
package import Web

/// One kind of resource.
struct ResourceKind: Sendable {
    /// The path below the service, with `{}` for a name that varies.
    let template: String
    let methods: [HTTPRequest.Method]
    /// One sentence.
    let purpose: String
    let mediaTypes: [String]

    private let steps: [Substring]

    init(_ template: String, _ methods: [HTTPRequest.Method], _ purpose: String, _ mediaTypes: [String]) {
        self.template = template
        self.methods = methods.contains(.get) ? methods + [.head, .options] : methods + [.options]
        self.purpose = purpose
        self.mediaTypes = mediaTypes
        steps = template.split(separator: "/")
    }

    /// The value of Allow.
    var allowed: String { methods.map(\.rawValue).joined(separator: ", ") }

    func matches(_ path: [Substring]) -> Bool {
        path.count == steps.count && zip(path, steps).allSatisfy { $1.hasPrefix("{") || $0 == $1 }
    }

    private static let matches = ["application/dicom+json", "multipart/related; type=\"application/dicom+xml\""]
    private static let objects = ["multipart/related; type=\"application/dicom\"", "application/zip"]
    private static let renderings = ["image/jpeg", "image/png"]
    private static let instance = "studies/{study}/series/{series}/instances/{instance}"

    /// Every resource below the service.
    static let all: [ResourceKind] = [
        ResourceKind("", [.get], "Describe the service.", ["application/json", "application/vnd.sun.wadl+xml"]),
        ResourceKind("studies", [.get, .post], "Search for studies; store instances.", matches),
        ResourceKind("series", [.get], "Search for series of all studies.", matches),
        ResourceKind("instances", [.get], "Search for instances of all studies.", matches),
        ResourceKind(
            "studies/{study}", [.get, .post, .delete], "Retrieve, store into or delete a study.", objects),
        ResourceKind("studies/{study}/series", [.get], "Search for series of a study.", matches),
        ResourceKind("studies/{study}/instances", [.get], "Search for instances of a study.", matches),
        ResourceKind("studies/{study}/metadata", [.get], "Retrieve the metadata of a study.", matches),
        ResourceKind("studies/{study}/rendered", [.get], "Retrieve a study as images.", renderings),
        ResourceKind("studies/{study}/thumbnail", [.get], "Retrieve one image for a study.", renderings),
        ResourceKind("studies/{study}/series/{series}", [.get, .delete], "Retrieve or delete a series.", objects),
        ResourceKind("studies/{study}/series/{series}/instances", [.get], "Search for instances of a series.", matches),
        ResourceKind("studies/{study}/series/{series}/metadata", [.get], "Retrieve the metadata of a series.", matches),
        ResourceKind("studies/{study}/series/{series}/rendered", [.get], "Retrieve a series as images.", renderings),
        ResourceKind(
            "studies/{study}/series/{series}/thumbnail", [.get], "Retrieve one image for a series.", renderings),
        ResourceKind(instance, [.get, .delete], "Retrieve or delete an instance.", objects + ["application/dicom"]),
        ResourceKind(instance + "/metadata", [.get], "Retrieve the metadata of an instance.", matches),
        ResourceKind(
            instance + "/bulkdata", [.get], "Retrieve the bulk data of an instance.",
            ["multipart/related; type=\"application/octet-stream\""]),
        ResourceKind(instance + "/rendered", [.get], "Retrieve an instance as an image.", renderings),
        ResourceKind(instance + "/thumbnail", [.get], "Retrieve a small image of an instance.", renderings),
        ResourceKind(
            instance + "/frames/{frames}", [.get], "Retrieve frames.",
            ["multipart/related; type=\"application/octet-stream\"; transfer-syntax=*"]),
        ResourceKind(instance + "/frames/{frames}/rendered", [.get], "Retrieve frames as images.", renderings),
        ResourceKind(instance + "/frames/{frames}/thumbnail", [.get], "Retrieve a small image of a frame.", renderings),
    ]
}

/// Answers OPTIONS, which needs no credential as it says nothing about patients, and says 405 where only the method is
/// wrong.
package struct Capabilities: RouterMiddleware {
    private let prefix: [Substring]

    /// - Parameter prefix: where the service is, such as `/dicom-web`.
    package init(prefix: String) { self.prefix = prefix.split(separator: "/").map { $0 } }

    // Hummingbird's requirement was compiled without nonisolated(nonsending) by default.
    @concurrent
    package func handle(
        _ request: Request, context: WebRequestContext,
        next: @concurrent (Request, WebRequestContext) async throws -> Response
    ) async throws -> Response {
        if request.method == .options, request.uri.string == "*" { return options("GET, HEAD, POST, DELETE, OPTIONS") }
        guard let kind = kind(of: request.uri.path) else { return try await next(request, context) }
        if request.method == .options { return options(kind.allowed) }
        guard kind.methods.contains(request.method) else {
            throw Problem(
                .methodNotAllowed, "This resource takes \(kind.allowed).", headers: [.allow: kind.allowed])
        }
        return try await next(request, context)
    }

    private func options(_ allowed: String) -> Response {
        Response(status: .noContent, headers: [.allow: allowed, .cacheControl: "max-age=600"])
    }

    private func kind(of path: String) -> ResourceKind? {
        let steps = path.split(separator: "/")
        guard steps.starts(with: prefix) else { return nil }
        let rest = Array(steps.dropFirst(prefix.count))
        return ResourceKind.all.first { $0.matches(rest) }
    }
}
