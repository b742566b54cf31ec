// Opening a link: /link/TOKEN begins a session that sees one study, visit or order, and nothing else.

import Access
import Hummingbird
import Records
import Web

struct SessionLinkRoutes: Sendable {
    private let services: AccessServices

    init(_ services: AccessServices) { self.services = services }

    func add(to router: Router<WebRequestContext>) {
        router.get("link/:secret") { _, context in try await open(context) }
    }

    private func open(_ context: WebRequestContext) async throws -> Response {
        let secret = context.parameters.get("secret") ?? ""
        let address = context.address
        do {
            let opened = try await services.work.run { [access = services.access] in
                try access.open(link: secret, from: address)
            }
            // No number of a visit stands in an address that anybody might read.
            let place = opened.subject.studyInstanceUID.map(services.viewer) ?? "/view/link"
            var response = Response(
                status: .seeOther,
                headers: [
                    .location: place, .cacheControl: "no-store",
                    // The link must not travel on to other sites.
                    .referrerPolicy: "no-referrer",
                ])
            response.setCookie(
                SessionCookie.make(opened.session.secret, isSecure: services.authentication.isSecure))
            return response
        } catch AccessFailure.notFound {
            throw Problem(.notFound, "This link does not exist, or is no longer valid. Ask who sent it for a new one.")
        } catch let error as AccessFailure {
            throw Problem(error)
        }
    }
}

extension HTTPFields.Element.Name {
    static var referrerPolicy: Self { Self("Referrer-Policy")! }
}
