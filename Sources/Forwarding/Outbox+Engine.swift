// What the engine asks of the outbox, and writes down in it.

import Catalog
import Encounters
import Records
import Volumes

extension Outbox {
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
