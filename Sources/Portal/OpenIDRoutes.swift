// Signing in at the hospital's identity provider: /api/v1/oidc.

import Access
import Hummingbird
import Web

struct OpenIDRoutes: Sendable {
    /// Whether there is a provider, for the first page.
    private struct Offer: Encodable {
        let isAvailable: Bool
        /// What the button says.
        let name: String?
        /// Where it leads; `?return=/path` says where to come back to.
        let signIn: String?
    }

    private static let path = "/api/v1/oidc"
    private let services: AccessServices

    init(_ services: AccessServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        group.get("oidc") { _, _ in try offer() }
        group.get("oidc/sign-in") { request, context in try await page { try await depart(request, context) } }
        group.get("oidc/callback") { request, context in try await page { try await arrive(request, context) } }
    }

    private func offer() throws -> Response {
        try JSONAnswer.response(
            Offer(
                isAvailable: services.openID != nil, name: services.openID?.settings.name,
                signIn: services.openID.map { _ in Self.path + "/sign-in" }))
    }

    private func depart(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        guard let openID = services.openID else { throw Problem.absent }
        try services.access.checkAttempts(from: context.address)
        let departure = try await openID.depart(
            to: request.uri.queryParameters["return"].map(String.init) ?? "/",
            callback: try base(request, openID.settings) + Self.path + "/callback")
        var response = redirect(to: departure.url)
        response.setCookie(cookie(departure.pending, seconds: OpenIDSignOn.patience))
        return response
    }

    private func arrive(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        guard let openID = services.openID else { throw Problem.absent }
        let address = context.address
        do {
            try services.access.checkAttempts(from: address)
            let query = request.uri.queryParameters
            var answer = OpenIDReturn()
            answer.code = query["code"].map(String.init)
            answer.state = query["state"].map(String.init)
            answer.error = query["error"].map(String.init)
            answer.issuer = query["iss"].map(String.init)
            answer.pending = request.cookies[cookieName]?.value
            let (identity, destination) = try await openID.arrive(answer)
            let session = try await services.work.run { [access = services.access, caller = context.caller] in
                try access.signIn(identity: identity, from: address, replacing: caller)
            }
            var response = redirect(to: destination)
            response.setCookie(cookie("", seconds: 0))
            response.setCookie(SessionCookie.make(session.secret, isSecure: isSecure))
            return response
        } catch let failure as OpenIDFailure {
            services.access.noteFailure(failure, from: address, isAttempt: true)
            throw failure
        }
    }

    private var isSecure: Bool { services.authentication.isSecure }

    private var cookieName: String { isSecure ? "__Host-phim-oidc" : "phim-oidc" }

    /// Lax, not strict: the browser comes back from another site, and must bring it.
    private func cookie(_ value: String, seconds: Int) -> Cookie {
        Cookie(
            name: cookieName, value: value, maxAge: seconds, path: "/", secure: isSecure, httpOnly: true,
            sameSite: .lax)
    }

    private func redirect(to url: String) -> Response {
        // The code in the address must neither be kept nor travel on.
        Response(
            status: .seeOther, headers: [.location: url, .cacheControl: "no-store", .referrerPolicy: "no-referrer"])
    }

    /// Where the browser sees this archive. What the request says is enough without a setting: the provider sends
    /// nobody to an address that is not registered with it.
    private func base(_ request: Request, _ settings: OpenIDSettings) throws -> String {
        if let url = settings.publicURL { return url }
        guard let host = request.head.authority, (1...255).contains(host.utf8.count),
            host.utf8.allSatisfy({ byte in
                (0x30...0x3a).contains(byte) || (0x61...0x7a).contains(byte | 0x20) || ".-[]".utf8.contains(byte)
            })
        else { throw Problem(.badRequest, "The request names no host.") }
        return "\(isSecure ? "https" : "http")://\(host)"
    }

    /// Runs what a person waits for in a browser: failures are a page, not a document of JSON.
    private func page(_ body: () async throws -> Response) async throws -> Response {
        do { return try await body() } catch let failure as OpenIDFailure { return OpenIDPage.response(failure) }
    }
}

/// What a person reads whose sign-in failed, in both languages of the house.
enum OpenIDPage {
    static func response(_ failure: OpenIDFailure) -> Response {
        let (status, english, vietnamese) = words(failure)
        var headers: HTTPFields = [
            .contentType: "text/html; charset=utf-8", .cacheControl: "no-store", .referrerPolicy: "no-referrer",
            .contentSecurityPolicy: "default-src 'none'; style-src 'unsafe-inline'", .xContentTypeOptions: "nosniff",
        ]
        if case .tooMany(let seconds) = failure { headers[.retryAfter] = "\(seconds)" }
        if status == .serviceUnavailable { headers[.retryAfter] = "10" }
        let html = """
            <!doctype html>
            <html lang="vi">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>Phim</title>
            <style>
            :root { color-scheme: light dark; }
            body { font: 1rem/1.6 system-ui, sans-serif; max-width: 36rem; margin: 4rem auto; padding: 0 1.5rem; }
            </style>
            </head>
            <body>
            <p>\(vietnamese)</p>
            <p lang="en">\(english)</p>
            <p><a href="/">Phim</a></p>
            </body>
            </html>
            """
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(string: html)))
    }

    private static func words(_ failure: OpenIDFailure) -> (HTTPResponse.Status, String, String) {
        switch failure {
        case .providerAway:
            (
                .serviceUnavailable,
                "The hospital's sign-in service does not answer. Try again shortly, or sign in with a password.",
                "Dịch vụ đăng nhập của bệnh viện không trả lời. Hãy thử lại sau, hoặc đăng nhập bằng mật khẩu."
            )
        case .providerRefused:
            (
                .unauthorized, "The hospital's sign-in service did not sign you in.",
                "Dịch vụ đăng nhập của bệnh viện không chấp nhận đăng nhập này."
            )
        case .wrongState:
            (
                .badRequest, "This sign-in is too old or was used already. Begin again.",
                "Lần đăng nhập này đã hết hạn hoặc đã được dùng. Hãy bắt đầu lại."
            )
        case .token:
            (
                .unauthorized, "The answer of the hospital's sign-in service could not be verified.",
                "Không xác minh được câu trả lời của dịch vụ đăng nhập của bệnh viện."
            )
        case .noRole:
            (
                .forbidden, "You have no role in this archive. Ask the administrator for one.",
                "Bạn chưa có vai trò trong kho ảnh này. Hãy liên hệ quản trị viên."
            )
        case .disabled:
            (
                .forbidden, "Your account in this archive is disabled.",
                "Tài khoản của bạn trong kho ảnh này đã bị khóa."
            )
        case .tooMany:
            (.tooManyRequests, "Too many failed attempts; try again later.", "Quá nhiều lần thất bại; hãy thử lại sau.")
        case .access:
            (.serviceUnavailable, "The archive is busy; try again.", "Kho ảnh đang bận; hãy thử lại.")
        }
    }
}
