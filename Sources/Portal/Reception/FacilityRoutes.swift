// Facilities and their points, and what a station finds in its worklist: /api/v1/facilities, /api/v1/worklists.

import Access
import DICOMCore
import DIMSEServer
import Encounters
import Foundation
import Hummingbird
import Records
import Web

struct FacilityRoutes: Sendable {
    private struct Wish: Decodable, Sendable {
        let code: String
        let name: String
        let parent: String?
        let validFrom: String?
        let validUntil: String?
    }

    private struct End: Decodable, Sendable {
        /// The last day, `yyyymmdd`.
        let validUntil: String
    }

    private struct Worklist: Encodable, Sendable {
        let peer: String
        let aeTitle: String
        let characterSet: String
        let isWhole: Bool
        let items: [WorklistShown]
    }

    private let services: HospitalServices

    init(_ services: HospitalServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        group.get("facilities") { _, context in
            _ = try context.authorized(.readOrders, detail: "facilities")
            return try JSONAnswer.response(try await services.look { try $0.facilities() })
        }
        group.post("facilities") { request, context in
            let caller = try context.authorized(.administer, detail: "facility")
            let asked = try await JSONAnswer.body(Wish.self, of: request)
            return try JSONAnswer.response(
                try await services.change(by: caller) { desk in
                    let facility = try FacilityRecord(
                        code: asked.code, name: asked.name, parent: asked.parent, validFrom: asked.validFrom ?? "",
                        validUntil: asked.validUntil ?? "")
                    try WishText.check(asked.name, "name")
                    try WishText.check(asked.parent, "parent", most: 32)
                    try desk.records.putFacility(facility)
                    return facility
                })
        }
        group.post("facilities/:code/end") { request, context in try await end(request, context) }
        group.get("worklists/:peer") { request, context in try await worklist(request, context) }
    }

    /// What a code means now ends; nothing that used it is changed.
    private func end(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let caller = try context.authorized(.administer, detail: "facility ended")
        let code = context.parameters.get("code")?.removingPercentEncoding ?? ""
        let asked = try await JSONAnswer.body(End.self, of: request)
        return try JSONAnswer.response(
            try await services.change(by: caller) { desk in
                guard
                    let open = try desk.records.facilities().first(where: { $0.code == code && $0.validUntil.isEmpty })
                else { throw EncounterFailure.unknown(what: "facility") }
                guard asked.validUntil.wholeMatch(of: /[0-9]{8}/) != nil, asked.validUntil >= open.validFrom else {
                    throw EncounterFailure.invalid(
                        field: "validUntil", reason: "a day as yyyymmdd, not before the first")
                }
                let ended = try FacilityRecord(
                    code: open.code, name: open.name, parent: open.parent, validFrom: open.validFrom,
                    validUntil: asked.validUntil)
                try desk.records.putFacility(ended)
                return ended
            })
    }

    private func worklist(_ request: Request, _ context: WebRequestContext) async throws -> Response {
        let caller = try context.authorized(.readOrders, detail: "worklist")
        // A worklist is about everybody.
        guard case .all = caller.scope else { throw Problem(.forbidden, "This account sees single studies only.") }
        let name = context.parameters.get("peer")?.removingPercentEncoding ?? ""
        let asked = try ListParameters(request, known: ["date", "modality", "anyStation", "limit"])
        var question = WorklistQuestion()
        question.date = asked["date"]
        question.modality = asked["modality"]
        question.isForAnyStation = try asked.flag("anyStation")
        question.limit = try asked.limit
        let found = try await services.run { [question] services in
            do {
                return try services.preview(name, question).map { peer, preview in
                    Worklist(
                        peer: peer.name, aeTitle: peer.aeTitle, characterSet: preview.characterSet.rawValue,
                        isWhole: preview.isWhole, items: preview.shown)
                }
            } catch let fault as WorklistQuery.Fault { throw Problem(.badRequest, fault.comment) }
        }
        guard let found else { throw Problem(.notFound, "There is no such peer.") }
        return try JSONAnswer.response(found)
    }
}
