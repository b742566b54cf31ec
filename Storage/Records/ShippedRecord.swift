// What of a study a destination has taken, object by object, and what it did not take.

import Foundation
import GRDB

/// An object that a destination has.
package struct ShippedRecord: Hashable, Sendable {
    package let sopInstanceUID: String
    /// SHA-256 of the file as it is stored here.
    package let digest: [UInt8]
    /// Of the study's correction, as the destination knows it; 0: none.
    package let revision: Int64
    package let octets: Int64
    package let at: Int64
    package let committedAt: Int64?
    /// Whether it is known to have left as it is stored here: not corrected, not in another form, taken without a warning.
    package let isExact: Bool

    init(_ row: Row) {
        isExact = row["isExact"]
        sopInstanceUID = row["sopInstanceUID"]
        digest = [UInt8](row["digest"] as Data)
        revision = row["revision"]
        octets = row["octets"]
        at = row["at"]
        committedAt = row["committedAt"]
    }
}

/// An object that a destination did not take.
package struct UnshippedRecord: Hashable, Sendable {
    package let sopInstanceUID: String
    package let answer: String
    package let refusals: Int
    package let dueAt: Int64

    init(_ row: Row) {
        sopInstanceUID = row["sopInstanceUID"]
        answer = row["answer"]
        refusals = row["refusals"]
        dueAt = row["dueAt"]
    }
}

extension RecordTransaction {
    /// The destination has taken an object, or had it already (`lineOctets` 0).
    /// - Parameters:
    ///   - revision: of the correction that it went with, or is known there with.
    ///   - isExact: whether it left as it is stored here.
    package func noteShipped(
        _ sopInstanceUID: String, digest: [UInt8], revision: Int64, octets: Int64, lineOctets: Int64, isExact: Bool,
        of shipment: Int64
    ) throws {
        try run(
            "DELETE FROM unshipped WHERE shipment = ? AND sopInstanceUID = ?", [shipment, sopInstanceUID])
        let before = try row(
            "SELECT octets FROM shipped WHERE shipment = ? AND sopInstanceUID = ?", [shipment, sopInstanceUID])
        try run(
            """
            INSERT OR REPLACE INTO shipped (shipment, sopInstanceUID, digest, revision, octets, at, isExact)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """, [shipment, sopInstanceUID, Data(digest), revision, octets, now, isExact])
        try run(
            """
            UPDATE shipment SET sentInstances = sentInstances + ?, sentOctets = sentOctets + ?,
                lineOctets = lineOctets + ? WHERE id = ?
            """, [before == nil ? 1 : 0, octets - ((before?["octets"] as Int64?) ?? 0), lineOctets, shipment])
        if lineOctets > 0 { try notePace(octets: octets, lineOctets: lineOctets, of: shipment) }
    }

    /// The destination did not take an object: it is tried again then.
    package func noteUnshipped(
        _ sopInstanceUID: String, answer: String, refusals: Int, dueAt: Int64, of shipment: Int64
    ) throws {
        try run(
            "INSERT OR REPLACE INTO unshipped (shipment, sopInstanceUID, answer, refusals, dueAt) VALUES (?, ?, ?, ?, ?)",
            [shipment, sopInstanceUID, answer, refusals, dueAt])
    }

    /// An attempt that came to nothing went over the line too.
    package func noteLineOctets(_ octets: Int64, of shipment: Int64) throws {
        try run("UPDATE shipment SET lineOctets = lineOctets + ? WHERE id = ?", [octets, shipment])
    }

    /// Nothing is known any more of what was not taken of these.
    package func forgetUnshipped(_ sopInstanceUIDs: [String], of shipment: Int64) throws {
        for uid in sopInstanceUIDs {
            try run("DELETE FROM unshipped WHERE shipment = ? AND sopInstanceUID = ?", [shipment, uid])
        }
    }

    package func shipped(_ shipment: Int64) throws -> [ShippedRecord] {
        try rows("SELECT * FROM shipped WHERE shipment = ?", [shipment]).map(ShippedRecord.init)
    }

    package func unshipped(_ shipment: Int64) throws -> [UnshippedRecord] {
        try rows("SELECT * FROM unshipped WHERE shipment = ?", [shipment]).map(UnshippedRecord.init)
    }

    /// The destination does not have these after all: they are sent again.
    package func forgetShipped(_ sopInstanceUIDs: [String], of shipment: Int64) throws {
        for uid in sopInstanceUIDs {
            let select = "SELECT octets FROM shipped WHERE shipment = ? AND sopInstanceUID = ?"
            guard let octets = try row(select, [shipment, uid])?["octets"] as Int64? else { continue }
            try run("DELETE FROM shipped WHERE shipment = ? AND sopInstanceUID = ?", [shipment, uid])
            try run(
                "UPDATE shipment SET sentInstances = sentInstances - 1, sentOctets = sentOctets - ? WHERE id = ?",
                [octets, shipment])
        }
    }
}
