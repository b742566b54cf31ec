// What the engine asks of the outbox, and writes down in it.

import Catalog
import Encounters
package import Records
import Volumes

extension Outbox {
    /// A new run: whom the last one could not reach is tried at once.
    package func begin() throws(ForwardingFailure) {
        try hasten()
        try refresh(after: "")
    }

    /// A line, or every line, is tried at once, but what a person or the other side has stopped.
    func hasten(_ destination: String? = nil) throws(ForwardingFailure) {
        try book.change(by: "rule") { try $0.records.forgetDestinationWaits(destination) }
    }

    /// From time to time: no wait outlives a clock that was wrong. On another day than `day` also what may not leave is looked
    /// at again, for a contract may have begun.
    /// - Returns: Today, `yyyymmdd`.
    @discardableResult
    package func refresh(after day: String) throws(ForwardingFailure) -> String {
        try book.change(by: "rule") { desk in
            let today = LocalTime.day(desk.records.now)
            if today != day { try desk.records.markRefused() }
            try desk.records.limitWaits(
                to: Backoff.longest + 60_000_000, ofLine: DeliveryState.waits.upperBound + 60_000_000)
            return today
        }
    }

    /// What may be sent to a destination now; nothing while its line is closed.
    /// - Parameter onlyStat: nothing but what is urgent.
    func due(_ destination: String, onlyStat: Bool, limit: Int) throws(ForwardingFailure) -> [Turn] {
        try book.look { records in
            let today = LocalTime.day(records.now)
            return try records.dueShipments(destination: destination, onlyStat: onlyStat, limit: limit)
                .map { Turn(due: $0, day: today) }
        }
    }

    /// What is due, and the day: a contract may end while a study is under way.
    struct Turn: Hashable, Sendable {
        let due: DueShipment
        let day: String

        var id: Int64 { due.id }
    }

    package func unproven(_ destination: String, limit: Int) throws(ForwardingFailure) -> [ShipmentRecord] {
        try book.look { records in
            guard let line = try records.destination(destination), Self.isOpen(line, records.now) else { return [] }
            return try records.unprovenShipments(destination: destination, limit: limit)
        }
    }

    private static func isOpen(_ line: DestinationRecord, _ now: Int64) -> Bool {
        !line.isPaused && !line.isStopped && line.dueAt <= now
    }

    /// A shipment, and what of it is to be sent now. Nil when it may not leave; that is written down.
    func missing(
        _ id: Int64
    ) throws(ForwardingFailure) -> (shipment: ShipmentRecord, instances: [StoredInstance])? {
        let contents = try StudyContents(try book.look { try $0.shipment(id: id).studyInstanceUID }, catalog)
        return try book.change(by: "rule") { desk in
            let records = desk.records
            let shipment = try records.shipment(id: id)
            guard shipment.state == .waiting, !shipment.isHeld else { return nil }
            guard let contents else {
                try records.setShipment(shipment.id, .withdrawn, answer: "the study is not here any more")
                return nil
            }
            let today = LocalTime.day(records.now)
            if let settings = try records.destination(shipment.destination)?.settings,
                let why = SharingPermission.refusal(settings, legalBasis: shipment.legalBasis, today: today)
            {
                try records.refuseShipment(shipment.id, cause: why)
                return nil
            }
            try contents.measure(shipment, records)
            let trouble = try records.unshipped(shipment.id)
            let later = Set(trouble.filter { $0.dueAt > records.now }.map(\.sopInstanceUID))
            let troubled = Set(trouble.map(\.sopInstanceUID))
            let missing = try RouteBook.missing(contents.instances, of: shipment, records)
                .filter { !later.contains($0.sopInstanceUID) }
            // What made trouble before keeps nothing else waiting.
            let ordered =
                missing.filter { !troubled.contains($0.sopInstanceUID) }
                + missing.filter { troubled.contains($0.sopInstanceUID) }
            return (shipment, ordered)
        }
    }

