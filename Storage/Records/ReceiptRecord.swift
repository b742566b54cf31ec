// Proof that what was sent has arrived, and what may be done because of it.

import Foundation
import GRDB

/// One proof of arrival, asked for or given.
package struct ReceiptRecord: Hashable, Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        /// Storage commitment (PS3.4 Annex J).
        case commitment
        /// Digests signed by the archive that holds the objects.
        case signature
    }

    package let id: Int64
    package let shipment: Int64
    package let kind: Kind
    /// Transaction UID (0008,1195), or the receipt's own number.
    package let transactionUID: String
    package let askedAt: Int64
    package let answeredAt: Int64?
    package let instances: Int
    /// How many the destination does not hold.
    package let failed: Int
    /// The answer as it was given: a signed receipt whole, of a commitment what failed.
    package let body: String

    init(_ row: Row) {
        id = row["id"]
        shipment = row["shipment"]
        kind = Kind(rawValue: row["kind"]) ?? .commitment
        transactionUID = row["transactionUID"]
        askedAt = row["askedAt"]
        answeredAt = row["answeredAt"]
        instances = row["instances"]
        failed = row["failed"]
        body = row["body"]
    }
}

/// A study that came from another archive.
package struct ExternalStudyRecord: Hashable, Sendable {
    package let studyInstanceUID: String
    /// Name of the peer or destination it was fetched from.
    package let source: String
    package let at: Int64

    init(_ row: Row) {
        studyInstanceUID = row["studyInstanceUID"]
        source = row["source"]
        at = row["at"]
    }
}

/// An archive that sends to this one.
package struct StationRecord: Hashable, Sendable {
    package let name: String
    package let account: String
    /// JSON, as the station said it.
    package let body: String
    package let firstAt: Int64
    package let lastAt: Int64

    init(_ row: Row) {
        name = row["name"]
        account = row["account"]
        body = row["body"]
        firstAt = row["firstAt"]
        lastAt = row["lastAt"]
    }
}

extension RecordTransaction {
    /// Questions of one shipment that are remembered while they are not answered: the last one and those before it.
    private static let mostUnanswered = 4

    /// A proof is asked for. Questions of long ago that nobody answered are forgotten. What is taken was taken before now,
    /// whatever the clock said then.
    package func askReceipt(
        _ kind: ReceiptRecord.Kind, transactionUID: String, instances: Int, of shipment: Int64
    ) throws {
        try run(
            """
            DELETE FROM receipt WHERE shipment = ?1 AND answeredAt IS NULL AND id <= (
                SELECT id FROM receipt WHERE shipment = ?1 AND answeredAt IS NULL ORDER BY id DESC LIMIT 1 OFFSET ?2)
            """, [shipment, Self.mostUnanswered - 1])
        try run("UPDATE shipped SET at = ?1 WHERE shipment = ?2 AND at > ?1", [now, shipment])
        _ = try insert(
            "INSERT INTO receipt (shipment, kind, transactionUID, askedAt, instances) VALUES (?, ?, ?, ?, ?)",
            [shipment, kind.rawValue, transactionUID, now, instances])
    }

    package func receipt(transactionUID: String) throws -> ReceiptRecord? {
        try row("SELECT * FROM receipt WHERE transactionUID = ?", [transactionUID]).map(ReceiptRecord.init)
    }

    package func receipts(ofShipment shipment: Int64) throws -> [ReceiptRecord] {
        try rows("SELECT * FROM receipt WHERE shipment = ? ORDER BY id", [shipment]).map(ReceiptRecord.init)
    }

    /// The answer has come: `held` are proven, `missing` are not there. Held is only what was taken before it was asked for.
    package func answerReceipt(_ receipt: ReceiptRecord, held: [String], missing: [String], body: String) throws {
        try run(
            "UPDATE receipt SET answeredAt = ?, failed = ?, body = ? WHERE id = ?",
            [now, missing.count, body, receipt.id])
        for uid in held {
            try run(
                "UPDATE shipped SET committedAt = ? WHERE shipment = ? AND sopInstanceUID = ? AND at <= ?",
                [now, receipt.shipment, uid, receipt.askedAt])
        }
        try forgetShipped(missing, of: receipt.shipment)
    }

