// Server-sent events as text (WHATWG HTML Section 9.2).

import Catalog
import Foundation
import NIOCore
import Records

/// The lines of one answer to a listener.
enum EventText {
    private struct Body: Encodable {
        let study: String
        let series: String
        let instances: Int
        let at: String
    }

    private struct Shipment: Encodable {
        let study: String
        let destination: String
        let instances: Int
        let at: String
    }

    /// Milliseconds after which a browser comes back by itself.
    static let opening = "retry: 3000\n\n"
    static let heartbeat = ": alive\n\n"

    /// Where the listener stands: everything after this number will be told.
    static func ready(_ sequence: Int64) -> String { event("ready", id: sequence, data: "{}") }

    /// Changes were lost to this listener: it reads its studies again.
    static func reset(_ sequence: Int64) -> String { event("reset", id: sequence, data: "{}") }

    static func end(_ reason: String) -> String { event("end", id: nil, data: "{\"reason\":\"\(reason)\"}") }

    /// Everything that a listener has not heard yet.
    static func delivery(_ delivery: EventMailbox.Delivery) throws -> String {
        var text = delivery.reset.map(reset) ?? ""
        for one in delivery.changes { text += try change(one) }
        for one in delivery.shipments { text += try shipment(one) }
        if delivery.isBeat { text += heartbeat }
        if delivery.end == .shutdown { text += end("shutdown") }
        return text
    }

    static func change(_ change: LiveChange) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let at = Date(timeIntervalSince1970: Double(change.at) / 1e6)
        let body = Body(
            study: change.studyInstanceUID, series: change.seriesInstanceUID, instances: change.instances,
            at: at.formatted(.iso8601))
        let data = String(decoding: try encoder.encode(body), as: UTF8.self)
        return event(name(change), id: change.sequence, data: data)
    }

    /// A study was sent on, or its arrival proven. Without a number: it is none of the change feed.
    static func shipment(_ shipment: ShipmentEventRecord) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let body = Shipment(
            study: shipment.studyInstanceUID, destination: shipment.destination, instances: shipment.instances,
            at: Date(timeIntervalSince1970: Double(shipment.at) / 1e6).formatted(.iso8601))
        return event(shipment.state.rawValue, id: nil, data: String(decoding: try encoder.encode(body), as: UTF8.self))
    }

    /// A conflict, its decision and a correction may alter what a viewer shows; which it was is not its concern.
    private static func name(_ change: LiveChange) -> String {
        switch change.kind {
        case .stored: "stored"
        case .erased: "erased"
        case .conflict, .resolved, .updated: "changed"
        }
    }

    private static func event(_ name: String, id: Int64?, data: String) -> String {
        (id.map { "id: \($0)\n" } ?? "") + "event: \(name)\ndata: \(data)\n\n"
    }
}
