// What is told of the outbox: how fast a line was, what became of shipments, what was given up here.

import GRDB

/// How much a destination took of late.
package struct LinePaceRecord: Hashable, Sendable {
    /// As they are stored here.
    package let octets: Int64
    /// As they went over the line.
    package let lineOctets: Int64
    /// Seconds in which something went there.
    package let seconds: Int64

    /// Octets a second, as they are stored here.
    package var rate: Double { Double(octets) / Double(max(seconds, 1)) }
    /// How much of an octet goes over the line for one that is stored.
    package var lineShare: Double { octets > 0 ? Double(lineOctets) / Double(octets) : 1 }
}

/// A shipment was sent, or its arrival proven.
package struct ShipmentEventRecord: Hashable, Sendable {
    package let id: Int64
    package let shipment: Int64
    package let studyInstanceUID: String
    package let destination: String
    package let state: ShipmentRecord.State
    package let instances: Int
    package let at: Int64

    init(_ row: Row) {
        id = row["id"]
        shipment = row["shipment"]
        studyInstanceUID = row["studyInstanceUID"]
        destination = row["destination"]
        state = ShipmentRecord.State(rawValue: row["state"]) ?? .sent
        instances = row["instances"]
        at = row["at"]
    }
}

/// A study whose images were given up here.
package struct PurgeRecord: Hashable, Sendable {
    package let studyInstanceUID: String
    /// By which its arrival elsewhere is proven.
    package let shipment: Int64
    package let instances: Int
    package let at: Int64
    package let account: String
    /// Nil while the images are still to be erased.
    package let erasedAt: Int64?

    init(_ row: Row) {
        studyInstanceUID = row["studyInstanceUID"]
        shipment = row["shipment"]
        instances = row["instances"]
        at = row["at"]
        account = row["account"]
        erasedAt = row["erasedAt"]
    }
}

// MARK: - How fast

extension RecordTransaction {
    private static let span: Int64 = 10_000_000
    private static let kept: Int64 = 3_600_000_000

    /// A destination took an object of a shipment.
    func notePace(octets: Int64, lineOctets: Int64, of shipment: Int64) throws {
        try run(
            """
            INSERT INTO linePace (destination, span, octets, lineOctets)
            SELECT destination, ?1, ?2, ?3 FROM shipment WHERE id = ?4
            ON CONFLICT (destination, span) DO UPDATE SET octets = octets + excluded.octets,
                lineOctets = lineOctets + excluded.lineOctets
            """, [now - now % Self.span, octets, lineOctets, shipment])
        try run(
            "DELETE FROM linePace WHERE destination = (SELECT destination FROM shipment WHERE id = ?) AND span < ?",
            [shipment, now - Self.kept])
    }

    /// How fast a destination took what went there in the last minutes; nil when nothing did.
    package func linePace(_ destination: String, minutes: Int64 = 10) throws -> LinePaceRecord? {
        let select = """
            SELECT count(*) AS spans, coalesce(sum(octets), 0) AS octets, coalesce(sum(lineOctets), 0) AS lineOctets,
                coalesce(max(span), 0) AS last
            FROM linePace WHERE destination = ? AND span > ?
            """
        guard let row = try row(select, [destination, now - minutes * 60_000_000]) else { return nil }
        let (spans, last): (Int64, Int64) = (row["spans"], row["last"])
        if spans == 0 { return nil }
        // The span that is not over yet counts as far as it has come.
        let unfinished = max(0, Self.span - (now - last)) / 1_000_000
        return LinePaceRecord(
            octets: row["octets"], lineOctets: row["lineOctets"], seconds: max(1, spans * 10 - unfinished))
    }
}

// MARK: - What became of shipments

extension RecordTransaction {
    /// Number of the last event; 0 before the first.
    package func lastShipmentEvent() throws -> Int64 {
        try row("SELECT coalesce(max(id), 0) AS last FROM shipmentEvent")?["last"] ?? 0
    }

    /// Events after one, in order.
    package func shipmentEvents(after id: Int64, limit: Int) throws -> [ShipmentEventRecord] {
        let select = """
            SELECT shipmentEvent.id, shipment, studyInstanceUID, destination, shipmentEvent.state, instances,
                shipmentEvent.at
            FROM shipmentEvent JOIN shipment ON shipment.id = shipmentEvent.shipment
            WHERE shipmentEvent.id > ? ORDER BY shipmentEvent.id LIMIT ?
            """
        return try rows(select, [id, limit]).map(ShipmentEventRecord.init)
    }

