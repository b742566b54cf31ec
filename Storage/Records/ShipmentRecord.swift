// The outbox and its ledger: studies on their way to destinations, what was taken, and the proof of it.

import GRDB

/// One study on its way to one destination.
package struct ShipmentRecord: Hashable, Sendable {
    package enum Priority: Int, CaseIterable, Comparable, Sendable {
        case stat, normal, bulk

        package static func < (left: Priority, right: Priority) -> Bool { left.rawValue < right.rawValue }
    }

    package enum State: String, CaseIterable, Sendable {
        /// Something of it is to be sent.
        case waiting
        /// The destination has taken all of it; proof of that is not there yet, or not asked for.
        case sent
        /// The destination has proven that it holds all of it.
        case committed
        /// It may not leave: no legal basis, no contract.
        case refused
        /// A person decided that it is not sent.
        case dropped
        /// It was deleted here before all of it was sent.
        case withdrawn
    }

    package let id: Int64
    package let destination: String
    package let studyInstanceUID: String
    package let priority: Priority
    package let rank: Int
    package let state: State
    package let isHeld: Bool
    /// Name of the rule; empty: a person asked.
    package let route: String
    /// Why it is sent, or may not be, one sentence without patient data.
    package let cause: String
    package let legalBasis: String
    package let transform: ShipmentTransform
    /// Of the study, when it was last looked at.
    package let instances: Int
    package let octets: Int64
    package let sentInstances: Int
    /// As they are stored here.
    package let sentOctets: Int64
    /// What went over the line for it, every attempt counted.
    package let lineOctets: Int64
    package let refusals: Int
    /// What the destination said last, or why nothing was heard of it.
    package let answer: String
    package let createdAt: Int64
    package let dueAt: Int64
    package let sentAt: Int64?
    package let committedAt: Int64?
    /// By what its arrival is proven, one sentence.
    package let proof: String

    init(_ row: Row) throws {
        id = row["id"]
        destination = row["destination"]
        studyInstanceUID = row["studyInstanceUID"]
        priority = Priority(rawValue: row["priority"]) ?? .normal
        rank = row["rank"]
        state = State(rawValue: row["state"]) ?? .waiting
        isHeld = row["isHeld"]
        route = row["route"]
        cause = row["cause"]
        legalBasis = row["legalBasis"]
        transform = try Body.value(row["transform"])
        instances = row["instances"]
        octets = row["octets"]
        sentInstances = row["sentInstances"]
        sentOctets = row["sentOctets"]
        lineOctets = row["lineOctets"]
        refusals = row["refusals"]
        answer = row["answer"]
        createdAt = row["createdAt"]
        dueAt = row["dueAt"]
        sentAt = row["sentAt"]
        committedAt = row["committedAt"]
        proof = row["proof"]
    }
}

/// A study to be sent on.
package struct NewShipment: Hashable, Sendable {
    package var destination: String
    package var studyInstanceUID: String
    package var priority = ShipmentRecord.Priority.normal
    package var state = ShipmentRecord.State.waiting
    package var route = ""
    package var cause = ""
    package var legalBasis = ""
    package var transform = ShipmentTransform()
    package var instances = 0
    package var octets: Int64 = 0

    package init(destination: String, studyInstanceUID: String) {
        self.destination = destination
        self.studyInstanceUID = studyInstanceUID
    }
}

/// A shipment that is due, and what it is sent under as that stands now: where any of it changed, what was listed before
/// counts no more.
package struct DueShipment: Hashable, Sendable {
    package let id: Int64
    private let legalBasis: String
    /// As they are written down: equal values are equal text.
    private let transform: String
    private let destination: String

    /// Of its destination, as they stand now.
    package func settings() throws -> DestinationSettings { try Body.value(destination) }

    /// Whether both stand under the same settings of their destination.
    package func hasSettings(of other: DueShipment) -> Bool { destination == other.destination }

    init(_ row: Row) {
        id = row["id"]
        legalBasis = row["legalBasis"]
        transform = row["transform"]
        destination = row["body"]
    }
}

/// What waits for a destination in one class of urgency.
package struct OutboxBacklog: Hashable, Sendable {
    package let destination: String
    package let priority: ShipmentRecord.Priority
    package let studies: Int
    /// What is left of them.
    package let instances: Int
    package let octets: Int64
    /// When the oldest was put there.
    package let oldest: Int64
}

// MARK: - Shipments

