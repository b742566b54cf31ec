// The rules, and what they make of a study.

package import Catalog
package import Encounters
package import Records

/// What one rule says of one study.
package struct RouteVerdict: Hashable, Sendable {
    package let route: RouteRecord
    /// Why it does not apply, one sentence; nil when it does.
    package let obstacle: String?
    /// Why it applies, yet the study may not leave.
    package let refusal: String?
    package let priority: ShipmentRecord.Priority
}

/// The rules of one archive. Calls block: make them on plain threads.
package struct RouteBook: Sendable {
    let catalog: CatalogStore
    let encounters: Encounters

    package init(catalog: CatalogStore, encounters: Encounters) {
        self.catalog = catalog
        self.encounters = encounters
    }

    /// What every rule says of a study, without doing anything.
    package func explain(study uid: String) throws(ForwardingFailure) -> [RouteVerdict] {
        guard let contents = try StudyContents(uid, catalog) else { throw .unknown(what: "study") }
        let peers = try knownPeers()
        return try look { records in try Self.verdicts(contents, records, peers: peers) }
    }

    /// Looks at every study that is marked, and puts into the outbox what the rules say.
    /// - Returns: How many were looked at.
    @discardableResult
    package func judge() throws(ForwardingFailure) -> Int {
        var studies = 0
        while true {
            let (marked, concerned) = try look { records in
                let marked = try records.markedForwarding(limit: 32)
                let hasRules = try !records.routes().isEmpty
                return (marked, try marked.keys.filter { try hasRules || !records.shipments(study: $0).isEmpty })
            }
            if marked.isEmpty { return studies }
            let peers = try knownPeers()
            var contents: [String: StudyContents] = [:]
            for uid in concerned { contents[uid] = try StudyContents(uid, catalog) }
            try change(by: "rule") { [contents] desk in
                let concerned = Set(concerned)
                for (uid, marks) in marked {
                    if concerned.contains(uid) { try Self.judge(uid, contents[uid], desk.records, peers: peers) }
                    try desk.records.unmarkForwarding(study: uid, marks: marks)
                }
            }
            studies += marked.count
        }
    }

    private static func judge(
        _ uid: String, _ contents: StudyContents?, _ records: RecordTransaction, peers: [Peer]
    ) throws {
        let known = try records.shipments(study: uid)
        guard let contents else {
            for shipment in known where [.waiting, .refused].contains(shipment.state) {
                try records.setShipment(shipment.id, .withdrawn, answer: "the study is not here any more")
            }
            return
        }
        // What came from elsewhere is not sent on by rule: it would go round in circles.
        let isExternal = try records.externalStudy(uid) != nil
        var chosen: [String: NewShipment] = [:]
        for verdict in isExternal ? [] : try verdicts(contents, records, peers: peers) where verdict.obstacle == nil {
            let new = shipment(contents, verdict)
            // Of several rules for one destination the one that lets it go holds, of these the most urgent.
            if let other = chosen[new.destination], Self.precedes(other, new) { continue }
            chosen[new.destination] = new
        }
        // What a person asked for goes on as it was asked, with what came since.
        for shipment in known where chosen[shipment.destination] == nil && shipment.state != .dropped {
            var again = NewShipment(destination: shipment.destination, studyInstanceUID: uid)
            again.priority = shipment.priority
            again.state = shipment.state == .refused ? .refused : .waiting
            (again.route, again.cause) = (shipment.route, shipment.cause)
            (again.legalBasis, again.transform) = (shipment.legalBasis, shipment.transform)
            (again.instances, again.octets) = (contents.instances.count, contents.octets)
            chosen[shipment.destination] = again
        }
        for new in chosen.values { try put(new, contents, known.first { $0.destination == new.destination }, records) }
    }

    private static func precedes(_ other: NewShipment, _ new: NewShipment) -> Bool {
        if other.state != new.state { return other.state == .waiting }
        return other.priority <= new.priority
    }

    /// Nothing is put for what is all there already.
    private static func put(
        _ new: NewShipment, _ contents: StudyContents, _ known: ShipmentRecord?, _ records: RecordTransaction
    ) throws {
        if let known, [.sent, .committed].contains(known.state) {
            let missing = try missing(contents.instances, of: known, records)
            let tellsCorrection =
                try records.destination(new.destination)?.settings.way == .phim
                && contents.instances.contains { $0.correction != nil }
            if missing.isEmpty, !tellsCorrection { return }
        }
        _ = try records.putShipment(new)
    }

    /// Instances that a destination was not seen to take, or took with other bytes.
    static func missing(
        _ instances: [StoredInstance], of shipment: ShipmentRecord, _ records: RecordTransaction
    ) throws -> [StoredInstance] {
        let shipped = Dictionary(
            uniqueKeysWithValues: try records.shipped(shipment.id).map { ($0.sopInstanceUID, $0.digest) })
        return instances.filter { shipped[$0.sopInstanceUID] != $0.digest }
    }

    private static func shipment(_ contents: StudyContents, _ verdict: RouteVerdict) -> NewShipment {
        var new = NewShipment(
            destination: verdict.route.destination, studyInstanceUID: contents.studyInstanceUID)
        new.priority = verdict.priority
        new.state = verdict.refusal == nil ? .waiting : .refused
        new.route = verdict.route.name
        new.cause = verdict.refusal ?? "rule \(verdict.route.name)"
        new.legalBasis = verdict.route.settings.legalBasis
        new.transform = verdict.route.settings.transform
        (new.instances, new.octets) = (contents.instances.count, contents.octets)
        return new
    }

    private static func verdicts(
        _ contents: StudyContents, _ records: RecordTransaction, peers: [Peer]
    ) throws -> [RouteVerdict] {
        let traits = try contents.traits(records, peers: peers)
        let isUrgent = traits.values[.priority]?.contains("STAT") ?? false
        let today = String(LocalTime.text(records.now).prefix(8))
        return try records.routes().map { route in
            let settings = route.settings
            let own = ShipmentRecord.Priority(word: settings.priority) ?? .normal
            var (obstacle, refusal): (String?, String?)
            do throws(ForwardingFailure) {
                obstacle = try RouteConditions(settings.conditions).failing(traits).map {
                    "the study does not fit \($0)"
                }
            } catch { obstacle = "the rule cannot be read: \(error.sentence)" }
            if !route.isOn { obstacle = "the rule is switched off" }
            if obstacle == nil, let destination = try records.destination(route.destination) {
                refusal = SharingPermission.refusal(
                    destination.settings, legalBasis: settings.legalBasis, today: today)
            }
            return RouteVerdict(
                route: route, obstacle: obstacle, refusal: refusal, priority: isUrgent ? .stat : own)
        }
    }

    // MARK: Changes

    /// Adds or changes a rule. It holds from the next study on; what came before is not looked at again unless asked for.
    package func put(
        route name: String, to destination: String, _ settings: RouteSettings, isOn: Bool = true, by actor: String
    ) throws(ForwardingFailure) {
        _ = try RouteConditions(settings.conditions)
        guard ShipmentRecord.Priority(word: settings.priority) != nil else {
            throw .invalid(field: "priority", reason: "stat, normal or bulk")
        }
        if let objection = OutgoingForms.objection(to: settings.transform) {
            throw .invalid(field: "transform", reason: objection)
        }
        try change(by: actor) { desk in
            guard try desk.records.destination(destination) != nil else {
                throw EncounterFailure.unknown(what: "destination")
            }
            try desk.records.putRoute(name, to: destination, settings, isOn: isOn)
        }
    }

    package func remove(route name: String, by actor: String) throws(ForwardingFailure) {
        try change(by: actor) { try $0.records.removeRoute(name) }
    }

    /// Adds or changes a destination.
    package func put(
        destination name: String, _ settings: DestinationSettings, by actor: String
    ) throws(ForwardingFailure) {
        try Self.check(settings)
        try change(by: actor) { try $0.records.putDestination(name, settings) }
    }

    /// Throws what is wrong with the settings of a destination.
    package static func check(_ settings: DestinationSettings) throws(ForwardingFailure) {
        _ = try Timetable(settings.timetable)
        guard (1...16).contains(settings.lanes) else { throw .invalid(field: "lanes", reason: "1 to 16") }
        for day in [settings.contractFrom, settings.contractUntil] where !day.isEmpty {
            guard LocalTime.instant(day) != nil, day.count == 8 else {
                throw .invalid(field: "contract", reason: "a day as yyyymmdd")
            }
        }
        switch settings.way {
        case .dimse:
            guard !settings.peer.isEmpty else { throw .invalid(field: "peer", reason: "the name of a peer") }
        case .dicomweb, .phim:
            guard settings.url.hasPrefix("https://") || settings.url.hasPrefix("http://") else {
                throw .invalid(field: "url", reason: "an address that begins with https:// or http://")
            }
        }
    }

    package func remove(destination name: String, by actor: String) throws(ForwardingFailure) {
        try change(by: actor) { try $0.records.removeDestination(name) }
    }

    /// Peers of the records and of the configuration; the latter by name only.
    private func knownPeers() throws(ForwardingFailure) -> [Peer] {
        do throws(RecordsError) { return try encounters.records.peers() } catch {
            throw ForwardingFailure(.records(error))
        }
    }

    func look<Value>(_ body: (RecordTransaction) throws -> Value) throws(ForwardingFailure) -> Value {
        do throws(EncounterFailure) { return try encounters.look(body) } catch { throw ForwardingFailure(error) }
    }

    func change<Value>(by actor: String, _ body: (Desk) throws -> Value) throws(ForwardingFailure) -> Value {
        do throws(EncounterFailure) { return try encounters.change(by: actor, body) } catch {
            throw ForwardingFailure(error)
        }
    }
}

extension ShipmentRecord.Priority {
    /// `stat`, `normal` or `bulk`.
    package init?(word: String) {
        switch word.lowercased() {
        case "stat": self = .stat
        case "normal": self = .normal
        case "bulk": self = .bulk
        default: return nil
        }
    }

    package var word: String {
        switch self {
        case .stat: "stat"
        case .normal: "normal"
        case .bulk: "bulk"
        }
    }
}
