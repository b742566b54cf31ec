// What was sent on and proven of late, for those who listen.

package import Encounters
package import Records

/// The events of the outbox, in order. Calls block: make them on plain threads.
package struct ShipmentFeed: Sendable {
    private static let page = 500

    private let encounters: Encounters

    init(_ encounters: Encounters) { self.encounters = encounters }

    /// What came after a number; without one nothing, but the number from which to go on.
    package func news(after number: Int64?) throws(EncounterFailure) -> (events: [ShipmentEventRecord], last: Int64) {
        try encounters.look { records in
            guard let number else { return ([], try records.lastShipmentEvent()) }
            let events = try records.shipmentEvents(after: number, limit: Self.page)
            return (events, events.last?.id ?? number)
        }
    }
}

extension Outbox {
    package var feed: ShipmentFeed { ShipmentFeed(encounters) }
}
