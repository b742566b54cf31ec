// The outbox: what a person does with it, what is told of it, and what the engine writes down.

package import Catalog
package import Encounters
import Foundation
package import Records
import Volumes

/// The outbox of one archive. Calls block: make them on plain threads.
package struct Outbox: Sendable {
    package let catalog: CatalogStore
    package let encounters: Encounters
    var book: RouteBook { RouteBook(catalog: catalog, encounters: encounters) }

    package init(catalog: CatalogStore, encounters: Encounters) {
        self.catalog = catalog
        self.encounters = encounters
    }

    // MARK: By hand

    /// Puts a study into the outbox because a person asked for it, whatever the rules say. What is missing there is sent.
    package func send(
        study uid: String, to destination: String, priority: ShipmentRecord.Priority = .normal,
        legalBasis: String = "", transform: ShipmentTransform = ShipmentTransform(), by actor: String
    ) throws(ForwardingFailure) -> ShipmentRecord {
        guard let contents = try StudyContents(uid, catalog) else { throw .unknown(what: "study") }
        return try book.change(by: actor) { desk in
            guard let known = try desk.records.destination(destination) else {
                throw EncounterFailure.unknown(what: "destination")
            }
            let today = String(LocalTime.text(desk.records.now).prefix(8))
            if let why = SharingPermission.refusal(known.settings, legalBasis: legalBasis, today: today) {
                throw EncounterFailure.conflict(reason: "Not sent: \(why)")
            }
            if let old = try desk.records.shipment(destination: known.name, study: uid), old.state == .dropped {
                try desk.records.setShipment(old.id, .waiting, answer: "")
            }
            var new = NewShipment(destination: known.name, studyInstanceUID: uid)
            new.priority = priority
            new.cause = "\(actor) asked for it"
            (new.legalBasis, new.transform) = (legalBasis, transform)
            (new.instances, new.octets) = (contents.instances.count, contents.octets)
            let shipment = try desk.records.putShipment(new)
            try desk.records.hastenShipments(destination: known.name, id: shipment.id)
            return shipment
        }
    }

    /// Sends everything of a study again, also what the destination has taken.
    package func resend(_ id: Int64, by actor: String) throws(ForwardingFailure) {
        try book.change(by: actor) { desk in
            let shipment = try desk.records.shipment(id: id)
            let taken = try desk.records.shipped(id).map(\.sopInstanceUID)
            try desk.records.forgetShipped(taken, of: id)
            try desk.records.setShipment(id, .waiting, answer: "\(actor) asked for all of it again")
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
        try book.change(by: actor) { desk in
            let shipment = try desk.records.shipment(id: id)
            switch shipment.state {
            case .waiting, .sent: break
            case .refused, .dropped:
                let destination = try desk.records.destination(shipment.destination)
                let today = String(LocalTime.text(desk.records.now).prefix(8))
                if let settings = destination?.settings,
                    let why = SharingPermission.refusal(settings, legalBasis: shipment.legalBasis, today: today)
                {
                    throw EncounterFailure.conflict(reason: "Not sent: \(why)")
                }
                try desk.records.setShipment(id, .waiting, answer: "")
            case .committed, .withdrawn:
                throw EncounterFailure.conflict(reason: "This shipment is \(shipment.state.rawValue); nothing is left to send")
            }
            try desk.records.hastenShipments(destination: shipment.destination, id: id)
            try desk.records.openDestination(shipment.destination, isReached: false)
        }
    }

    /// Tries everything for a destination again at once.
    package func retry(destination: String, by actor: String) throws(ForwardingFailure) {
        try book.change(by: actor) { desk in
            try desk.records.hastenShipments(destination: destination)
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

    // MARK: What is told of it

    /// Where a study is on its way to every destination, and why no further: one line each.
    package func explain(study uid: String) throws(ForwardingFailure) -> [String] {
        let verdicts: [RouteVerdict]
        do throws(ForwardingFailure) { verdicts = try book.explain(study: uid) } catch {
            guard case .unknown = error else { throw error }
            verdicts = []
        }
        return try book.look { records in
            let shipments = try records.shipments(study: uid)
            var lines = try shipments.map { try Self.line($0, records) }
            let named = Set(shipments.map(\.route))
            for verdict in verdicts where !named.contains(verdict.route.name) {
                guard !shipments.contains(where: { $0.destination == verdict.route.destination }) else { continue }
                let why = verdict.obstacle ?? verdict.refusal ?? "it is looked at in a moment"
                lines.append("\(verdict.route.destination): not sent by rule \(verdict.route.name): \(why)")
            }
            if lines.isEmpty {
                lines.append(verdicts.isEmpty ? "no rule, and nobody asked for it" : "no rule fits, and nobody asked for it")
            }
            if let external = try records.externalStudy(uid) {
                lines.append("it came from \(external.source): rules do not send it on")
            }
            return lines
        }
    }

    static func line(_ shipment: ShipmentRecord, _ records: RecordTransaction) throws -> String {
        let counts = "\(shipment.sentInstances) of \(shipment.instances) sent"
        let start = "\(shipment.destination): \(shipment.state.rawValue), \(counts)"
        switch shipment.state {
        case .committed: return "\(start), proven \(Self.time(shipment.committedAt)) by \(shipment.proof)"
        case .refused: return "\(start): \(shipment.cause)"
        case .dropped, .withdrawn: return "\(start): \(shipment.answer)"
        case .sent:
            let tail = shipment.answer.isEmpty ? "" : ": \(shipment.answer)"
            return "\(start) at \(Self.time(shipment.sentAt)), not proven\(tail)"
        case .waiting: break
        }
        if shipment.isHeld { return "\(start): held by a person" }
        guard let destination = try records.destination(shipment.destination) else {
            return "\(start): there is no such destination any more"
        }
        if destination.isPaused { return "\(start): the destination is paused by a person" }
        if destination.isStopped { return "\(start): the destination wants nothing any more: \(destination.reason)" }
        if destination.failures > 0 {
            return "\(start): nothing gets through since \(Self.time(destination.since)) (\(destination.reason)); "
                + "tried again \(Self.time(destination.dueAt))"
        }
        if shipment.dueAt > records.now {
            return "\(start): \(shipment.answer); tried again \(Self.time(shipment.dueAt))"
        }
        let ahead = try records.shipmentsAhead(of: shipment)
        return ahead == 0 ? "\(start): next in line" : "\(start): \(ahead) more urgent or smaller studies go first"
    }

    /// `yyyy-mm-dd HH:MM`, local.
    static func time(_ instant: Int64?) -> String {
        guard let instant else { return "never" }
        let text = Array(LocalTime.text(instant))
        return "\(String(text[0..<4]))-\(String(text[4..<6]))-\(String(text[6..<8])) \(String(text[8..<10])):\(String(text[10..<12]))"
    }

    // MARK: What the engine writes down

    /// A new run: whom the last one could not reach is tried at once.
    package func begin() throws(ForwardingFailure) {
        try book.change(by: "rule") { try $0.records.forgetDestinationWaits() }
    }

    /// What may be sent to a destination now; nothing while its line is closed.
    /// - Parameter onlyStat: nothing but what is urgent.
    func due(_ destination: String, onlyStat: Bool, limit: Int) throws(ForwardingFailure) -> [ShipmentRecord] {
        try book.look { records in
            guard let line = try records.destination(destination), Self.isOpen(line, records.now) else { return [] }
            return try records.dueShipments(destination: destination, limit: limit).filter {
                !onlyStat || $0.priority == .stat
            }
        }
    }

    func unproven(_ destination: String, limit: Int) throws(ForwardingFailure) -> [ShipmentRecord] {
        try book.look { records in
            guard let line = try records.destination(destination), Self.isOpen(line, records.now) else { return [] }
            return try records.unprovenShipments(destination: destination, limit: limit)
        }
    }

    private static func isOpen(_ line: DestinationRecord, _ now: Int64) -> Bool {
        !line.isPaused && !line.isStopped && line.dueAt <= now
    }

    /// What of a shipment is to be sent now. Nil when it may not leave; that is written down.
    func missing(_ shipment: ShipmentRecord) throws(ForwardingFailure) -> [StoredInstance]? {
        let contents = try StudyContents(shipment.studyInstanceUID, catalog)
        return try book.change(by: "rule") { desk in
            let records = desk.records
            let shipment = try records.shipment(id: shipment.id)
            guard shipment.state == .waiting, !shipment.isHeld else { return nil }
            guard let contents else {
                try records.setShipment(shipment.id, .withdrawn, answer: "the study is not here any more")
                return nil
            }
            let today = String(LocalTime.text(records.now).prefix(8))
            if let settings = try records.destination(shipment.destination)?.settings,
                let why = SharingPermission.refusal(settings, legalBasis: shipment.legalBasis, today: today)
            {
                try records.refuseShipment(shipment.id, cause: why)
                return nil
            }
            try records.measureShipment(
                shipment.id, instances: contents.instances.count, octets: contents.octets)
            let later = Set(
                try records.unshipped(shipment.id).filter { $0.dueAt > records.now }.map(\.sopInstanceUID))
            return try RouteBook.missing(contents.instances, of: shipment, records)
                .filter { !later.contains($0.sopInstanceUID) }
        }
    }

    /// Everything that could be sent now was: it is sent whole, or something is tried again later.
    func settle(_ shipment: ShipmentRecord) throws(ForwardingFailure) {
        let contents = try StudyContents(shipment.studyInstanceUID, catalog)
        try book.change(by: "rule") { desk in
            let records = desk.records
            let shipment = try records.shipment(id: shipment.id)
            guard shipment.state == .waiting else { return }
            guard let contents else {
                return try records.setShipment(shipment.id, .withdrawn, answer: "the study is not here any more")
            }
            let missing = try RouteBook.missing(contents.instances, of: shipment, records)
            let refused = try records.unshipped(shipment.id)
            if missing.isEmpty { return try records.setShipment(shipment.id, .sent, answer: "") }
            let names = Set(refused.map(\.sopInstanceUID))
            // What came meanwhile is sent at once.
            guard missing.allSatisfy({ names.contains($0.sopInstanceUID) }) else { return }
            guard let next = refused.map(\.dueAt).min() else { return }
            try records.postponeShipment(
                shipment.id, until: max(next, records.now + 1_000_000),
                answer: "\(missing.count) not taken: \(refused.first?.answer ?? "")", isRefused: true)
        }
    }

    /// Writes down what became of one object.
    func note(_ result: ParcelOutcome, of parcel: Parcel, chance: Double) throws(ForwardingFailure) {
        let words = String(result.outcome.words.prefix(500))
        let (shipment, instance) = (parcel.shipment, parcel.instance)
        try book.change(by: "rule") { desk in
            let records = desk.records
            switch result.outcome {
            case .taken:
                try records.noteShipped(
                    instance.sopInstanceUID, digest: instance.digest, octets: instance.place.length,
                    lineOctets: result.lineOctets, of: shipment.id)
                if try records.destination(shipment.destination)?.failures != 0 {
                    try records.openDestination(shipment.destination, isReached: true)
                }
            case .refused:
                let known = try records.unshipped(shipment.id).first { $0.sopInstanceUID == instance.sopInstanceUID }
                var state = DeliveryState(refusals: known?.refusals ?? 0, failures: 0)
                guard case .postponeNotice(let wait) = state.step(after: result.outcome, chance: chance) else { return }
                try records.noteUnshipped(
                    instance.sopInstanceUID, answer: words, refusals: state.refusals, dueAt: records.now + wait,
                    of: shipment.id)
                try records.noteLineOctets(result.lineOctets, of: shipment.id)
            case .unreached, .failed, .gone:
                try records.noteLineOctets(result.lineOctets, of: shipment.id)
                try Self.close(shipment.destination, after: result.outcome, chance: chance, records)
            }
        }
    }

    /// Nothing gets through: the whole line waits, longer with every time.
    static func close(
        _ destination: String, after outcome: DeliveryOutcome, chance: Double, _ records: RecordTransaction
    ) throws {
        guard let line = try records.destination(destination) else { return }
        // Several lanes lose one line together: that is one failure.
        if line.failures > 0, line.dueAt > records.now { return }
        var state = DeliveryState(refusals: 0, failures: line.failures)
        let words = String(outcome.words.prefix(500))
        switch state.step(after: outcome, chance: chance) {
        case .postponeLine(let wait):
            try records.closeDestination(
                destination, failures: state.failures, dueAt: records.now + wait, isStopped: false, reason: words)
        case .stop:
            try records.closeDestination(
                destination, failures: state.failures, dueAt: records.now, isStopped: true, reason: words)
        case .end, .postponeNotice: break
        }
    }

    /// The destination has these already, byte for byte: nothing goes over the line for them.
    func noteHeld(_ instances: [StoredInstance], of shipment: ShipmentRecord) throws(ForwardingFailure) {
        if instances.isEmpty { return }
        try book.change(by: "rule") { desk in
            for instance in instances {
                try desk.records.noteShipped(
                    instance.sopInstanceUID, digest: instance.digest, octets: instance.place.length, lineOctets: 0,
                    of: shipment.id)
            }
        }
    }
}
