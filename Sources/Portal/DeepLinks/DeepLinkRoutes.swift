// From the EMR into the viewer: all images of a visit, an order or a patient, under the rights of who opens the link.
// /view/encounter/{number}, /view/accession/{number}, /view/link, and IHE Invoke Image Display (IHE RAD TF-2, RAD-106).

import Access
import Encounters
import Foundation
import Hummingbird
import Records
import Web

struct DeepLinkRoutes: Sendable {
    private let services: HospitalServices

    init(_ services: HospitalServices) { self.services = services }

    func add(to router: some RouterMethods<WebRequestContext>) {
        router.get("/view/encounter/:number") { request, context in
            try await answer(request, context) { _ in
                let parameters = try ListParameters(request, known: ["issuer"])
                return .visit(number: try Self.number(context), issuer: parameters["issuer"])
            }
        }
        router.get("/view/accession/:number") { request, context in
            try await answer(request, context) { _ in
                let parameters = try ListParameters(request, known: ["patient"])
                return .orders(
                    accessionNumbers: [try Self.number(context)], patient: parameters["patient"].map { ($0, nil) })
            }
        }
        router.get("/view/link") { request, context in
            try await answer(request, context) { caller in
                guard let subject = caller.subject else {
                    throw Problem(.notFound, "This browser was opened by no link.")
                }
                return .subject(subject)
            }
        }
        router.get("/IHEInvokeImageDisplay") { request, context in
            try await answer(request, context) { _ in try ImageDisplayRequest(request).wanted }
        }
    }

    private static func number(_ context: WebRequestContext) throws(Problem) -> String {
        guard let number = context.parameters.get("number")?.removingPercentEncoding, !number.isEmpty,
            number.count <= 100
        else { throw .absent }
        return number
    }

    /// Whoever is not signed in goes to the first page and comes back; every refusal is a page in plain words.
    private func answer(
        _ request: Request, _ context: WebRequestContext, _ wanted: (Caller) throws -> WantedImages
    ) async throws -> Response {
        guard context.caller != nil else { return OHIFRoutes.signIn(request) }
        do {
            let caller = try context.authorized(.read, detail: "deep link")
            let wanted = try wanted(caller)
            let found = try await services.run { try FoundImages(wanted, for: caller, in: $0) }
            switch found {
            case .studies(let uids):
                for uid in uids { _ = try context.authorized(.read, study: uid, detail: "deep link") }
                return Self.viewer(uids)
            case .none(let orders): return DeepLinkPage.waiting(orders)
            case .unknown: return DeepLinkPage.unknown
            case .hidden: return DeepLinkPage.forbidden
            case .ambiguous: return DeepLinkPage.ambiguous
            case .issuers(let issuers, let number): return DeepLinkPage.choice(issuers, number: number)
            }
        } catch let problem as Problem {
            switch problem.status {
            case .forbidden: return DeepLinkPage.forbidden
            case .notFound: return DeepLinkPage.unknown
            case .badRequest: return DeepLinkPage.wrong(problem.detail)
            default: throw problem
            }
        }
    }

    private static func viewer(_ uids: [String]) -> Response {
        Response(
            status: .seeOther,
            headers: [
                .location: "/ohif/viewer?StudyInstanceUIDs=\(uids.joined(separator: ","))", .cacheControl: "no-store",
                PageHeader.referrerPolicy: "no-referrer",
            ])
    }
}
