// Giving up images here that another archive has proven to hold: decided in the records first, erased then.

package import Catalog
package import Encounters
import Records

/// What is to be given up.
package struct PurgeWish: Hashable, Sendable {
    /// Days since the last image of a study came.
    package var olderThan: Int
    /// Octets that are to become free; nil: as much as there is.
    package var toFree: Int64?
    /// Study Instance UID; nil: any.
    package var study: String?
    /// Also studies of which this archive has proven to others that it keeps them.
    package var isDespitePromises: Bool

    package init(olderThan: Int, toFree: Int64? = nil, study: String? = nil, isDespitePromises: Bool = false) {
        self.olderThan = olderThan
        self.toFree = toFree
        self.study = study
        self.isDespitePromises = isDespitePromises
    }
}

/// A study that may be given up.
package struct PurgeCandidate: Encodable, Hashable, Sendable {
    package let studyInstanceUID: String
    /// Who has proven to hold it.
    package let destination: String
    package let shipment: Int64
    package let instances: Int
    package let bytes: Int64
    /// When that was proven, microseconds since 1970.
    package let committedAt: Int64
    /// When retention ends here.
    let retainedUntil: Int64
}

/// What may be given up, and why the rest stays.
package struct PurgePlan: Encodable, Sendable {
    package var candidates: [PurgeCandidate] = []
    /// What could go, were it proven of late: it is to be proven anew first.
    package var stale: [PurgeCandidate] = []
    /// Studies whose proof was asked for anew within the last hour, and has not come yet.
    package var awaited = 0
    /// Proven studies that stay all the same, by reason.
    package var kept: [String: Int] = [:]

    package var bytes: Int64 { candidates.reduce(0) { $0 + $1.bytes } }
}

/// One study that was given up.
package struct PurgedStudy: Hashable, Sendable {
    package let studyInstanceUID: String
    /// Who has proven to hold it.
    package let destination: String
    package let instances: Int
    package let bytes: Int64
}

/// What was given up.
package struct PurgeOutcome: Encodable, Sendable {
    package var studies = 0
    package var instances = 0
    package var bytes: Int64 = 0
    /// Studies that could go once they are proven anew, which was asked for.
    package var asked = 0
    /// Studies that were not given up after all, with the reason.
    package var failures: [String: String] = [:]

    package init() {}

    package var isNothing: Bool { studies == 0 && failures.isEmpty }

    package mutating func add(_ gone: PurgedStudy) {
        studies += 1
        instances += gone.instances
        bytes += gone.bytes
    }
}

