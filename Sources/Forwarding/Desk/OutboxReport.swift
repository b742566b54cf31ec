// The outbox as it is told: what waits, one shipment, the ledger of a study.

import Encounters
package import Records

/// What waits for one destination.
package struct BacklogReport: Encodable, Sendable {
    package struct Class: Encodable, Sendable {
        package let priority: String
        package let studies: Int
        package let instances: Int
        package let bytes: Int64
        package let oldest: String
    }

    package let destination: String
    /// How its line is; nil when there is no such destination any more.
    package let line: DestinationReport?
    package let studies: Int
    package let instances: Int
    package let bytes: Int64
    package let classes: [Class]
    /// When the oldest was put there, and how long ago, in seconds.
    package let oldest: String?
    package let oldestSeconds: Int64
    /// Octets a second that it took in the last ten minutes, as they are stored here; nil when nothing went there.
    package let rate: Int64?
    /// How much of an octet went over the line for one that is stored.
    package let lineShare: Double?
    /// When all of it will have gone; nil while the line is down, or when nothing is known of it.
    package let finishAt: String?
    /// Sent, and not proven yet.
    package let unproven: Int
    /// May not leave: no legal basis, no contract.
    package let refused: Int

    init(_ name: String, _ backlog: [OutboxBacklog], _ records: RecordTransaction) throws {
        let now = records.now
        let record = try records.destination(name)
        let report = record.map { DestinationReport($0, now: now) }
        destination = record?.name ?? name
        line = report
        studies = backlog.reduce(0) { $0 + $1.studies }
        instances = backlog.reduce(0) { $0 + $1.instances }
        let octets = backlog.reduce(0) { $0 + $1.octets }
        bytes = octets
        classes = backlog.map {
            Class(
                priority: $0.priority.word, studies: $0.studies, instances: $0.instances, bytes: $0.octets,
                oldest: LocalTime.text($0.oldest))
        }
        let first = backlog.map(\.oldest).min()
        oldest = first.map(LocalTime.text)
        oldestSeconds = first.map { max(0, now - $0) / 1_000_000 } ?? 0
        let pace = try records.linePace(name)
        rate = pace.map { Int64($0.rate) }
        lineShare = pace.map { ($0.lineShare * 1_000).rounded() / 1_000 }
        let goes = [.open, .closed].contains(report?.state)
        let timetable = record.flatMap { try? Timetable($0.settings.timetable) }
        if goes, octets > 0, let timetable {
            finishAt = OutboxForecast.finish(octets: octets, from: now, pace: pace, timetable: timetable)
                .map(LocalTime.text)
        } else {
            finishAt = nil
        }
        unproven = try records.shipmentCount(state: .sent, destination: name)
        refused = try records.shipmentCount(state: .refused, destination: name)
    }
}

/// One study on its way to one destination.
package struct ShipmentReport: Encodable, Sendable {
    package let number: Int64
    package let destination: String
    package let studyInstanceUID: String
    package let priority: String
    package let state: String
    package let isHeld: Bool
    /// Name of the rule; nil when a person asked for it.
    package let route: String?
    package let cause: String
    package let legalBasis: String?
    package let compress: Bool
    package let deidentify: String?
    package let characterSet: String?
    package let instances: Int
    package let bytes: Int64
    package let sentInstances: Int
    package let sentBytes: Int64
    /// What went over the line for it, every attempt counted.
    package let lineBytes: Int64
    package let refusals: Int
    package let answer: String
    package let createdAt: String
    package let dueAt: String?
    package let sentAt: String?
    package let committedAt: String?
    package let proof: String?
    /// Where it is, and why no further: one line.
    package let why: String

    package init(_ shipment: ShipmentRecord, _ records: RecordTransaction) throws {
        func some(_ text: String) -> String? { text.isEmpty ? nil : text }
        number = shipment.id
        destination = shipment.destination
        studyInstanceUID = shipment.studyInstanceUID
        priority = shipment.priority.word
        state = shipment.state.rawValue
        isHeld = shipment.isHeld
        route = some(shipment.route)
        cause = shipment.cause
        legalBasis = some(shipment.legalBasis)
        compress = shipment.transform.compresses
        deidentify = some(shipment.transform.deidentification)
        characterSet = some(shipment.transform.characterSet)
        instances = shipment.instances
        bytes = shipment.octets
        sentInstances = shipment.sentInstances
        sentBytes = shipment.sentOctets
        lineBytes = shipment.lineOctets
        refusals = shipment.refusals
        answer = shipment.answer
        createdAt = LocalTime.text(shipment.createdAt)
        let isDue = [.waiting, .sent].contains(shipment.state) && shipment.dueAt < RecordTransaction.never
        dueAt = isDue ? LocalTime.text(shipment.dueAt) : nil
        sentAt = shipment.sentAt.map(LocalTime.text)
        committedAt = shipment.committedAt.map(LocalTime.text)
        proof = some(shipment.proof)
        why = try Outbox.line(shipment, records)
    }
}

/// A proof of arrival, asked for or given.
package struct ReceiptReport: Encodable, Sendable {
    package let number: Int64
    package let shipment: Int64
    /// `commitment` (PS3.4 Annex J) or `signature`.
    package let kind: String
    package let transactionUID: String
    package let askedAt: String
    package let answeredAt: String?
    package let instances: Int
    /// How many the destination does not hold.
    package let failed: Int
    /// The answer as it was given.
    package let body: String?

    package init(_ receipt: ReceiptRecord) {
        number = receipt.id
        shipment = receipt.shipment
        kind = receipt.kind.rawValue
        transactionUID = receipt.transactionUID
        askedAt = LocalTime.text(receipt.askedAt)
        answeredAt = receipt.answeredAt.map(LocalTime.text)
        instances = receipt.instances
        failed = receipt.failed
        body = receipt.body.isEmpty ? nil : receipt.body
    }
}

/// Everything that is known of a study's way to other archives.
package struct LedgerReport: Encodable, Sendable {
    package struct Event: Encodable, Sendable {
        /// queued, sent or committed.
        package let what: String
        package let at: String
    }

    package struct Entry: Encodable, Sendable {
        package let shipment: ShipmentReport
        /// What became of it, in order.
        package let events: [Event]
        package let receipts: [ReceiptReport]
    }

    package struct Origin: Encodable, Sendable {
        package let source: String
        package let at: String
    }

    package struct GivenUp: Encodable, Sendable {
        /// Where the study is.
        package let destination: String
        /// Since when it is proven to be there.
        package let since: String?
        package let at: String
        package let by: String
        package let instances: Int
        package let isErased: Bool
    }

    package let studyInstanceUID: String
    /// One line for each destination.
    package let lines: [String]
    package let entries: [Entry]
    /// Where the study came from, if it was fetched.
    package let origin: Origin?
    /// The images were given up here; they are there.
    package let givenUp: GivenUp?

    var isEmpty: Bool { entries.isEmpty && origin == nil && givenUp == nil }
}
