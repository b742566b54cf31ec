// What the outbox is asked: what waits, and how a study fares.

import Catalog
import Encounters
package import Records

extension Outbox {
    /// What waits, by destination: every destination that there is, and those that were removed while something waited.
    package func backlog() throws(ForwardingFailure) -> [BacklogReport] {
        try book.look { records in
            let waiting = Dictionary(grouping: try records.outboxBacklog()) { $0.destination.lowercased() }
            let known = try records.destinations().map(\.name)
            let gone = waiting.values.compactMap(\.first?.destination).filter { name in
                !known.contains { $0.lowercased() == name.lowercased() }
            }
            return try (known + gone.sorted()).map { name in
                try BacklogReport(name, waiting[name.lowercased()] ?? [], records)
            }
        }
    }

    package func shipments(
        state: ShipmentRecord.State?, destination: String = "", study: String? = nil, before: Int64 = .max, limit: Int
    ) throws(ForwardingFailure) -> [ShipmentReport] {
        try book.look { records in
            let found: [ShipmentRecord]
            if let study {
                found = try records.shipments(study: study).filter {
                    $0.id < before && (state == nil || $0.state == state)
                        && (destination.isEmpty || $0.destination.lowercased() == destination.lowercased())
                }.sorted { $0.id > $1.id }
            } else {
                found = try records.shipments(state: state, destination: destination, before: before, limit: limit)
            }
            return try found.prefix(limit).map { try ShipmentReport($0, records) }
        }
    }

    package func shipment(_ id: Int64) throws(ForwardingFailure) -> ShipmentReport {
        try book.look { try ShipmentReport($0.shipment(id: id), $0) }
    }

    package func receipt(_ id: Int64) throws(ForwardingFailure) -> ReceiptReport {
        try book.look { ReceiptReport(try $0.receipt(id: id)) }
    }

    /// Where a study is, and why it goes no further; also of one whose images were given up here. Throws `.unknown` for a
    /// study that nobody here ever heard of.
    package func ledger(study uid: String) throws(ForwardingFailure) -> LedgerReport {
        let lines = try explain(study: uid)
        let report = try book.look { records in
            let entries = try records.shipments(study: uid).map { shipment in
                LedgerReport.Entry(
                    shipment: try ShipmentReport(shipment, records),
                    events: [LedgerReport.Event(what: "queued", at: Self.stamp(shipment.createdAt))]
                        + (try records.shipmentEvents(of: shipment.id)).map {
                            LedgerReport.Event(what: $0.state.rawValue, at: Self.stamp($0.at))
                        },
                    receipts: try records.receipts(ofShipment: shipment.id).map(ReceiptReport.init))
            }
            return LedgerReport(
                studyInstanceUID: uid, lines: lines + (try Self.whereabouts(uid, records)), entries: entries,
                origin: try records.externalStudy(uid).map {
                    LedgerReport.Origin(source: $0.source, at: Self.stamp($0.at))
                },
                givenUp: try Self.givenUp(uid, records))
        }
        if report.isEmpty {
            let isHere: Bool
            do { isHere = try catalog.holds(study: uid) } catch {
                throw .unavailable(reason: "The catalogue cannot be read now")
            }
            if !isHere { throw .unknown(what: "study") }
        }
        return report
    }

    /// Where the images of a study are that were given up here: one line; none when they are here.
    package func whereabouts(study uid: String) throws(ForwardingFailure) -> [String] {
        try book.look { try Self.whereabouts(uid, $0) }
    }

    private static func whereabouts(_ uid: String, _ records: RecordTransaction) throws -> [String] {
        guard let given = try givenUp(uid, records), let purge = try records.purge(ofStudy: uid) else { return [] }
        return [
            "at \(given.destination), proven \(time(try records.shipment(id: purge.shipment).committedAt)); "
                + "given up here \(time(purge.at)) by \(purge.account)"
        ]
    }

    private static func givenUp(_ uid: String, _ records: RecordTransaction) throws -> LedgerReport.GivenUp? {
        guard let purge = try records.purge(ofStudy: uid) else { return nil }
        let shipment = try records.shipment(id: purge.shipment)
        return LedgerReport.GivenUp(
            destination: shipment.destination, since: shipment.committedAt.map(stamp), at: stamp(purge.at),
            by: purge.account, instances: purge.instances, isErased: purge.erasedAt != nil)
    }
}

extension Outbox {
    /// `yyyymmddHHMMSS`, local.
    fileprivate static func stamp(_ instant: Int64) -> String { LocalTime.text(instant) }
}
