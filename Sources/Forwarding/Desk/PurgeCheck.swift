// Whether one study may be given up: everything that stands against it.

import Catalog
import Encounters
import Records

/// One study at one moment, before the question whether it may be given up.
struct PurgeCheck {
    enum Verdict {
        case goes(PurgeCandidate)
        /// It could, were it proven of late.
        case stale(PurgeCandidate)
        case stays(Obstacle)
    }

    /// Why a study stays.
    enum Obstacle: Hashable {
        case young, held, openOrder, conflict, external, unproven, waiting(String), changed, rewritten, promised
        case unaskable(String), unreached(String), uncorrected(String)

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
            case .promised: "others were told that it is kept here"
            case .unaskable(let destination): "\(destination) is not asked for proof any more"
            case .unreached(let destination): "its proof is old, and \(destination) is not reached now"
            case .uncorrected(let destination): "\(destination) does not know what was corrected here"
            }
        }
    }

    let contents: StudyContents
    private let wish: PurgeWish
    private let devices: Set<String>
    /// The other contents are nowhere else, decided or not.
    private let hasSeveralContents: Bool

    /// Reads the catalogue; nil when nothing of the study is here.
    /// - Parameter devices: AE titles to which a storage commitment keeps nothing here.
    init?(
        _ uid: String, _ catalog: CatalogStore, _ wish: PurgeWish, devices: Set<String>
    ) throws(ForwardingFailure) {
        guard let contents = try StudyContents(uid, catalog) else { return nil }
        do throws(CatalogError) { hasSeveralContents = try catalog.hasSeveralContents(study: uid) } catch {
            throw .unavailable(reason: "The catalogue cannot be read now")
        }
        self.contents = contents
        self.wish = wish
        self.devices = devices
    }

    /// When retention ends here, microseconds since 1970.
    var retainedUntil: Int64 {
        (contents.instances.map(\.receivedAt).max() ?? 0) + Int64(wish.olderThan) * 86_400_000_000
    }

    func verdict(_ shipment: ShipmentRecord, _ records: RecordTransaction) throws -> Verdict {
        guard let committedAt = shipment.committedAt, shipment.state == .committed else { return .stays(.changed) }
        guard let destination = try records.destination(shipment.destination) else {
            return .stays(.unaskable(shipment.destination))
        }
        if retainedUntil > records.now { return .stays(.young) }
        if let obstacle = try Self.obstacle(shipment, wish, devices: devices, records) { return .stays(obstacle) }
        if hasSeveralContents { return .stays(.conflict) }
        let shipped = Dictionary(
            try records.shipped(shipment.id).map { ($0.sopInstanceUID, $0) }, uniquingKeysWith: { first, _ in first })
        let candidate = PurgeCandidate(
            studyInstanceUID: contents.studyInstanceUID, destination: shipment.destination, shipment: shipment.id,
            instances: contents.instances.count, bytes: contents.octets, committedAt: committedAt,
            retainedUntil: retainedUntil)
        let since = max(records.now - ProofTrust.lasting, destination.changedAt)
        // A proof of tomorrow is of a clock that was wrong: nobody knows how old it is.
        func isStale(_ provenAt: Int64) -> Bool { provenAt <= since || provenAt > records.now }
        var isAnyStale = isStale(committedAt)
        for instance in contents.instances {
            guard let there = shipped[instance.sopInstanceUID], let provenAt = there.committedAt,
                there.digest == instance.digest
            else { return .stays(.unproven) }
            // Storage commitment names objects, and says nothing of their octets: these are known by what was sent.
            guard there.isExact else { return .stays(.rewritten) }
            guard there.revision == instance.correctionRevision else {
                return .stays(.uncorrected(shipment.destination))
            }
            isAnyStale = isAnyStale || isStale(provenAt)
        }
        guard isAnyStale else { return .goes(candidate) }
        // Who cannot answer is not asked: the proof that there is says more than none.
        let isReached = !destination.isPaused && !destination.isStopped && destination.failures == 0
        return isReached ? .stale(candidate) : .stays(.unreached(shipment.destination))
    }

    /// What of the records alone stands against it, beside the proof: known without a look at the catalogue.
    static func obstacle(
        _ shipment: ShipmentRecord, _ wish: PurgeWish, devices: Set<String>, _ records: RecordTransaction
    ) throws -> Obstacle? {
        let uid = shipment.studyInstanceUID
        guard try records.destination(shipment.destination)?.settings.givesProof == true else {
            return .unaskable(shipment.destination)
        }
        let transform = shipment.transform
        guard transform.deidentification.isEmpty, transform.characterSet.isEmpty else { return .rewritten }
        for other in try records.shipments(study: uid) {
            if other.isHeld { return .held }
            if other.state == .waiting { return .waiting(other.destination) }
        }
        if try records.externalStudy(uid) != nil { return .external }
        if let order = try records.link(ofStudy: uid)?.target.procedure,
            ProcedureState(word: try records.procedure(id: order).state).isOpen
        {
            return .openOrder
        }
        guard !wish.isDespitePromises else { return nil }
        let promises = try records.promises(ofStudy: uid).filter {
            $0.kind == .signature || !devices.contains($0.whom)
        }
        return promises.isEmpty ? nil : .promised
    }
}