extension RecordTransaction {
    /// Puts a study into the outbox and gives its row. One that is there already goes on as `new` says, with the more urgent of
    /// both priorities; what a person held or dropped stays so.
    package func putShipment(_ new: NewShipment) throws -> ShipmentRecord {
        try run(
            """
            INSERT INTO shipment (destination, studyInstanceUID, priority, state, route, cause, legalBasis, transform,
                instances, octets, createdAt, dueAt)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11)
            ON CONFLICT (destination, studyInstanceUID) DO UPDATE SET
                priority = min(priority, excluded.priority), state = excluded.state, route = excluded.route,
                cause = excluded.cause, legalBasis = excluded.legalBasis, transform = excluded.transform,
                instances = excluded.instances, octets = excluded.octets, dueAt = min(dueAt, excluded.dueAt),
                sentAt = NULL, committedAt = NULL, proof = ''
            WHERE state <> 'dropped'
            """,
            [
                new.destination, new.studyInstanceUID, new.priority.rawValue, new.state.rawValue, new.route, new.cause,
                new.legalBasis, Body.text(new.transform), new.instances, new.octets, now,
            ])
        guard let found = try shipment(destination: new.destination, study: new.studyInstanceUID) else {
            throw RecordsError.notFound
        }
        return found
    }

    package func shipment(destination: String, study uid: String) throws -> ShipmentRecord? {
        try row("SELECT * FROM shipment WHERE destination = ? AND studyInstanceUID = ?", [destination, uid])
            .map(ShipmentRecord.init)
    }

    package func shipment(id: Int64) throws -> ShipmentRecord {
        guard let row = try row("SELECT * FROM shipment WHERE id = ?", [id]) else { throw RecordsError.notFound }
        return try ShipmentRecord(row)
    }

    package func shipments(study uid: String) throws -> [ShipmentRecord] {
        try rows("SELECT * FROM shipment WHERE studyInstanceUID = ? ORDER BY destination", [uid])
            .map(ShipmentRecord.init)
    }

    /// The newest first; nil and empty for any.
    package func shipments(
        state: ShipmentRecord.State?, destination: String = "", before id: Int64 = .max, limit: Int
    ) throws -> [ShipmentRecord] {
        let select = """
            SELECT * FROM shipment WHERE id < ?1 AND (?2 IS NULL OR state = ?2) AND (?3 = '' OR destination = ?3)
            ORDER BY id DESC LIMIT ?4
            """
        return try rows(select, [id, state?.rawValue, destination, limit]).map(ShipmentRecord.init)
    }

    /// What a destination is sent next: the most urgent first, in a class what a person put first, then the smallest. Nothing
    /// while its line is closed. The first of it is one look into an index, asked for every object.
    /// - Parameter onlyStat: nothing but what is urgent.
    package func dueShipments(destination: String, onlyStat: Bool, limit: Int) throws -> [DueShipment] {
        let select = """
            SELECT shipment.id, legalBasis, transform, body
            FROM shipment JOIN destination ON destination.name = shipment.destination
            WHERE shipment.destination = ?1 AND state = 'waiting' AND isHeld = 0 AND shipment.dueAt <= ?2
                AND isPaused = 0 AND isStopped = 0 AND destination.dueAt <= ?2 AND (?3 = 0 OR priority = 0)
            ORDER BY priority, rank, shipment.octets, shipment.id LIMIT ?4
            """
        return try rows(select, [destination, now, onlyStat, limit]).map(DueShipment.init)
    }

    /// Sent, and to be proven now: what is due since the shortest time, and last what is due the longest. Many that are never
    /// answered keep no new one waiting, and are not forgotten.
    package func unprovenShipments(destination: String, limit: Int) throws -> [ShipmentRecord] {
        let select = "SELECT * FROM shipment WHERE destination = ? AND state = 'sent' AND isHeld = 0 AND dueAt <= ?"
        let newest = try rows("\(select) ORDER BY dueAt DESC LIMIT ?", [destination, now, max(1, limit - 1)])
            .map(ShipmentRecord.init)
        let oldest = try rows("\(select) ORDER BY dueAt LIMIT 1", [destination, now]).map(ShipmentRecord.init)
        return newest + oldest.filter { old in !newest.contains { $0.id == old.id } }
    }

    /// Another state, with what is said of it.
    package func setShipment(_ id: Int64, _ state: ShipmentRecord.State, answer: String) throws {
        try run(
            """
            UPDATE shipment SET state = ?2, answer = ?3, dueAt = ?4, refusals = 0,
                sentAt = CASE ?2 WHEN 'sent' THEN ?4 WHEN 'waiting' THEN NULL ELSE sentAt END,
                committedAt = CASE ?2 WHEN 'waiting' THEN NULL ELSE committedAt END,
                proof = CASE ?2 WHEN 'waiting' THEN '' ELSE proof END
            WHERE id = ?1
            """, [id, state.rawValue, answer, now])
    }

    /// It may not leave.
    /// - Parameter transform: the form that it has from now on; nil: the one that it has.
    package func refuseShipment(_ id: Int64, cause: String, transform: ShipmentTransform? = nil) throws {
        try run(
            "UPDATE shipment SET state = 'refused', cause = ?, transform = coalesce(?, transform) WHERE id = ?",
            [cause, try transform.map(Body.text), id])
    }

