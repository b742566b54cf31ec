// The OHIF viewer at /ohif: its files as they are, its configuration from this server, nobody without a session.

import Access
import Foundation
package import Hummingbird
import NIOCore
package import Web

package struct OHIFRoutes: Sendable {
    private let viewer: ViewerFiles?
    private let work: BlockingWork

    /// - Parameter viewer: nil when it is not installed.
    package init(viewer: ViewerFiles?, work: BlockingWork) {
        self.viewer = viewer
        self.work = work
    }

    package func add(to router: some RouterMethods<WebRequestContext>) {
        router.get("/ohif") { request, context in try await answer(request, context, path: "") }
        router.get("/ohif/**") { request, context in
            try await answer(request, context, path: Self.decoded(context.parameters.getCatchAll()))
        }
        // The viewer's microscopy part asks for its own files at the root of the site.
        router.get("/dicom-microscopy-viewer/**") { request, context in
            let path = Self.decoded(context.parameters.getCatchAll())
            guard let asset = try await asset("dicom-microscopy-viewer/" + path) else { throw Problem.absent }
            return asset.response(to: request, adding: Self.isolation)
        }
    }

    private func answer(_ request: Request, _ context: WebRequestContext, path: String) async throws -> Response {
        guard viewer != nil else { return missing(request, context) }
        if path == "app-config.js" { return configuration(context.caller, request) }
        if path == "start-files.json" { return startFiles }
        // Files are the same for everybody and open; the page itself is the door.
        if path != "index.html", let asset = try await asset(path) {
            return asset.response(to: request, adding: Self.isolation)
        }
        // A file that is not there is not a place inside the viewer.
        if path.split(separator: "/").last?.contains(".") == true, path != "index.html" { throw Problem.absent }
        guard context.caller != nil else { return Self.signIn(request) }
        guard let page = try await asset("index.html") else { throw Problem.absent }
        return page.response(to: request, adding: Self.pageHeaders)
    }

    private func asset(_ name: String) async throws -> Asset? {
        guard let viewer, viewer.contains(name) else { return nil }
        return try await work.run { viewer.asset(name) }
    }

    /// A path as the index of files knows it; anything odd stays odd and is not found.
    private static func decoded(_ pieces: [Substring]) -> String {
        pieces.map { String($0).removingPercentEncoding ?? String($0) }.joined(separator: "/")
    }

    /// To the first page and back: the way is kept as this server's own path, so nobody can be sent elsewhere.
    static func signIn(_ request: Request) -> Response {
        let back = request.uri.string.utf8.reduce(into: "") { text, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "-"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default: text += "%" + String(UInt16(byte) | 0x100, radix: 16).dropFirst().uppercased()
            }
        }
        return Response(
            status: .seeOther, headers: [.location: "/?return=\(back)", .cacheControl: "no-store"])
    }

    private func configuration(_ caller: Caller?, _ request: Request) -> Response {
        let script = OHIFConfiguration(caller: caller).script
        var headers = Self.isolation
        headers[.contentType] = "text/javascript; charset=utf-8"
        // It says what this caller may do.
        headers[.cacheControl] = "private, no-store"
        headers[.xContentTypeOptions] = "nosniff"
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(string: script)))
    }

    /// What the viewer loads before it shows anything: the first page fetches it ahead.
    private var startFiles: Response {
        let names = viewer?.startFiles.map { "\"/ohif/\($0)\"" } ?? []
        return Response(
            status: .ok,
            headers: [
                .contentType: "application/json", .cacheControl: "no-cache", .xContentTypeOptions: "nosniff",
            ],
            body: .init(byteBuffer: ByteBuffer(string: "[\(names.joined(separator: ", "))]")))
    }

    /// Without the viewer everything else works; this page tells how to add it.
    private func missing(_ request: Request, _ context: WebRequestContext) -> Response {
        guard context.caller != nil else { return Self.signIn(request) }
        return Response(
            status: .notFound,
            headers: [
                .contentType: "text/html; charset=utf-8", .cacheControl: "no-store",
                .contentSecurityPolicy: "default-src 'none'; style-src 'self'; img-src 'self'",
                .xContentTypeOptions: "nosniff",
            ],
            body: .init(byteBuffer: ByteBuffer(bytes: PackageResources.missing_viewer_html)))
    }

    /// The viewer's page may share memory between its threads, and nobody may embed it.
    static let isolation: HTTPFields = [
        PageHeader.openerPolicy: "same-origin", PageHeader.embedderPolicy: "require-corp",
        PageHeader.resourcePolicy: "same-origin",
    ]

    /// The viewer compiles code and makes workers from blobs. It asks Google for a typeface, which would tell Google of
    /// every visit and stall where there is no internet: that is not let out.
    private static let pageHeaders: HTTPFields = {
        var headers = isolation
        headers[.contentSecurityPolicy] = """
            default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; worker-src 'self' blob:; \
            style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; media-src 'self' blob:; font-src 'self' data:; \
            connect-src 'self' blob: data:; object-src 'self' blob:; frame-src 'self' blob:; base-uri 'self'; \
            form-action 'self'; frame-ancestors 'self'
            """
        headers[PageHeader.referrerPolicy] = "same-origin"
        return headers
    }()
}
