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

    package init(olderThan: Int, toFree: Int64? = nil, study: String? = nil) {
        self.olderThan = olderThan
        self.toFree = toFree
        self.study = study
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
    /// Proven studies that stay all the same, by reason.
    package var kept: [String: Int] = [:]

    package var bytes: Int64 { candidates.reduce(0) { $0 + $1.bytes } }
}

/// What was given up.
package struct PurgeOutcome: Encodable, Sendable {
    package var studies = 0
    package var instances = 0
    package var bytes: Int64 = 0
    /// Studies that were not given up after all, with the reason.
    package var failures: [String: String] = [:]

    package init() {}
}

/// Gives up studies of one archive. Calls block: make them on plain threads.
package struct Purge: Sendable {
    /// Erases objects by SOP Instance UID, for good; gives the octets that became free.
    package typealias Erasing = @Sendable (_ sopInstanceUIDs: [String]) throws -> Int64

    private static let page = 256

    private let catalog: CatalogStore
    private let encounters: Encounters
    private let erase: Erasing

    package init(catalog: CatalogStore, encounters: Encounters, erase: @escaping Erasing) {
        self.catalog = catalog
        self.encounters = encounters
        self.erase = erase
    }

    /// What may be given up, the longest proven first, until so much would be free.
    package func plan(_ wish: PurgeWish) throws(ForwardingFailure) -> PurgePlan {
        guard (0...36_500).contains(wish.olderThan) else { throw .invalid(field: "days", reason: "from 0 to 36500") }
        var plan = PurgePlan()
        var position: (committedAt: Int64, id: Int64)?
        var seen: Set<String> = []
        let doubtful = try doubtfulStudies()
        while true {
            let (from, page) = (position, Self.page)
            let proven = try look { records in
                try records.provenShipments(before: records.now, study: wish.study, after: from, limit: page)
            }
            guard let last = proven.last, let lastAt = last.committedAt else { return plan }
            position = (lastAt, last.id)
            for shipment in proven where seen.insert(shipment.studyInstanceUID).inserted {
                guard let contents = try StudyContents(shipment.studyInstanceUID, catalog) else { continue }
                let check = try look { records in
                    try Self.check(contents, shipment, wish, records, doubtful: doubtful)
                }
                switch check {
                case .success(let candidate): plan.candidates.append(candidate)
                case .failure(let obstacle): plan.kept[obstacle.words, default: 0] += 1
                }
                if let toFree = wish.toFree, plan.bytes >= toFree { return plan }
            }
        }
    }

    /// Gives up one study: looks at everything once more and writes it down, which the records refuse without proof; then
    /// erases. A crash in between is made good by `finish`.
    package func carryOut(
        _ candidate: PurgeCandidate, _ wish: PurgeWish, by actor: String
    ) throws(ForwardingFailure) -> (instances: Int, bytes: Int64) {
        let doubtful = try doubtfulStudies()
        guard let contents = try StudyContents(candidate.studyInstanceUID, catalog) else {
            throw .unknown(what: "study")
        }
        do throws(EncounterFailure) {
            try encounters.change(by: actor) { desk in
                let records = desk.records
                let shipment = try records.shipment(id: candidate.shipment)
                let check = try Self.check(contents, shipment, wish, records, doubtful: doubtful)
                if case .failure(let obstacle) = check { throw EncounterFailure.conflict(reason: obstacle.words) }
                try records.purge(
                    study: shipment.studyInstanceUID, by: shipment.id,
                    instances: try records.proven(shipment.id).committed,
                    retainedUntil: Self.retainedUntil(contents, wish), account: actor)
            }
        } catch { throw ForwardingFailure(error) }
        return try eraseProven(candidate.studyInstanceUID, by: candidate.shipment)
    }

    /// Erases what was given up and is still here, because a run was cut short.
    package func finish() throws(ForwardingFailure) {
        for purge in try look({ try $0.unfinishedPurges() }) {
            _ = try eraseProven(purge.studyInstanceUID, by: purge.shipment)
        }
    }

    /// Only what is proven, byte for byte, goes; what came meanwhile stays.
    private func eraseProven(
        _ uid: String, by shipment: Int64
    ) throws(ForwardingFailure) -> (instances: Int, bytes: Int64) {
        let contents = try StudyContents(uid, catalog)
        let proven = try look { try Self.proven(shipment, $0) }
        let gone = (contents?.instances ?? []).filter { proven[$0.sopInstanceUID] == $0.digest }
        var bytes: Int64 = 0
        if !gone.isEmpty {
            do { bytes = try erase(gone.map(\.sopInstanceUID)) } catch {
                throw .unavailable(reason: "The images cannot be erased now; it is tried again: \(error)")
            }
        }
        do throws(EncounterFailure) {
            try encounters.change(by: "purge") { try $0.records.finishPurge(study: uid) }
        } catch { throw ForwardingFailure(error) }
        return (gone.count, bytes)
    }

    // MARK: What stands against it

    /// Why a study stays.
    private enum Obstacle: Error, Hashable {
        case young, held, openOrder, conflict, external, unproven, waiting(String), changed, rewritten

        var words: String {
            switch self {
            case .young: "its retention is not over"
            case .held: "a person holds it in the outbox"
            case .openOrder: "its order is still open"
            case .conflict: "an object of it is here with several contents"
            case .external: "it came from another archive"
            case .unproven: "some of its objects are not proven to be there"
            case .waiting(let destination): "it still waits for \(destination)"
            case .changed: "it is not proven any more"
            case .rewritten: "what was sent was changed on the way: the original is nowhere else"
            }
        }
    }

    /// Studies with objects of several contents, decided or not: the other contents are nowhere else.
    private func doubtfulStudies() throws(ForwardingFailure) -> Set<String> {
        do throws(CatalogError) {
            let conflicts = try catalog.conflicts(limit: .max, includingDecided: true)
            return Set(conflicts.flatMap { $0.copies.map(\.studyInstanceUID) })
        } catch { throw .unavailable(reason: "The catalogue cannot be read now") }
    }

    private static func retainedUntil(_ contents: StudyContents, _ wish: PurgeWish) -> Int64 {
        (contents.instances.map(\.receivedAt).max() ?? 0) + Int64(wish.olderThan) * 86_400_000_000
    }

    private static func check(
        _ contents: StudyContents, _ shipment: ShipmentRecord, _ wish: PurgeWish, _ records: RecordTransaction,
        doubtful: Set<String>
    ) throws -> Result<PurgeCandidate, Obstacle> {
        let uid = contents.studyInstanceUID
        let until = retainedUntil(contents, wish)
        guard until <= records.now else { return .failure(.young) }
        guard shipment.state == .committed, let committedAt = shipment.committedAt else { return .failure(.changed) }
        let transform = shipment.transform
        guard transform.deidentification.isEmpty, transform.characterSet.isEmpty else { return .failure(.rewritten) }
        guard !doubtful.contains(uid) else { return .failure(.conflict) }
        for other in try records.shipments(study: uid) {
            if other.isHeld { return .failure(.held) }
            if other.state == .waiting { return .failure(.waiting(other.destination)) }
        }
        if try records.externalStudy(uid) != nil { return .failure(.external) }
        if let order = try records.link(ofStudy: uid)?.target.procedure,
            ProcedureState(word: try records.procedure(id: order).state).isOpen
        {
            return .failure(.openOrder)
        }
        let proven = try proven(shipment.id, records)
        guard contents.instances.allSatisfy({ proven[$0.sopInstanceUID] == $0.digest }) else {
            return .failure(.unproven)
        }
        return .success(
            PurgeCandidate(
                studyInstanceUID: uid, destination: shipment.destination, shipment: shipment.id,
                instances: contents.instances.count, bytes: contents.octets, committedAt: committedAt,
                retainedUntil: until))
    }

    /// Digests of what a destination has proven to hold, by SOP Instance UID.
    private static func proven(_ shipment: Int64, _ records: RecordTransaction) throws -> [String: [UInt8]] {
        Dictionary(
            try records.shipped(shipment).filter { $0.committedAt != nil }.map { ($0.sopInstanceUID, $0.digest) },
            uniquingKeysWith: { first, _ in first })
    }

    private func look<Value>(_ body: (RecordTransaction) throws -> Value) throws(ForwardingFailure) -> Value {
        do throws(EncounterFailure) { return try encounters.look(body) } catch { throw ForwardingFailure(error) }
    }
}