    /// What became of one shipment, in order; the newest thousand at most.
    package func shipmentEvents(of shipment: Int64) throws -> [ShipmentEventRecord] {
        let select = """
            SELECT shipmentEvent.id, shipment, studyInstanceUID, destination, shipmentEvent.state, instances,
                shipmentEvent.at
            FROM shipmentEvent JOIN shipment ON shipment.id = shipmentEvent.shipment
            WHERE shipment = ? ORDER BY shipmentEvent.id DESC LIMIT 1000
            """
        return try rows(select, [shipment]).map(ShipmentEventRecord.init).reversed()
    }

    package func receipt(id: Int64) throws -> ReceiptRecord {
        guard let row = try row("SELECT * FROM receipt WHERE id = ?", [id]) else { throw RecordsError.notFound }
        return ReceiptRecord(row)
    }

    /// How many shipments there are in a state; of one destination, or of all.
    package func shipmentCount(state: ShipmentRecord.State, destination: String = "") throws -> Int {
        // The state stands in the words, so that its own index is used.
        let select = "SELECT count(*) AS count FROM shipment WHERE state = '\(state.rawValue)'"
        if destination.isEmpty { return try row(select)?["count"] ?? 0 }
        return try row("\(select) AND destination = ?", [destination])?["count"] ?? 0
    }
}

// MARK: - From the configuration file

extension RecordTransaction {
    /// Whether the configuration file says what a destination is.
    package func markDestination(_ name: String, isFromFile: Bool) throws {
        try run("UPDATE destination SET isFromFile = ? WHERE name = ?", [isFromFile, name])
    }

    package func markRoute(_ name: String, isFromFile: Bool) throws {
        try run("UPDATE route SET isFromFile = ? WHERE name = ?", [isFromFile, name])
    }

    package func route(_ name: String) throws -> RouteRecord? {
        try row("SELECT * FROM route WHERE name = ?", [name]).map(RouteRecord.init)
    }
}

// MARK: - Given up here

extension RecordTransaction {
    /// Shipments that were proven before a moment, the longest ago first, without those of studies given up already.
    package func provenShipments(
        before at: Int64, study uid: String? = nil, after position: (committedAt: Int64, id: Int64)? = nil, limit: Int
    ) throws -> [ShipmentRecord] {
        let select = """
            SELECT * FROM shipment WHERE state = 'committed' AND committedAt < ?1 AND (committedAt, id) > (?2, ?3)
                AND (?5 IS NULL OR studyInstanceUID = ?5)
                AND NOT EXISTS (SELECT 1 FROM purge WHERE purge.studyInstanceUID = shipment.studyInstanceUID)
            ORDER BY committedAt, id LIMIT ?4
            """
        return try rows(select, [at, position?.committedAt ?? -1, position?.id ?? -1, limit, uid])
            .map(ShipmentRecord.init)
    }

    /// What was given up of a study; nil when it never was.
    package func purge(ofStudy uid: String) throws -> PurgeRecord? {
        try row("SELECT * FROM purge WHERE studyInstanceUID = ?", [uid]).map(PurgeRecord.init)
    }

    /// Studies that were given up and are still to be erased.
    package func unfinishedPurges() throws -> [PurgeRecord] {
        try rows("SELECT * FROM purge WHERE erasedAt IS NULL ORDER BY at").map(PurgeRecord.init)
    }

    /// The images of a study that was given up are gone.
    package func finishPurge(study uid: String) throws {
        try run("UPDATE purge SET erasedAt = ? WHERE studyInstanceUID = ? AND erasedAt IS NULL", [now, uid])
    }

    /// A study that was given up has come back: it may be given up again, by a proof of its own.
    package func forgetPurge(study uid: String) throws {
        try run("DELETE FROM purge WHERE studyInstanceUID = ? AND erasedAt IS NOT NULL", [uid])
    }

    /// The studies given up last.
    package func purges(limit: Int) throws -> [PurgeRecord] {
        try rows("SELECT * FROM purge ORDER BY at DESC LIMIT ?", [limit]).map(PurgeRecord.init)
    }
}