/// Gives up studies of one archive. Calls block: make them on plain threads.
package struct Purge: Sendable {
    /// Erases these very copies for good, and nothing else of their UIDs; gives the octets that became free.
    package typealias Erasing = @Sendable (_ copies: [StoredInstance]) throws -> Int64

    /// A proof that was asked for anew is waited for so long, in microseconds; then others are asked for instead.
    private static let answering: Int64 = 3_600_000_000
    private static let page = 256

    private let catalog: CatalogStore
    private let encounters: Encounters
    private let devices: Set<String>
    private let erase: Erasing

    /// - Parameter devices: AE titles to which a storage commitment keeps nothing here.
    package init(
        catalog: CatalogStore, encounters: Encounters, devices: [String] = [], erase: @escaping Erasing
    ) {
        self.catalog = catalog
        self.encounters = encounters
        self.devices = Set(devices)
        self.erase = erase
    }

    /// What may be given up, the longest proven first, until so much would be free; and as much as is missing then of what
    /// could go were its proof not too old. Of a study that several have proven to hold one proof is enough.
    package func plan(_ wish: PurgeWish) throws(ForwardingFailure) -> PurgePlan {
        guard (0...36_500).contains(wish.olderThan) else { throw .invalid(field: "days", reason: "from 0 to 36500") }
        var survey = Survey(toFree: wish.toFree)
        let (now, doubted) = try look { ($0.now, try $0.doubtedShipments(since: $0.now - Self.answering)) }
        let fresh = now - ProofTrust.lasting
        try look(wish, provenFrom: fresh, before: now, &survey)
        // What is asked for anew frees nothing yet: as long as there are others, these go.
        if !survey.isEnough {
            survey.count(doubted.octets)
            if !survey.isEnough { try look(wish, provenFrom: -1, before: fresh, &survey) }
            // By a clock that was set back.
            if !survey.isEnough { try look(wish, provenFrom: now, before: .max, &survey) }
        }
        var plan = survey.plan
        plan.awaited = doubted.studies
        return plan
    }

    private func look(
        _ wish: PurgeWish, provenFrom first: Int64, before end: Int64, _ survey: inout Survey
    ) throws(ForwardingFailure) {
        var position: (committedAt: Int64, id: Int64) = (first, -1)
        while true {
            let (from, page) = (position, Self.page)
            // The records say of most that stay why: an archive that keeps everything for others reads no catalogue for it.
            let proven = try look { records in
                try records.provenShipments(before: end, study: wish.study, after: from, limit: page).map { shipment in
                    (shipment, try PurgeCheck.obstacle(shipment, wish, devices: devices, records))
                }
            }
            guard let last = proven.last?.0, let lastAt = last.committedAt else { return }
            position = (lastAt, last.id)
            for (shipment, obstacle) in proven where !survey.hasFound(shipment.studyInstanceUID) {
                if let obstacle {
                    if try holds(shipment.studyInstanceUID) {
                        survey.add(.stays(obstacle), of: shipment.studyInstanceUID)
                    }
                    continue
                }
                guard let verdict = try verdict(shipment, wish) else { continue }
                survey.add(verdict, of: shipment.studyInstanceUID)
                if survey.isEnough { return }
            }
        }
    }

    /// A plan while it is made.
    private struct Survey {
        let toFree: Int64?
        /// Whether what is to be proven anew is enough as well.
        private var countsStale = false
        private var candidates: [PurgeCandidate] = []
        private var stale: [PurgeCandidate] = []
        private var found: Set<String> = []
        /// Why studies stay, by the first of their proofs.
        private var kept: [String: String] = [:]
        private var (bytes, staleBytes): (Int64, Int64) = (0, 0)

        init(toFree: Int64?) { self.toFree = toFree }

        var isEnough: Bool { toFree.map { bytes + (countsStale ? staleBytes : 0) >= $0 } ?? false }

        /// From now on also what is to be proven anew counts, and what is being proven.
        mutating func count(_ awaited: Int64) { (countsStale, staleBytes) = (true, staleBytes + awaited) }

        func hasFound(_ study: String) -> Bool { found.contains(study) }

        mutating func add(_ verdict: PurgeCheck.Verdict, of study: String) {
            switch verdict {
            case .goes(let candidate):
                candidates.append(candidate)
                bytes += candidate.bytes
            case .stale(let candidate):
                stale.append(candidate)
                staleBytes += candidate.bytes
            case .stays(let obstacle):
                if kept[study] == nil { kept[study] = obstacle.words }
                return
            }
            found.insert(study)
            kept[study] = nil
        }

        var plan: PurgePlan {
            PurgePlan(
                candidates: candidates, stale: stale,
                kept: kept.values.reduce(into: [:]) { $0[$1, default: 0] += 1 })
        }
    }

    private func verdict(
        _ shipment: ShipmentRecord, _ wish: PurgeWish
    ) throws(ForwardingFailure) -> PurgeCheck.Verdict? {
        guard let check = try PurgeCheck(shipment.studyInstanceUID, catalog, wish, devices: devices) else { return nil }
        return try look { try check.verdict(shipment, $0) }
    }

    /// Asks for the proofs of these anew: what is proven then may go.
    package func askAnew(_ stale: [PurgeCandidate], by actor: String) throws(ForwardingFailure) {
        if stale.isEmpty { return }
        try change(by: actor) { records in
            for candidate in stale { try records.doubtProof(ofShipment: candidate.shipment) }
        }
    }

    /// Gives up one study: looks at everything once more and writes it down, which the records refuse without proof; then
    /// erases. A crash in between is made good by `finish`.
    package func carryOut(
        _ candidate: PurgeCandidate, _ wish: PurgeWish, by actor: String
    ) throws(ForwardingFailure) -> PurgedStudy {
        guard let check = try PurgeCheck(candidate.studyInstanceUID, catalog, wish, devices: devices) else {
            throw .unknown(what: "study")
        }
        try change(by: actor) { records in
            let shipment = try records.shipment(id: candidate.shipment)
            switch try check.verdict(shipment, records) {
            case .goes: break
            case .stale: throw EncounterFailure.conflict(reason: "it is to be proven anew first")
            case .stays(let obstacle): throw EncounterFailure.conflict(reason: obstacle.words)
            }
            try records.purge(
                study: shipment.studyInstanceUID, by: shipment.id, instances: check.contents.instances.count,
                retainedUntil: check.retainedUntil, account: actor,
                // Of these the wish, or the configuration, says that they keep nothing here.
                isDespitePromise: try !records.promises(ofStudy: shipment.studyInstanceUID).isEmpty)
        }
        return try eraseProven(candidate.studyInstanceUID, by: candidate.shipment)
    }

    /// Erases what was given up and is still here, because a run was cut short. What cannot go now keeps nothing else.
    /// - Returns: What went, and of what did not the reason, by Study Instance UID.
    package func finish() throws(ForwardingFailure) -> (gone: [PurgedStudy], failures: [String: String]) {
        var gone: [PurgedStudy] = []
        var failures: [String: String] = [:]
        for purge in try look({ try $0.unfinishedPurges() }) {
            do throws(ForwardingFailure) {
                gone.append(try eraseProven(purge.studyInstanceUID, by: purge.shipment))
            } catch { failures[purge.studyInstanceUID] = error.sentence }
        }
        return (gone, failures)
    }

    /// Only what is proven, byte for byte, goes; what came meanwhile stays, also under the same UIDs.
    private func eraseProven(_ uid: String, by shipment: Int64) throws(ForwardingFailure) -> PurgedStudy {
        let contents = try StudyContents(uid, catalog)
        let (proven, destination) = try look { records in
            (
                Dictionary(
                    try records.shipped(shipment).filter { $0.committedAt != nil && $0.isExact }
                        .map { ($0.sopInstanceUID, $0.digest) }, uniquingKeysWith: { first, _ in first }),
                try records.shipment(id: shipment).destination
            )
        }
        let gone = (contents?.instances ?? []).filter { proven[$0.sopInstanceUID] == $0.digest }
        var bytes: Int64 = 0
        if !gone.isEmpty {
            do { bytes = try erase(gone) } catch {
                throw .unavailable(reason: "The images cannot be erased now; it is tried again: \(error)")
            }
        }
        let isHere = try holds(uid)
        try change(by: "purge") { records in
            try records.finishPurge(study: uid)
            // Something of it is here again, or still: it may be given up again, by a proof of its own.
            if isHere { try records.forgetPurge(study: uid) }
        }
        return PurgedStudy(
            studyInstanceUID: uid, destination: destination, instances: gone.count, bytes: bytes)
    }

    /// Whether something of a study is here.
    private func holds(_ uid: String) throws(ForwardingFailure) -> Bool {
        do throws(CatalogError) { return try catalog.holds(study: uid) } catch {
            throw .unavailable(reason: "The catalogue cannot be read now")
        }
    }

    private func change(
        by actor: String, _ body: (RecordTransaction) throws -> Void
    ) throws(ForwardingFailure) {
        do throws(EncounterFailure) { try encounters.change(by: actor) { try body($0.records) } } catch {
            throw ForwardingFailure(error)
        }
    }

    private func look<Value>(_ body: (RecordTransaction) throws -> Value) throws(ForwardingFailure) -> Value {
        do throws(EncounterFailure) { return try encounters.look(body) } catch { throw ForwardingFailure(error) }
    }
}
