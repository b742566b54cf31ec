// Where a study is on its way, and why no further: lines for people.

import Encounters
import Records

extension Outbox {
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
                lines.append(
                    verdicts.isEmpty ? "no rule, and nobody asked for it" : "no rule fits, and nobody asked for it")
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
        let today = LocalTime.day(records.now)
        if let why = SharingPermission.refusal(destination.settings, legalBasis: shipment.legalBasis, today: today) {
            return "\(start): \(why)"
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
        return
            "\(String(text[0..<4]))-\(String(text[4..<6]))-\(String(text[6..<8])) \(String(text[8..<10])):\(String(text[10..<12]))"
    }
}