    /// How many objects of a shipment are taken, and how many proven.
    package func proven(_ shipment: Int64) throws -> (taken: Int, committed: Int) {
        let select = "SELECT count(*) AS taken, count(committedAt) AS committed FROM shipped WHERE shipment = ?"
        guard let row = try row(select, [shipment]) else { return (0, 0) }
        return (row["taken"], row["committed"])
    }

    /// All of a shipment is proven.
    package func commitShipment(_ id: Int64, proof: String) throws {
        try run(
            "UPDATE shipment SET state = 'committed', committedAt = ?, proof = ?, answer = '' WHERE id = ? AND state = 'sent'",
            [now, proof, id])
    }

    // MARK: Giving up what another archive holds

    /// Throws `.invalid` unless the shipment is committed, so many objects of it are proven of late as they are stored here,
    /// no other archive was told that the study is kept here, and its retention is over: the file of records itself refuses.
    /// - Parameter isDespitePromise: it may go whatever others were told.
    package func purge(
        study uid: String, by shipment: Int64, instances: Int, retainedUntil: Int64, account: String,
        isDespitePromise: Bool = false
    ) throws {
        do {
            try run(
                """
                INSERT INTO purge (studyInstanceUID, shipment, instances, retainedUntil, at, account, isDespitePromise)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """, [uid, shipment, instances, retainedUntil, now, account, isDespitePromise])
        } catch let error as DatabaseError where error.extendedResultCode == .SQLITE_CONSTRAINT_TRIGGER {
            throw RecordsError.invalid(field: "purge", reason: error.message ?? "refused")
        }
    }

    /// Studies whose images were given up here.
    package func isPurged(study uid: String) throws -> Bool {
        try row("SELECT 1 FROM purge WHERE studyInstanceUID = ?", [uid]) != nil
    }

    // MARK: From elsewhere

    package func markExternal(study uid: String, source: String) throws {
        try run(
            "INSERT INTO externalStudy (studyInstanceUID, source, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            [uid, source, now])
    }

    /// Nothing of it came.
    package func unmarkExternal(study uid: String) throws {
        try run("DELETE FROM externalStudy WHERE studyInstanceUID = ?", [uid])
    }

    package func externalStudy(_ uid: String) throws -> ExternalStudyRecord? {
        try row("SELECT * FROM externalStudy WHERE studyInstanceUID = ?", [uid]).map(ExternalStudyRecord.init)
    }

    /// Those of these studies that were fetched from elsewhere.
    package func externalStudies(_ uids: [String]) throws -> [ExternalStudyRecord] {
        try uids.compactMap { try externalStudy($0) }
    }

    // MARK: Stations

    /// What a station says of itself.
    package func putStation(_ name: String, account: String, body: String) throws {
        try run(
            """
            INSERT INTO station (name, account, body, firstAt, lastAt) VALUES (?1, ?2, ?3, ?4, ?4)
            ON CONFLICT (name) DO UPDATE SET account = excluded.account, body = excluded.body, lastAt = excluded.lastAt
            """, [name, account, body, now])
    }

    package func stations() throws -> [StationRecord] {
        try rows("SELECT * FROM station ORDER BY name").map(StationRecord.init)
    }

    // MARK: The same data set under another file header

    /// A file with `digest` came whose data set is kept in the file with `storedDigest`.
    package func noteHeld(sopInstanceUID uid: String, digest: [UInt8], as storedDigest: [UInt8]) throws {
        try run(
            "INSERT OR REPLACE INTO heldAs (sopInstanceUID, digest, storedDigest, at) VALUES (?, ?, ?, ?)",
            [uid, Data(digest), Data(storedDigest), now])
    }

    /// Instances left the archive: no digest stands for them any more.
    package func forgetHeld(sopInstanceUIDs uids: [String]) throws {
        for uid in uids { try run("DELETE FROM heldAs WHERE sopInstanceUID = ?", [uid]) }
    }

    /// The digests of files that came for an instance, each with that of the file that is kept.
    package func heldAs(sopInstanceUID uid: String) throws -> [(digest: [UInt8], storedDigest: [UInt8])] {
        try rows("SELECT digest, storedDigest FROM heldAs WHERE sopInstanceUID = ? LIMIT 100", [uid]).map {
            (digest: [UInt8]($0[0] as Data), storedDigest: [UInt8]($0[1] as Data))
        }
    }
}
