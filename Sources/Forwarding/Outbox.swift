// The outbox, and what a person does with it.

package import Catalog
package import Encounters
package import Records

/// The outbox of one archive. Calls block: make them on plain threads.
package struct Outbox: Sendable {
    package let catalog: CatalogStore
    package let encounters: Encounters
    var book: RouteBook { RouteBook(catalog: catalog, encounters: encounters) }

    package init(catalog: CatalogStore, encounters: Encounters) {
        self.catalog = catalog
        self.encounters = encounters
    }

    /// Puts a study into the outbox because a person asked for it, whatever the rules say. What is missing there is sent.
    /// - Parameters:
    ///   - legalBasis: empty: the one that it was put with before.
    ///   - transform: one that changes nothing: the one that it was put with before.
    package func send(
        study uid: String, to destination: String, priority: ShipmentRecord.Priority = .normal,
        legalBasis: String = "", transform: ShipmentTransform = ShipmentTransform(), by actor: String
    ) throws(ForwardingFailure) -> ShipmentRecord {
        if let why = OutgoingForms.objection(to: transform) { throw .invalid(field: "transform", reason: why) }
        guard let contents = try StudyContents(uid, catalog) else { throw .unknown(what: "study") }
        return try book.change(by: actor) { desk in
            let records = desk.records
            guard let target = try records.destination(destination) else {
                throw EncounterFailure.unknown(what: "destination")
            }
            let known = try records.shipment(destination: target.name, study: uid)
            var new = NewShipment(destination: target.name, studyInstanceUID: uid)
            new.priority = priority
            new.cause = "\(actor) asked for it"
            new.legalBasis = legalBasis.trimmed.isEmpty ? known?.legalBasis ?? "" : legalBasis
            new.transform = transform == ShipmentTransform() ? known?.transform ?? transform : transform
            (new.instances, new.octets) = (contents.instances.count, contents.octets)
            try Self.permit(target, new.legalBasis, records)
            if let known {
                (new.instances, new.octets) = try contents.extent(of: known, records)
                guard known.sentInstances == 0 || known.transform == new.transform else {
                    throw EncounterFailure.conflict(
                        reason: "Part of it was sent there in another form; send it to a destination of another name")
                }
                if [.sent, .committed].contains(known.state),
                    try RouteBook.missing(contents.instances, of: known, records).isEmpty
                {
                    return known
                }
                if known.state == .dropped { try records.setShipment(known.id, .waiting, answer: "") }
            }
            let shipment = try records.putShipment(new)
            try records.hastenShipments(destination: target.name, id: shipment.id)
            return shipment
        }
    }

    private static func permit(
        _ destination: DestinationRecord?, _ legalBasis: String, _ records: RecordTransaction
    ) throws {
        guard let settings = destination?.settings,
            let why = SharingPermission.refusal(
                settings, legalBasis: legalBasis, today: LocalTime.day(records.now))
        else { return }
        throw EncounterFailure.conflict(reason: "Not sent: \(why)")
    }

    /// What the rules are asked of a study with, read before the records are changed.
    private struct Grounds {
        /// Nil when the study is not here any more.
        let contents: StudyContents?
        let peers: [Peer]
    }

    private func grounds(of id: Int64) throws(ForwardingFailure) -> Grounds {
        let study = try book.look { try $0.shipment(id: id).studyInstanceUID }
        return Grounds(contents: try StudyContents(study, catalog), peers: try book.knownPeers())
    }

    /// A shipment waits again, if it may leave; one of a rule only if the rules let it: they may ask for another form by now
    /// than it was put with, and than part of it left in.
    private static func letGo(
        _ shipment: ShipmentRecord, _ grounds: Grounds, answer: String, _ records: RecordTransaction
    ) throws {
        try records.setShipment(shipment.id, .waiting, answer: answer)
        if !shipment.route.isEmpty, let contents = grounds.contents {
            try RouteBook.judge(shipment.studyInstanceUID, contents, records, peers: grounds.peers)
        }
        let now = try records.shipment(id: shipment.id)
        if now.state == .refused { throw EncounterFailure.conflict(reason: "Not sent: \(now.cause)") }
        try permit(try records.destination(now.destination), now.legalBasis, records)
    }

    /// Sends everything of a study that is here again, also what the destination has taken; of what was given up here it stays
    /// known where it is. Throws `.conflict` for a study that is not here.
    package func resend(_ id: Int64, by actor: String) throws(ForwardingFailure) {
        let grounds = try grounds(of: id)
        try book.change(by: actor) { desk in
            let shipment = try desk.records.shipment(id: id)
            guard let contents = grounds.contents, try !desk.records.isPurged(study: shipment.studyInstanceUID) else {
                throw EncounterFailure.conflict(reason: "Its images are not here: there is nothing to send again")
            }
            try Self.letGo(shipment, grounds, answer: "\(actor) asked for all of it again", desk.records)
            let here = Set(contents.instances.map(\.sopInstanceUID))
            let taken = try desk.records.shipped(id).map(\.sopInstanceUID).filter(here.contains)
            try desk.records.forgetShipped(taken, of: id)
            try desk.records.hastenShipments(destination: shipment.destination, id: id)
        }
    }

    /// Nothing of a shipment is sent until it is let go again.
    package func hold(_ id: Int64, _ isHeld: Bool, by actor: String) throws(ForwardingFailure) {
        try book.change(by: actor) { try $0.records.reorderShipment(id, isHeld: isHeld) }
    }

    /// Another turn: a priority, or the first or last place within it.
    package func reorder(
        _ id: Int64, priority: ShipmentRecord.Priority? = nil, isFirst: Bool? = nil, by actor: String
    ) throws(ForwardingFailure) {
        try book.change(by: actor) { desk in
            // Seconds count down: of two that were put first the later one goes first.
            let turn = Int(desk.records.now / 1_000_000)
            try desk.records.reorderShipment(id, priority: priority, rank: isFirst.map { $0 ? -turn : turn })
        }
    }

    /// Tries a shipment again at once, and its destination.
    package func retry(_ id: Int64, by actor: String) throws(ForwardingFailure) {
        let grounds = try grounds(of: id)
        try book.change(by: actor) { desk in
            let shipment = try desk.records.shipment(id: id)
            switch shipment.state {
            case .waiting, .sent: break
            case .refused, .dropped: try Self.letGo(shipment, grounds, answer: "", desk.records)
            case .committed, .withdrawn:
                throw EncounterFailure.conflict(
                    reason: "This shipment is \(shipment.state.rawValue); nothing is left to send")
            }
            try desk.records.hastenShipments(destination: shipment.destination, id: id)
            try desk.records.openDestination(shipment.destination, isReached: false)
        }
    }

    /// Tries everything for a destination again at once.
    package func retry(destination: String, by actor: String) throws(ForwardingFailure) {
        try book.change(by: actor) { desk in
            try desk.records.hastenShipments(destination: destination)
            try desk.records.markRefused(destination: destination)
            try desk.records.openDestination(destination, isReached: false)
        }
    }

    /// A shipment is not sent any more; what was sent stays there.
    package func drop(_ id: Int64, reason: String, by actor: String) throws(ForwardingFailure) {
        try book.change(by: actor) { desk in
            let shipment = try desk.records.shipment(id: id)
            guard [.waiting, .refused, .sent].contains(shipment.state) else {
                throw EncounterFailure.conflict(reason: "This shipment is \(shipment.state.rawValue) already")
            }
            let words = "dropped by \(actor)" + (reason.isEmpty ? "" : ": \(reason)")
            try desk.records.setShipment(id, .dropped, answer: words)
        }
    }

    /// Nothing goes to a destination until it is let go again.
    package func pause(destination: String, _ isPaused: Bool, by actor: String) throws(ForwardingFailure) {
        try book.change(by: actor) { try $0.records.pauseDestination(destination, isPaused) }
    }
}
