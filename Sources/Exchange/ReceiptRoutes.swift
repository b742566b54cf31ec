// Proof: every object is read again and digested before the centre signs: POST …/studies/{study}/receipt, GET …/key.

import Access
import Catalog
import Encounters
import Foundation
import Hummingbird
import Records
import Web

struct ReceiptRoutes: Sendable {
    private let services: ExchangeServices
    /// So long is read for one request.
    private static let slice = Duration.seconds(20)

    init(_ services: ExchangeServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        group.get("key") { _, context in
            _ = try context.authorized(.exchange)
            return try ExchangeChecks.response(KeyAnswer(name: services.name, key: services.key.publicKey))
        }
        group.post("studies/:uid/receipt") { request, context in
            let study = try context.study()
            let caller = try context.authorized(.exchange, study: study)
            let asked = try await ExchangeChecks.body(ReceiptRequest.self, of: request, on: services)
            try ExchangeChecks.bound(asked.objects)
            let (correction, found) = try await services.run(services.proving) { _ in
                try (
                    StationCorrection(services).put(asked.correction, of: study, by: caller),
                    judge(study, asked, caller)
                )
            }
            // The rest is read when it is asked for again: an answer that takes minutes looks like a line that is dead.
            guard let claims = found else {
                return Response(status: .accepted, headers: [.retryAfter: "0", .cacheControl: "no-store"])
            }
            let receipt: String
            do { receipt = try await services.key.sign(claims) } catch {
                throw Problem(.internalServerError, "The receipt cannot be signed.")
            }
            context.note(caller, study: study, "receipt for \(asked.instances) objects")
            return try ExchangeChecks.response(
                ReceiptAnswer(receipt: receipt, correctionTaken: correction.isTaken, rejected: correction.rejected))
        }
    }

    /// Nil where not all could be read in the time of one request.
    private func judge(_ study: String, _ asked: ReceiptRequest, _ caller: Caller) throws -> ReceiptClaims? {
        guard ExchangeChecks.isUID(asked.transactionUID) else { throw Problem(.badRequest, "transactionUID: a UID") }
        guard Hexadecimal.bytes(asked.manifest, count: 32) != nil else {
            throw Problem(.badRequest, "manifest: SHA-256 in hexadecimal")
        }
        let held = HeldObjects(services)
        let manifest = try manifest(study, asked, held)
        let proof = study + " " + asked.manifest
        guard var verdicts = services.proofs.begin(proof, of: caller.account) else {
            throw Problem(
                .serviceUnavailable, "Another proof for this station is being made.", headers: [.retryAfter: "2"])
        }
        // What was found is kept, whatever ends this; also where it took so long that nobody may wait for the answer any more.
        let until = ContinuousClock.now + Self.slice
        var isWhole = false
        defer {
            let isHeard = isWhole && ContinuousClock.now < until
            // What was missing may be there when it is asked again.
            let found = isWhole ? verdicts.filter { $0.value != .missing } : verdicts
            services.proofs.end(proof, of: caller.account, with: isHeard ? nil : found)
        }
        for uid in manifest.uids where verdicts[uid] == nil {
            guard ContinuousClock.now < until else { return nil }
            if let found = try held.copy(uid, digest: manifest.objects[uid] ?? [], includingUnsound: true),
                try held.isSound(uid, found.copy)
            {
                verdicts[uid] = found.isEquivalent ? .equivalent : .same
            } else {
                verdicts[uid] = .missing
            }
        }
        try promise(manifest, &verdicts, held, to: caller)
        isWhole = true
        let missing = manifest.uids.filter { verdicts[$0] == .missing }
        let equivalent = manifest.uids.filter { verdicts[$0] == .equivalent }
        return ReceiptClaims(
            iss: services.name, sub: caller.account, iat: Int64(Date().timeIntervalSince1970),
            jti: asked.transactionUID, study: study, manifest: asked.manifest, instances: manifest.objects.count,
            missing: missing, equivalent: equivalent)
    }

    /// Before the station is told, and may give up its own: these studies are kept here from now on.
    private func promise(
        _ manifest: StudyManifest, _ verdicts: inout [String: ProofsInHand.Verdict], _ held: HeldObjects,
        to caller: Caller
    ) throws {
        var studies: Set<String> = []
        for uid in manifest.uids where verdicts[uid] != .missing {
            // What was read in an earlier slice may have been deleted since.
            if let found = try held.copy(uid, digest: manifest.objects[uid] ?? [], includingUnsound: true) {
                studies.insert(found.copy.studyInstanceUID)
            } else {
                verdicts[uid] = .missing
            }
        }
        let kept = studies
        let isKept = try services.encounters.change(by: caller.account) {
            try $0.records.promise(studies: kept, to: caller.account, .signature)
        }
        guard isKept else {
            throw Problem(.serviceUnavailable, "This study is being given up here.", headers: [.retryAfter: "5"])
        }
    }

    /// What is asked about: what is here, where that is the same, else what the request lists.
    private func manifest(
        _ study: String, _ asked: ReceiptRequest, _ held: HeldObjects
    ) throws -> StudyManifest {
        guard let objects = asked.objects else {
            let here = try held.manifest(study: study, includingUnsound: true)
            guard here.objects.count == asked.instances, Hexadecimal.text(here.digest) == asked.manifest else {
                throw Problem(.conflict, "Other objects are here: name those that are asked about.")
            }
            return here
        }
        var digests: [String: [UInt8]] = [:]
        for (uid, text) in objects {
            guard ExchangeChecks.isUID(uid), let digest = Hexadecimal.bytes(text, count: 32) else {
                throw Problem(.badRequest, "objects: SHA-256 in hexadecimal by UID")
            }
            digests[uid] = digest
        }
        let manifest = StudyManifest(digests)
        guard Hexadecimal.text(manifest.digest) == asked.manifest else {
            throw Problem(.badRequest, "manifest: not that of the objects")
        }
        return manifest
    }
}
