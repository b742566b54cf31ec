// The viewer API: a study in one answer, the patient's other studies, and what this server can do.

import Access
import DICOMCore
import Foundation
import Hummingbird
import NIOCore
import Web

struct ViewerRoutes: Sendable {
    private let services: PortalServices
    private let reading: ViewerReading

    init(_ services: PortalServices) {
        self.services = services
        reading = ViewerReading(catalog: services.catalog, retrieval: services.retrieval)
    }

    func add(to group: RouterGroup<WebRequestContext>) {
        group.get("server") { request, context in
            try await json(ServerDescription(services, caller: context.caller), request)
        }
        group.get("studies/:uid") { request, context in
            let uid = try study(context)
            _ = try context.authorized(.read, study: uid, detail: "viewer")
            let reading = reading
            guard let answer = try await services.work.run({ try reading.study(uid) }) else { throw Problem.absent }
            return try await json(answer, request)
        }
        group.get("studies/:uid/priors") { request, context in
            let uid = try study(context)
            let caller = try context.authorized(.read, study: uid, detail: "priors")
            let reading = reading
            let answer = try await services.work.run {
                try reading.priors(of: uid, sees: caller.scope.contains)
            }
            guard let answer else { throw Problem.absent }
            return try await json(answer, request)
        }
    }

    private func study(_ context: WebRequestContext) throws -> String {
        let uid = try context.parameters.require("uid")
        guard UID.isValid(uid) else {
            // Whoever is nobody learns nothing, not even what a UID looks like.
            guard context.caller != nil else { throw Problem.unauthenticated }
            throw Problem.absent
        }
        return uid
    }

    /// Encodes and compresses away from the event loops: an answer may be a megabyte.
    private func json(_ value: some Encodable & Sendable, _ request: Request) async throws -> Response {
        let asset = try await services.work.run {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return Asset([UInt8](try encoder.encode(value)), mediaType: "application/json")
        }
        var response = asset.response(to: request)
        response.headers[.cacheControl] = "private, no-cache"
        response.headers[.vary] = "Accept-Encoding, Authorization, Cookie"
        return response
    }
}

/// What this server is and can do. How to reach it over DICOM is told to those who have signed in.
struct ServerDescription: Encodable, Sendable {
    struct DICOM: Encodable, Sendable {
        let aeTitle: String
        let port: Int
    }

    struct Viewer: Encodable, Sendable {
        let url: String
        /// Files that the viewer loads before it shows anything: a page may fetch them ahead.
        let startFiles: [String]
    }

    let name = "Phim"
    let version: String
    let dicom: DICOM?
    let dicomWeb = "/dicom-web"
    let openAPI = "/api/v1/openapi.json"
    /// Absent when the viewer is not installed.
    let viewer: Viewer?
    /// An identity provider signs people in.
    let signsInElsewhere: Bool

    private enum CodingKeys: String, CodingKey {
        case name, version, dicom, dicomWeb, viewer, signsInElsewhere
        case openAPI = "openapi"
    }

    init(_ services: PortalServices, caller: Caller?) {
        version = services.facts.version
        dicom = caller.map { _ in DICOM(aeTitle: services.facts.aeTitle, port: services.facts.dicomPort) }
        viewer = services.viewer.map { files in
            Viewer(url: "/ohif/", startFiles: files.startFiles.map { "/ohif/" + $0 })
        }
        signsInElsewhere = services.facts.signsInElsewhere
    }
}