    /// Everything that could be sent now was: it is sent whole, or something is tried again later.
    func settle(_ id: Int64) throws(ForwardingFailure) {
        let contents = try StudyContents(try book.look { try $0.shipment(id: id).studyInstanceUID }, catalog)
        try book.change(by: "rule") { desk in
            let records = desk.records
            let shipment = try records.shipment(id: id)
            guard shipment.state == .waiting else { return }
            guard let contents else {
                return try records.setShipment(shipment.id, .withdrawn, answer: "the study is not here any more")
            }
            try contents.measure(shipment, records)
            let missing = try RouteBook.missing(contents.instances, of: shipment, records)
            let names = Set(missing.map(\.sopInstanceUID))
            let rows = try records.unshipped(shipment.id)
            // Of objects that are not here any more nothing is tried again.
            try records.forgetUnshipped(
                rows.map(\.sopInstanceUID).filter { !names.contains($0) }, of: shipment.id)
            if missing.isEmpty { return try records.setShipment(shipment.id, .sent, answer: "") }
            let refused = rows.filter { names.contains($0.sopInstanceUID) }
            // What came meanwhile is sent at once.
            guard refused.count == missing.count, let next = refused.map(\.dueAt).min() else { return }
            try records.postponeShipment(
                shipment.id, until: max(next, records.now + 1_000_000),
                answer: "\(missing.count) not taken: \(refused.first?.answer ?? "")", isRefused: true)
        }
    }

    /// How often in a row an attempt at one object may break the line before it is that object's own fault.
    private static let tolerance = 3

    /// Writes down what became of one object.
    /// - Parameters:
    ///   - since: since when the destination was the archive that it left for (`DestinationRecord.changedAt`).
    ///   - closesLine: whether a failure is the whole line's.
    /// - Returns: Whether the object is to be tried again only later, and others before it.
    func note(
        _ result: ParcelOutcome, of parcel: Parcel, since changedAt: Int64, closesLine: Bool = true, chance: Double
    ) throws(ForwardingFailure) -> Bool {
        let words = String(result.outcome.words.prefix(500))
        let (shipment, instance) = (parcel.shipment, parcel.instance)
        if case .taken = result.outcome {
            // After a power cut a few objects go twice, which a receiver takes as the same: that is worth no sync for each.
            try book.note { records in
                let line = try records.destination(shipment.destination)
                if let line, line.changedAt != changedAt {
                    // The archive that took it is not the destination any more.
                    return try records.noteLineOctets(result.lineOctets, of: shipment.id)
                }
                try Self.taken(parcel, lineOctets: result.lineOctets, isExact: result.isExact, records)
                if let line { try Self.reached(line, records) }
            }
            return true
        }
        return try book.change(by: "rule") { desk in
            let records = desk.records
            switch result.outcome {
            case .taken: return true
            case .refused:
                try records.noteLineOctets(result.lineOctets, of: shipment.id)
                if let line = try records.destination(shipment.destination) { try Self.reached(line, records) }
                _ = try Self.setAside(instance, words, from: 0, of: shipment, chance: chance, records)
                return true
            case .unreached:
                try records.noteLineOctets(result.lineOctets, of: shipment.id)
                if closesLine { try Self.close(shipment.destination, after: result.outcome, chance: chance, records) }
                return false
            case .failed:
                try records.noteLineOctets(result.lineOctets, of: shipment.id)
                if closesLine { try Self.close(shipment.destination, after: result.outcome, chance: chance, records) }
                return try Self.setAside(instance, words, from: Self.tolerance, of: shipment, chance: chance, records)
            case .gone:
                try records.noteLineOctets(result.lineOctets, of: shipment.id)
                try Self.close(shipment.destination, after: result.outcome, chance: chance, records)
                return false
            }
        }
    }

