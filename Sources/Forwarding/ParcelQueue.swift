// What goes to one destination next: asked for one object at a time, so that what is urgent waits for one object only.

import Catalog
package import Records

/// The line of one destination, in memory; what is durable of it are its shipments. A shipment's objects are listed when its
/// turn comes, and only once the destination was asked what it has.
package actor ParcelQueue {
    /// A shipment whose turn has come.
    private struct Load {
        let shipment: ShipmentRecord
        /// As it was when it was listed.
        let turn: Outbox.Turn
        let forms: Set<ObjectForm>
        /// What is to be sent, the next at the end.
        var remaining: [StoredInstance]
        var underWay = 0
    }

    /// Objects of this many shipments are listed at a time.
    private static let mostLoads = 16

    /// As it was when the carrier was made.
    private let line: DestinationRecord
    private let outbox: Outbox
    private let carrier: any Carrier
    private let blocking: BlockingCalls
    private var loads: [Int64: Load] = [:]
    /// Shipments that are being listed, or settled.
    private var busy: Set<Int64> = []
    /// The last that was found to go this way.
    private var usual: DueShipment?

    package init(destination: DestinationRecord, outbox: Outbox, carrier: any Carrier, blocking: BlockingCalls) {
        line = destination
        self.outbox = outbox
        self.carrier = carrier
        self.blocking = blocking
    }

    /// The next object; nil while there is nothing to send now.
    package func next(onlyStat: Bool) async throws -> Parcel? {
        let (outbox, destination) = (outbox, line.name)
        let first = try await blocking.run { try outbox.due(destination, onlyStat: onlyStat, limit: 1).first }
        guard let first, try goesThisWay(first) else {
            loads = loads.filter { $0.value.underWay > 0 }
            return nil
        }
        // Most of the time it is the one that is being sent.
        if !busy.contains(first.id), let parcel = take(first) { return parcel }
        let due = try await blocking.run {
            try outbox.due(destination, onlyStat: onlyStat, limit: Self.mostLoads)
        }
        let names = Set(due.map(\.id))
        // Held, dropped or postponed meanwhile: listed anew when it is due again.
        loads = loads.filter { names.contains($0.key) || $0.value.underWay > 0 }
        for turn in due where !busy.contains(turn.id) {
            guard try goesThisWay(turn) else { return nil }
            if let load = loads[turn.id], load.turn != turn {
                // It is to leave otherwise, or not at all: listed anew once what is on its way has arrived.
                if load.underWay > 0 { continue }
                loads[turn.id] = nil
            }
            if loads[turn.id] == nil {
                guard try await load(turn) else { return nil }
            }
            if let parcel = take(turn) { return parcel }
            try await settle(turn.id)
        }
        return nil
    }

    /// Not once somebody said that the destination is elsewhere, or is called with other credentials: another queue takes over
    /// then.
    private func goesThisWay(_ turn: Outbox.Turn) throws -> Bool {
        if let usual, turn.due.hasSettings(of: usual) { return true }
        guard try turn.due.settings().isSameWay(as: line.settings) else { return false }
        usual = turn.due
        return true
    }

    /// In place: a copy of a load would copy the list of a whole study for each object.
    private func take(_ turn: Outbox.Turn) -> Parcel? {
        guard let shipment = loads[turn.id]?.shipment, loads[turn.id]?.turn == turn,
            let instance = loads[turn.id]?.remaining.popLast()
        else { return nil }
        loads[turn.id]?.underWay += 1
        return Parcel(shipment: shipment, instance: instance, forms: loads[turn.id]?.forms ?? [])
    }

    /// Lists what of a shipment is missing there. False when the line is lost.
    private func load(_ turn: Outbox.Turn) async throws -> Bool {
        busy.insert(turn.id)
        defer { busy.remove(turn.id) }
        let outbox = outbox
        guard let listed = try await blocking.run({ try outbox.missing(turn.id) }) else { return true }
        let shipment = listed.shipment
        var missing = listed.instances
        switch await carrier.held(of: shipment, missing) {
        case .unknown: break
        case .held(let held):
            let there = missing.filter { held.contains($0.sopInstanceUID) }
            missing.removeAll { held.contains($0.sopInstanceUID) }
            let since = line.changedAt
            guard try await blocking.run({ try outbox.noteHeld(there, of: shipment, since: since) }) else {
                return true
            }
        case .failed(let why):
            guard !Task.isCancelled else { return false }
            let destination = line.name
            try await blocking.run { try outbox.close(destination, after: why, chance: Double.random(in: 0...1)) }
            return false
        }
        loads[turn.id] = Load(
            shipment: shipment, turn: turn,
            forms: Set(
                missing.map { ObjectForm(sopClassUID: $0.sopClassUID, transferSyntaxUID: $0.transferSyntaxUID) }),
            remaining: missing.reversed())
        return true
    }

    /// All of its objects are gone from the list.
    private func settle(_ id: Int64) async throws {
        guard let load = loads[id], load.remaining.isEmpty, load.underWay == 0 else { return }
        busy.insert(id)
        defer { busy.remove(id) }
        loads[id] = nil
        let outbox = outbox
        try await blocking.run { try outbox.settle(id) }
    }

    /// What became of an object. Durable when this returns.
    /// - Parameter closesLine: whether a failure is the whole line's.
    package func note(_ result: ParcelOutcome, of parcel: Parcel, closesLine: Bool = true) async throws {
        let (outbox, since) = (outbox, line.changedAt)
        var isDone = false
        defer { done(parcel, isDone: isDone) }
        isDone = try await blocking.run {
            try outbox.note(
                result, of: parcel, since: since, closesLine: closesLine, chance: Double.random(in: 0...1))
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
