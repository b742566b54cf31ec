// What is here of a study already: POST /api/v1/exchange/studies/{study}/offer.

import Access
import Foundation
import Hummingbird
import Web

struct OfferRoutes: Sendable {
    private let services: ExchangeServices
    /// Objects that arrived in part, named in one answer.
    private static let mostPartial = 200

    init(_ services: ExchangeServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        group.post("studies/:uid/offer") { request, context in
            let study = try context.study()
            let caller = try context.authorized(.exchange, study: study)
            let offer = try await ExchangeChecks.body(StudyOffer.self, of: request, on: services)
            guard let manifest = Hexadecimal.bytes(offer.manifest, count: 32) else {
                throw Problem(.badRequest, "manifest: SHA-256 in hexadecimal")
            }
            try ExchangeChecks.bound(offer.objects)
            let answer = try await services.run(services.offering) { services in
                let correction = try StationCorrection(services).put(offer.correction, of: study, by: caller)
                var answer = try look(study, offer, manifest, of: caller)
                (answer.correctionTaken, answer.rejected) = (correction.isTaken, correction.rejected)
                return answer
            }
            context.note(caller, study: study, "offered by a station")
            return try ExchangeChecks.response(answer)
        }
    }

    /// Nothing is said of a study but to those who know its digests.
    private func look(
        _ study: String, _ offer: StudyOffer, _ manifest: [UInt8], of caller: Caller
    ) throws -> OfferAnswer {
        let held = HeldObjects(services)
        let here = try held.manifest(study: study)
        if here.objects.count == offer.instances, here.digest == manifest {
            return OfferAnswer(isComplete: true, instances: here.objects.count, partial: [:])
        }
        let partial = services.uploads.partial(station: caller.accountID, limit: Self.mostPartial)
        guard let objects = offer.objects else {
            return OfferAnswer(isComplete: false, instances: 0, partial: partial)
        }
        let bits = try StudyManifest.ordered(objects.keys).map { uid in
            guard ExchangeChecks.isUID(uid), let text = objects[uid],
                let digest = Hexadecimal.bytes(text, count: ExchangeWords.prefix)
            else { throw Problem(.badRequest, "objects: \(ExchangeWords.prefix) octets in hexadecimal by UID") }
            // What the study does not have needs no further look.
            guard let shown = here.objects[uid] else { return false }
            return try shown.starts(with: digest) || held.copy(uid, digest: digest) != nil
        }
        return OfferAnswer(
            isComplete: !bits.contains(false), instances: bits.count { $0 },
            held: Data(BitList.bytes(bits)).base64EncodedString(), partial: partial)
    }
}
