// Messages as they came, with what was answered: for replays, for repair, and so that nothing is applied twice.

import Foundation
import GRDB

/// One message of another system.
package struct MessageRecord: Hashable, Sendable {
    package let id: Int64
    /// Who sent it.
    package let source: String
    /// MSH-10.
    package let controlID: String
    /// MSH-9, such as `ADT^A01`.
    package let type: String
    package let bytes: [UInt8]
    /// What the bytes were read as.
    package let characterSet: String
    /// AA, AE or AR (HL7 table 0008).
    package let code: String
    package let reason: String
    /// When it came, the last time where it was refused and sent again.
    package let receivedAt: Int64
    package let replayedAt: Int64?

    init(_ row: Row) {
        id = row["id"]
        source = row["source"]
        controlID = row["controlID"]
        type = row["type"]
        bytes = [UInt8](row["bytes"] as Data)
        characterSet = row["characterSet"]
        code = row["code"]
        reason = row["reason"]
        receivedAt = row["receivedAt"]
        replayedAt = row["replayedAt"]
    }
}

extension RecordTransaction {
    /// Keeps a message with what was answered. One that came before, byte by byte, and was refused then is brought up to
    /// date: who sends again and again fills nothing.
    package func keepMessage(
        source: String, controlID: String, type: String, bytes: [UInt8], digest: [UInt8], characterSet: String,
        code: String, reason: String
    ) throws {
        // Few rows are looked at: what is not read has no control ID, and all of it stands together.
        let refused = try row(
            """
            SELECT id FROM (SELECT * FROM message WHERE source = ? AND controlID = ? ORDER BY id DESC LIMIT 16)
            WHERE digest = ? AND code <> 'AA' LIMIT 1
            """, [source, controlID, Data(digest)])
        if let id: Int64 = refused?["id"] {
            try run("UPDATE message SET code = ?, reason = ?, receivedAt = ? WHERE id = ?", [code, reason, now, id])
            return
        }
        try run(
            """
            INSERT INTO message (source, controlID, type, bytes, digest, characterSet, code, reason, receivedAt)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                source, controlID, type, Data(bytes), Data(digest), characterSet, code, reason, now,
            ])
    }

    /// The message that a sender sent under this control ID with these very bytes, when it was accepted.
    package func acceptedMessage(source: String, controlID: String, digest: [UInt8]) throws -> MessageRecord? {
        try row(
            "SELECT * FROM message WHERE source = ? AND controlID = ? AND digest = ? AND code = 'AA' LIMIT 1",
            [source, controlID, Data(digest)]
        ).map(MessageRecord.init)
    }

    /// What a replay came to.
    package func setOutcome(code: String, reason: String, message id: Int64) throws {
        try run(
            "UPDATE message SET code = ?, reason = ?, replayedAt = ? WHERE id = ?", [code, reason, now, id])
    }

    package func message(id: Int64) throws -> MessageRecord {
        guard let row = try row("SELECT * FROM message WHERE id = ?", [id]) else { throw RecordsError.notFound }
        return MessageRecord(row)
    }

    /// Messages, the newest first.
    package func messages(refusedOnly: Bool, before id: Int64 = .max, limit: Int) throws -> [MessageRecord] {
        let condition = refusedOnly ? "AND code <> 'AA'" : ""
        return try rows("SELECT * FROM message WHERE id < ? \(condition) ORDER BY id DESC LIMIT ?", [id, limit])
            .map(MessageRecord.init)
    }
}
