// The first page: plain files carried inside the program, readable without signing in because they say nothing of patients.

import Hummingbird
import Web

struct SiteRoutes: Sendable {
    private static let javaScript = "text/javascript; charset=utf-8"
    private static let page = Asset(PackageResources.index_html, mediaType: "text/html; charset=utf-8")
    private static let files: [String: Asset] = [
        "site.css": Asset(PackageResources.site_css, mediaType: "text/css; charset=utf-8"),
        "icon.svg": Asset(PackageResources.icon_svg, mediaType: "image/svg+xml"),
        "main.js": Asset(PackageResources.main_js, mediaType: javaScript),
        "dom.js": Asset(PackageResources.dom_js, mediaType: javaScript),
        "texts.js": Asset(PackageResources.texts_js, mediaType: javaScript),
        "archive.js": Asset(PackageResources.archive_js, mediaType: javaScript),
        "search.js": Asset(PackageResources.search_js, mediaType: javaScript),
        "studies.js": Asset(PackageResources.studies_js, mediaType: javaScript),
        "details.js": Asset(PackageResources.details_js, mediaType: javaScript),
        "upload.js": Asset(PackageResources.upload_js, mediaType: javaScript),
        "dialogs.js": Asset(PackageResources.dialogs_js, mediaType: javaScript),
        "orders.js": Asset(PackageResources.orders_js, mediaType: javaScript),
        "inbox.js": Asset(PackageResources.inbox_js, mediaType: javaScript),
        "outbox.js": Asset(PackageResources.outbox_js, mediaType: javaScript),
        "fleet.js": Asset(PackageResources.fleet_js, mediaType: javaScript),
        "reasons.js": Asset(PackageResources.reasons_js, mediaType: javaScript),
    ]

    /// Nothing from elsewhere, nothing inline, in nobody's frame.
    private static let pageHeaders: HTTPFields = [
        .contentSecurityPolicy: """
        default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; \
        form-action 'self'; base-uri 'none'; frame-ancestors 'none'
        """,
        PageHeader.referrerPolicy: "same-origin",
    ]

    init(_ services: PortalServices) {}

    func add(to router: some RouterMethods<WebRequestContext>) {
        router.get("/") { request, _ in Self.page.response(to: request, adding: Self.pageHeaders) }
        router.get("/favicon.ico") { request, _ in
            guard let icon = Self.files["icon.svg"] else { throw Problem.absent }
            return icon.response(to: request)
        }
        router.get("/site/:file") { request, context in
            guard let asset = Self.files[try context.parameters.require("file")] else { throw Problem.absent }
            return asset.response(to: request)
        }
    }
}

/// Names of header fields that browsers obey and the HTTP library does not list.
enum PageHeader {
    static let referrerPolicy = HTTPFields.Element.Name("Referrer-Policy")!
    static let openerPolicy = HTTPFields.Element.Name("Cross-Origin-Opener-Policy")!
    static let embedderPolicy = HTTPFields.Element.Name("Cross-Origin-Embedder-Policy")!
    static let resourcePolicy = HTTPFields.Element.Name("Cross-Origin-Resource-Policy")!
    static let lastEventID = HTTPFields.Element.Name("Last-Event-ID")!
}
