// What goes to one destination next: asked for one object at a time, so that what is urgent waits for one object only.

import Catalog
import Records

/// The line of one destination, in memory; what is durable of it are its shipments. A shipment's objects are listed when its
/// turn comes, and only once the destination was asked what it has.
package actor ParcelQueue {
    /// A shipment whose turn has come.
    private struct Load {
        let shipment: ShipmentRecord
        let forms: Set<ObjectForm>
        /// What is to be sent, the next at the end.
        var remaining: [StoredInstance]
        var underWay = 0
    }

    /// Objects of this many shipments are listed at a time.
    private static let mostLoads = 16

    private let destination: String
    private let outbox: Outbox
    private let carrier: any Carrier
    private let blocking: BlockingCalls
    private var loads: [Int64: Load] = [:]
    /// Shipments that are being listed, or settled.
    private var busy: Set<Int64> = []

    package init(destination: String, outbox: Outbox, carrier: any Carrier, blocking: BlockingCalls) {
        self.destination = destination
        self.outbox = outbox
        self.carrier = carrier
        self.blocking = blocking
    }

    /// The next object; nil while there is nothing to send now.
    package func next(onlyStat: Bool) async throws -> Parcel? {
        let (outbox, destination) = (outbox, destination)
        let first = try await blocking.run { try outbox.first(destination, onlyStat: onlyStat) }
        guard let first else {
            loads = loads.filter { $0.value.underWay > 0 }
            return nil
        }
        // Most of the time it is the one that is being sent.
        if let shipment = loads[first]?.shipment, !busy.contains(first), let parcel = take(shipment) { return parcel }
        let due = try await blocking.run {
            try outbox.due(destination, onlyStat: onlyStat, limit: Self.mostLoads)
        }
        let names = Set(due.map(\.id))
        // Held, dropped or postponed meanwhile: listed anew when it is due again.
        loads = loads.filter { names.contains($0.key) || $0.value.underWay > 0 }
        for shipment in due where !busy.contains(shipment.id) {
            if loads[shipment.id] == nil {
                guard try await load(shipment) else { return nil }
            }
            if let parcel = take(shipment) { return parcel }
            try await settle(shipment)
        }
        return nil
    }

    /// In place: a copy of a load would copy the list of a whole study for each object.
    private func take(_ shipment: ShipmentRecord) -> Parcel? {
        guard let instance = loads[shipment.id]?.remaining.popLast() else { return nil }
        loads[shipment.id]?.underWay += 1
        return Parcel(shipment: shipment, instance: instance, forms: loads[shipment.id]?.forms ?? [])
    }

    /// Lists what of a shipment is missing there. False when the line is lost.
    private func load(_ shipment: ShipmentRecord) async throws -> Bool {
        busy.insert(shipment.id)
        defer { busy.remove(shipment.id) }
        let outbox = outbox
        guard var missing = try await blocking.run({ try outbox.missing(shipment) }) else { return true }
        switch await carrier.held(of: shipment, missing) {
        case .unknown: break
        case .held(let held):
            let there = missing.filter { held.contains($0.sopInstanceUID) }
            missing.removeAll { held.contains($0.sopInstanceUID) }
            try await blocking.run { try outbox.noteHeld(there, of: shipment) }
        case .failed(let why):
            guard !Task.isCancelled else { return false }
            let destination = destination
            try await blocking.run { try outbox.close(destination, after: why, chance: Double.random(in: 0...1)) }
            return false
        }
        loads[shipment.id] = Load(
            shipment: shipment,
            forms: Set(
                missing.map { ObjectForm(sopClassUID: $0.sopClassUID, transferSyntaxUID: $0.transferSyntaxUID) }),
            remaining: missing.reversed())
        return true
    }

    /// All of its objects are gone from the list.
    private func settle(_ shipment: ShipmentRecord) async throws {
        guard let load = loads[shipment.id], load.remaining.isEmpty, load.underWay == 0 else { return }
        busy.insert(shipment.id)
        defer { busy.remove(shipment.id) }
        loads[shipment.id] = nil
        let outbox = outbox
        try await blocking.run { try outbox.settle(shipment) }
    }

    /// What became of an object. Durable when this returns.
    /// - Parameter closesLine: whether a failure is the whole line's.
    package func note(_ result: ParcelOutcome, of parcel: Parcel, closesLine: Bool = true) async throws {
        let outbox = outbox
        var isDone = false
        defer { done(parcel, isDone: isDone) }
        isDone = try await blocking.run {
            try outbox.note(result, of: parcel, closesLine: closesLine, chance: Double.random(in: 0...1))
        }
    }

    /// Nothing became of an object, and nobody is to blame: it goes back to where it was.
    func giveBack(_ parcel: Parcel) { done(parcel, isDone: false) }

    private func done(_ parcel: Parcel, isDone: Bool) {
        loads[parcel.shipment.id]?.underWay -= 1
        if !isDone { loads[parcel.shipment.id]?.remaining.append(parcel.instance) }
    }

    /// The line was lost: what the destination has by now is asked anew.
    func forget() { loads = loads.filter { $0.value.underWay > 0 } }
}