    /// How many go to its destination before it.
    package func shipmentsAhead(of shipment: ShipmentRecord) throws -> Int {
        let select = """
            SELECT count(*) AS ahead FROM shipment WHERE destination = ?1 AND state = 'waiting' AND isHeld = 0
                AND dueAt <= ?2 AND (priority, rank, octets, id) < (?3, ?4, ?5, ?6)
            """
        let values: StatementArguments = [
            shipment.destination, now, shipment.priority.rawValue, shipment.rank, shipment.octets, shipment.id,
        ]
        return try row(select, values)?["ahead"] ?? 0
    }

    /// Nothing of it is sent, or asked, before then.
    package func postponeShipment(_ id: Int64, until dueAt: Int64, answer: String, isRefused: Bool) throws {
        try run(
            "UPDATE shipment SET dueAt = ?, answer = ?, refusals = refusals + ? WHERE id = ?",
            [dueAt, answer, isRefused ? 1 : 0, id])
    }

    /// When a shipment is due of which nothing is ever asked.
    package static let never = Int64.max

    /// No wait is longer than this from now, in microseconds: a clock that was wrong and was set back stops nothing.
    /// - Parameters:
    ///   - most: of one object, of a proof, of an order's earlier studies.
    ///   - line: of a whole line, and of a study that the rules are to look at.
    package func limitWaits(to most: Int64, ofLine line: Int64) throws {
        try run("UPDATE shipment SET dueAt = ?1 WHERE state = 'waiting' AND dueAt > ?1 + ?2", [now, most])
        try run(
            "UPDATE shipment SET dueAt = ?1 WHERE state = 'sent' AND dueAt > ?1 + ?2 AND dueAt < ?3",
            [now, most, Self.never])
        try run("UPDATE unshipped SET dueAt = ?1 WHERE dueAt > ?1 + ?2", [now, most])
        try run("UPDATE priorFetch SET dueAt = ?1 WHERE state = 'waiting' AND dueAt > ?1 + ?2", [now, most])
        try run("UPDATE destination SET dueAt = ?1 WHERE dueAt > ?1 + ?2", [now, line])
        // Whom it was asked of is not known by such a clock: it is asked anew.
        try run(
            """
            UPDATE receipt SET askedAt = ?1 WHERE answeredAt IS NULL AND askedAt > ?1 AND shipment IN (
                SELECT shipment.id FROM destination CROSS JOIN shipment ON shipment.destination = destination.name
                WHERE destination.changedAt > ?1)
            """, [now])
        try run("UPDATE destination SET changedAt = ?1 WHERE changedAt > ?1", [now])
        try run("UPDATE forwardingLook SET dueAt = ?1 WHERE dueAt > ?1 + ?2", [now, line])
    }

    /// What a person says of its turn; nil leaves what is.
    package func reorderShipment(
        _ id: Int64, priority: ShipmentRecord.Priority? = nil, rank: Int? = nil, isHeld: Bool? = nil
    ) throws {
        try run(
            """
            UPDATE shipment SET priority = coalesce(?2, priority), rank = coalesce(?3, rank),
                isHeld = coalesce(?4, isHeld) WHERE id = ?1
            """, [id, priority?.rawValue, rank, isHeld])
        guard db.changesCount > 0 else { throw RecordsError.notFound }
    }

    /// Everything of a shipment, or of all that wait for a destination, is tried at once.
    package func hastenShipments(destination: String, id: Int64? = nil) throws {
        try run(
            """
            UPDATE shipment SET dueAt = ?1 WHERE destination = ?2 AND dueAt > ?1
                AND (id = ?3 OR ?3 IS NULL AND state = 'waiting')
            """, [now, destination, id])
        try run(
            """
            UPDATE unshipped SET dueAt = ?1 WHERE shipment IN
                (SELECT id FROM shipment WHERE destination = ?2 AND (?3 IS NULL OR id = ?3))
            """, [now, destination, id])
    }

    /// How much is in the study now.
    package func measureShipment(_ id: Int64, instances: Int, octets: Int64) throws {
        try run(
            "UPDATE shipment SET instances = ?, octets = ? WHERE id = ? AND (instances <> ? OR octets <> ?)",
            [instances, octets, id, instances, octets])
    }

    /// What waits, by destination and urgency.
    package func outboxBacklog() throws -> [OutboxBacklog] {
        let select = """
            SELECT destination, priority, count(*) AS studies, sum(max(instances - sentInstances, 0)) AS instances,
                sum(max(octets - sentOctets, 0)) AS octets, min(createdAt) AS oldest
            FROM shipment WHERE state = 'waiting' GROUP BY destination, priority ORDER BY destination, priority
            """
        return try rows(select).map {
            OutboxBacklog(
                destination: $0["destination"],
                priority: ShipmentRecord.Priority(rawValue: $0["priority"]) ?? .normal, studies: $0["studies"],
                instances: $0["instances"], octets: $0["octets"], oldest: $0["oldest"])
        }
    }
}
