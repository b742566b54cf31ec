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

    /// Studies looked at in one pass.
    package static let pass = 32
    /// A study that cannot be looked at is left alone for so long, in microseconds.
    private static let pause: Int64 = 60_000_000

    /// Looks at studies that are marked, so many at most, and puts into the outbox what the rules say. One that cannot be
    /// looked at keeps no other waiting.
    /// - Returns: How many were looked at.
    @discardableResult
    package func judge() throws(ForwardingFailure) -> Int {
        let (marked, hasRules) = try look { records in
            (try records.markedForwarding(limit: Self.pass), try !records.routes().isEmpty)
        }
        if marked.isEmpty { return 0 }
        let peers = try knownPeers()
        var failure: ForwardingFailure?
        var failed = 0
        for (uid, marks) in marked {
            do throws(ForwardingFailure) {
                let isConcerned = try look { try hasRules || !$0.shipments(study: uid).isEmpty }
                let contents = isConcerned ? try StudyContents(uid, catalog) : nil
                try change(by: "rule") { desk in
                    if isConcerned { try Self.judge(uid, contents, desk.records, peers: peers) }
                    try desk.records.unmarkForwarding(study: uid, marks: marks)
                }
            } catch {
                failure = error
                failed += 1
                try change(by: "rule") { try $0.records.postponeForwarding(study: uid, by: Self.pause) }
            }
        }
        if let failure, failed == marked.count { throw failure }
        return marked.count
    }

    static func judge(
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
        if try records.externalStudy(uid) != nil { return }
        var chosen: [String: NewShipment] = [:]
        for verdict in try verdicts(contents, records, peers: peers) where verdict.obstacle == nil {
            let new = shipment(contents, verdict)
            // Of several rules for one destination the one that lets it go holds, of these the most urgent.
            if let other = chosen[new.destination], Self.precedes(other, new) { continue }
            chosen[new.destination] = new
        }
        for shipment in known {
            let new = chosen.removeValue(forKey: shipment.destination)
            try goOn(shipment, new, contents, records)
        }
        for new in chosen.values { _ = try records.putShipment(new) }
    }

    private static func precedes(_ other: NewShipment, _ new: NewShipment) -> Bool {
        if other.state != new.state { return other.state == .waiting }
        return other.priority <= new.priority
    }

    /// What was put before goes on as it was put, with what came since; a rule says anew only of what has not begun.
    private static func goOn(
        _ known: ShipmentRecord, _ new: NewShipment?, _ contents: StudyContents, _ records: RecordTransaction
    ) throws {
        if known.state == .dropped { return }
        let settings = try records.destination(known.destination)?.settings
        var next = NewShipment(known, contents)
        let hasBegun = known.sentInstances > 0
        if let new, new.state == .waiting {
            next.priority = min(known.priority, new.priority)
            if !known.route.isEmpty || [.refused, .withdrawn].contains(known.state) {
                next.route = new.route
                if !hasBegun {
                    (next.cause, next.legalBasis) = (new.cause, new.legalBasis)
                    if known.transform.deidentification.isEmpty || !new.transform.deidentification.isEmpty {
                        next.transform = new.transform
                    }
                } else if !new.transform.deidentification.isEmpty, known.transform.deidentification.isEmpty {
                    next.state = .refused
                    next.cause = "part of it was sent before rule \(new.route) asked for de-identification"
                }
            }
        } else if !known.route.isEmpty {
            // Its rule is gone or switched off: nothing more of it is sent.
            guard try records.routes().contains(where: { $0.name == known.route && $0.isOn }) else { return }
        }
        let today = LocalTime.day(records.now)
        if next.state == .waiting, let settings,
            let why = SharingPermission.refusal(settings, legalBasis: next.legalBasis, today: today)
        {
            if known.state == .refused { return }
            // Listing it says so; what was sent stays proven.
            (next.state, next.cause) = (.refused, why)
        }
        if [.sent, .committed].contains(known.state), try missing(contents.instances, of: known, records).isEmpty {
            return try contents.measure(known, records)
        }
        (next.instances, next.octets) = try contents.extent(of: known, records)
        _ = try records.putShipment(next)
    }

    /// Instances that a destination was not seen to take, took with other bytes, or knows otherwise than they are said to be
    /// now.
    static func missing(
        _ instances: [StoredInstance], of shipment: ShipmentRecord, _ records: RecordTransaction
    ) throws -> [StoredInstance] {
        let shipped = Dictionary(
            uniqueKeysWithValues: try records.shipped(shipment.id).map { ($0.sopInstanceUID, $0) })
        return instances.filter { instance in
            guard let there = shipped[instance.sopInstanceUID] else { return true }
            return there.digest != instance.digest || there.revision != instance.correctionRevision
        }
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
        let today = LocalTime.day(records.now)
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
            try desk.records.markRefused(destination: destination)
        }
    }

    package func remove(route name: String, by actor: String) throws(ForwardingFailure) {
        try change(by: actor) { try $0.records.removeRoute(name) }
    }

    /// Adds or changes a destination.
    package func put(
        destination name: String, _ settings: DestinationSettings, by actor: String
    ) throws(ForwardingFailure) {
        try change(destination: name, by: actor) { $0 = settings }
    }

    /// Adds a destination, or changes of one that is there what is to be changed: what the engine learns of it meanwhile is
    /// not lost.
    /// - Parameter body: is given the settings as they are, new ones where there is no such destination.
    package func change(
        destination name: String, by actor: String,
        _ body: (inout DestinationSettings) throws(EncounterFailure) -> Void
    ) throws(ForwardingFailure) {
        try change(by: actor) { desk in
            let known = try desk.records.destination(name)
            var settings = known?.settings ?? DestinationSettings()
            try body(&settings)
            do throws(ForwardingFailure) { try Self.check(settings) } catch {
                guard case .invalid(let field, let reason) = error else {
                    throw EncounterFailure.conflict(reason: error.sentence)
                }
                throw EncounterFailure.invalid(field: field, reason: reason)
            }
            try desk.records.putDestination(known?.name ?? name, settings)
            try desk.records.markRefused(destination: name)
        }
    }

    /// The key of a destination's receipts is learnt anew at the next contact, also where the configuration file says what
    /// the destination is: the key never stood there.
    package func forgetReceiptKey(destination name: String, by actor: String) throws(ForwardingFailure) {
        try change(by: actor) { desk in
            guard let known = try desk.records.destination(name) else {
                throw EncounterFailure.unknown(what: "destination")
            }
            var settings = known.settings
            settings.receiptKey = ""
            try desk.records.putDestination(known.name, settings)
        }
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
    func knownPeers() throws(ForwardingFailure) -> [Peer] {
        do throws(RecordsError) { return try encounters.records.peers() } catch {
            throw ForwardingFailure(.records(error))
        }
    }

    func look<Value>(_ body: (RecordTransaction) throws -> Value) throws(ForwardingFailure) -> Value {
        do throws(EncounterFailure) { return try encounters.look(body) } catch { throw ForwardingFailure(error) }
    }

    /// A change that a power cut may take back.
    func note(_ body: (RecordTransaction) throws -> Void) throws(ForwardingFailure) {
        do { try encounters.records.lightTransaction(body) } catch let error as RecordsError {
            throw ForwardingFailure(.records(error))
        } catch {
            throw .unavailable(reason: "The archive's records failed")
        }
    }

    func change<Value>(by actor: String, _ body: (Desk) throws -> Value) throws(ForwardingFailure) -> Value {
        do throws(EncounterFailure) { return try encounters.change(by: actor, body) } catch {
            throw ForwardingFailure(error)
        }
    }
}

extension StoredInstance {
    /// Of what is said of its study otherwise than its bytes do; 0: nothing.
    var correctionRevision: Int64 { correction?.revision ?? 0 }
}

extension NewShipment {
    /// A shipment as it is, of what is in the study now.
    fileprivate init(_ known: ShipmentRecord, _ contents: StudyContents) {
        self.init(destination: known.destination, studyInstanceUID: known.studyInstanceUID)
        priority = known.priority
        (route, cause) = (known.route, known.cause)
        (legalBasis, transform) = (known.legalBasis, known.transform)
        (instances, octets) = (contents.instances.count, contents.octets)
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