    /// The destination has an object, in the form that was asked for when it left. Where another one is asked for since, no
    /// study stays half in the one and half in the other.
    private static func taken(
        _ parcel: Parcel, lineOctets: Int64, isExact: Bool, _ records: RecordTransaction
    ) throws {
        let (id, instance) = (parcel.shipment.id, parcel.instance)
        let (was, now) = (parcel.shipment.transform.deidentification, try records.shipment(id: id))
        if was != now.transform.deidentification, !was.isEmpty {
            // Under a name of its own, it is nothing of what is asked for now: that is sent whole.
            return try records.noteLineOctets(lineOctets, of: id)
        }
        try records.noteShipped(
            instance.sopInstanceUID, digest: instance.digest, revision: instance.correctionRevision,
            octets: instance.place.length, lineOctets: lineOctets, isExact: isExact, of: id)
        if was != now.transform.deidentification, now.state == .waiting {
            // In the form in which it began: whoever looks at it next finds it so.
            try records.refuseShipment(
                id, cause: "part of it was sent before de-identification was asked for",
                transform: parcel.shipment.transform)
        }
    }

    /// Counts against one object; from so many times on it waits, longer with each.
    private static func setAside(
        _ instance: StoredInstance, _ words: String, from tolerance: Int, of shipment: ShipmentRecord, chance: Double,
        _ records: RecordTransaction
    ) throws -> Bool {
        let known = try records.unshipped(shipment.id).first { $0.sopInstanceUID == instance.sopInstanceUID }
        let times = (known?.refusals ?? 0) + 1
        let wait = times < tolerance ? 0 : Backoff.wait(after: times, chance: chance)
        try records.noteUnshipped(
            instance.sopInstanceUID, answer: words, refusals: times, dueAt: records.now + wait, of: shipment.id)
        return wait > 0
    }

    /// The destination answers. That a person stopped it, or that it wants nothing any more, stays so.
    private static func reached(_ line: DestinationRecord, _ records: RecordTransaction) throws {
        if !line.isStopped, line.failures > 0 || records.now - (line.reachedAt ?? 0) > 10_000_000 {
            try records.openDestination(line.name, isReached: true)
        }
    }

    /// It could not be asked.
    func close(_ destination: String, after outcome: DeliveryOutcome, chance: Double) throws(ForwardingFailure) {
        try book.change(by: "rule") { try Self.close(destination, after: outcome, chance: chance, $0.records) }
    }

    /// Nothing gets through: the whole line waits, longer with every time.
    static func close(
        _ destination: String, after outcome: DeliveryOutcome, chance: Double, _ records: RecordTransaction
    ) throws {
        // Who said that nothing more is to come is asked again when a person says so.
        guard let line = try records.destination(destination), !line.isStopped else { return }
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
    /// - Parameter changedAt: since when the destination was the archive that was asked.
    /// - Returns: False when the shipment is to leave in another form by now, or to another archive; then nothing is written
    ///   down.
    func noteHeld(
        _ instances: [StoredInstance], of shipment: ShipmentRecord, since changedAt: Int64
    ) throws(ForwardingFailure) -> Bool {
        try book.change(by: "rule") { desk in
            let line = try desk.records.destination(shipment.destination)
            if let line, line.changedAt != changedAt { return false }
            guard try desk.records.shipment(id: shipment.id).transform == shipment.transform else { return false }
            if instances.isEmpty { return true }
            for instance in instances {
                try desk.records.noteShipped(
                    instance.sopInstanceUID, digest: instance.digest, revision: instance.correctionRevision,
                    octets: instance.place.length, lineOctets: 0, isExact: true, of: shipment.id)
            }
            if let line { try Self.reached(line, desk.records) }
            return true
        }
    }
}

/// How long one object, or one question, waits after it came to nothing.
enum Backoff {
    /// A day, in microseconds.
    static let longest: Int64 = 86_400_000_000

    /// Doubles with every time, from a second to a day.
    /// - Parameter chance: 0 to 1; it shortens the wait by up to a half.
    static func wait(after times: Int, chance: Double) -> Int64 {
        let full = min(1_000_000 << Int64(min(max(times, 1) - 1, 24)), longest)
        return max(1_000_000, full - Int64(Double(full) * 0.5 * min(max(chance, 0), 1)))
    }
}
