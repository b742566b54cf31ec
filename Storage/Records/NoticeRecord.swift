// What others are to be told: kept from the transaction that decided it until it was taken.

import GRDB

/// One thing to tell one destination.
package struct NoticeRecord: Hashable, Sendable {
    package enum State: String, CaseIterable, Sendable {
        case waiting
        case delivered
        /// A later revision took its place before it was ever sent.
        case superseded
        /// A person decided that it is not sent.
        case dropped
    }

    package let id: Int64
    package let destination: String
    /// What it tells of, such as `study-available`.
    package let kind: String
    package let studyInstanceUID: String
    /// Counts from 1 within destination, kind and study; only grows.
    package let revision: Int
    /// By which a receiver knows it again: the same in every attempt.
    package let messageID: String
    /// What was true when it was decided, as JSON of its kind.
    package let body: String
    package let state: State
    /// How often it was begun to be sent, over a connection.
    package let attempts: Int
    /// How often the receiver said no to this very notice.
    package let refusals: Int
    /// What the receiver said last, or why nothing was heard of it.
    package let answer: String
    package let createdAt: Int64
    package let dueAt: Int64
    package let endedAt: Int64?

    init(_ row: Row) {
        id = row["id"]
        destination = row["destination"]
        kind = row["kind"]
        studyInstanceUID = row["studyInstanceUID"]
        revision = row["revision"]
        messageID = row["messageID"]
        body = row["body"]
        state = State(rawValue: row["state"]) ?? .dropped
        attempts = row["attempts"]
        refusals = row["refusals"]
        answer = row["answer"]
        createdAt = row["createdAt"]
        dueAt = row["dueAt"]
        endedAt = row["endedAt"]
    }
}

/// What is known of the way to a destination that does not take notices now.
package struct NoticeLineRecord: Hashable, Sendable {
    package let destination: String
    /// In a row.
    package let failures: Int
    /// When it is tried again.
    package let dueAt: Int64
    /// It wants nothing any more, until a person says otherwise.
    package let isStopped: Bool
    package let reason: String
    /// When the first failure of the row was.
    package let since: Int64

    init(_ row: Row) {
        destination = row["destination"]
        failures = row["failures"]
        dueAt = row["dueAt"]
        isStopped = row["isStopped"]
        reason = row["reason"]
        since = row["since"]
    }
}

/// How much waits for a destination.
package struct NoticeBacklog: Hashable, Sendable {
    package let destination: String
    package let count: Int
    /// When the oldest was written.
    package let oldest: Int64
}

/// A study that is to be looked at.
package struct SettlingRecord: Hashable, Sendable {
    package let studyInstanceUID: String
    /// When nothing comes until then its images are all there.
    package let quietAt: Int64
    package let dueAt: Int64

    init(_ row: Row) {
        studyInstanceUID = row["studyInstanceUID"]
        quietAt = row["quietAt"]
        dueAt = row["dueAt"]
    }
}

// MARK: - Settling

extension RecordTransaction {
    /// Images of a study came or went. What is to be looked at now stays so.
    package func settle(study uid: String, quietAt: Int64, dueAt: Int64) throws {
        try run(
            """
            INSERT INTO settling (studyInstanceUID, quietAt, dueAt) VALUES (?1, ?2, ?3)
            ON CONFLICT (studyInstanceUID) DO UPDATE SET quietAt = excluded.quietAt,
                dueAt = CASE WHEN dueAt <= ?4 THEN dueAt ELSE excluded.dueAt END
            """, [uid, quietAt, dueAt, now])
    }

    /// A study was looked at, and is to be looked at again.
    package func postponeSettling(study uid: String, until dueAt: Int64) throws {
        try run("UPDATE settling SET dueAt = ? WHERE studyInstanceUID = ?", [dueAt, uid])
    }

    /// What is said of a study changed, not its images: it is looked at now.
    package func lookAgain(study uid: String) throws {
        try run(
            """
            INSERT INTO settling (studyInstanceUID, quietAt, dueAt) VALUES (?1, ?2, ?2)
            ON CONFLICT (studyInstanceUID) DO UPDATE SET dueAt = min(dueAt, excluded.dueAt)
            """, [uid, now])
        try markForwarding(study: uid)
    }

    /// Studies whose time has come, the longest due first.
    package func dueStudies(limit: Int) throws -> [SettlingRecord] {
        try rows("SELECT * FROM settling WHERE dueAt <= ? ORDER BY dueAt LIMIT ?", [now, limit])
            .map(SettlingRecord.init)
    }

    package func settling(study uid: String) throws -> SettlingRecord? {
        try row("SELECT * FROM settling WHERE studyInstanceUID = ?", [uid]).map(SettlingRecord.init)
    }

    package func removeSettling(study uid: String) throws {
        try run("DELETE FROM settling WHERE studyInstanceUID = ?", [uid])
    }
}

// MARK: - Notices

extension RecordTransaction {
    /// Writes a notice; due at once.
    package func addNotice(
        destination: String, kind: String, study uid: String, revision: Int, messageID: String, body: String
    ) throws {
        try run(
            """
            INSERT INTO notice (destination, kind, studyInstanceUID, revision, messageID, body, state, createdAt, dueAt)
            VALUES (?, ?, ?, ?, ?, ?, 'waiting', ?, ?)
            """, [destination, kind, uid, revision, messageID, body, now, now])
    }

    /// The last notice of a study that a destination was told, or is being told; nil before the first.
    /// - Parameter withUntold: also what a person dropped before the receiver took any of it.
    package func lastNotice(
        destination: String, kind: String, study uid: String, withUntold: Bool = false
    ) throws -> NoticeRecord? {
        // An attempt that was not refused may have arrived.
        let select = """
            SELECT * FROM notice WHERE destination = ? AND kind = ? AND studyInstanceUID = ? AND state <> 'superseded'
                AND (? OR state <> 'dropped' OR attempts > refusals)
            ORDER BY revision DESC LIMIT 1
            """
        return try row(select, [destination, kind, uid, withUntold]).map(NoticeRecord.init)
    }

    /// The number of the next revision.
    package func nextRevision(destination: String, kind: String, study uid: String) throws -> Int {
        let select = """
            SELECT coalesce(max(revision), 0) + 1 AS next FROM notice
            WHERE destination = ? AND kind = ? AND studyInstanceUID = ?
            """
        return try row(select, [destination, kind, uid])?["next"] ?? 1
    }

    /// Notices that were never begun to be sent make way for a later one.
    package func supersedeNotices(destination: String, kind: String, study uid: String) throws {
        try run(
            """
            UPDATE notice SET state = 'superseded', endedAt = ?
            WHERE destination = ? AND kind = ? AND studyInstanceUID = ? AND state = 'waiting' AND attempts = 0
            """, [now, destination, kind, uid])
    }

    /// The notice that a destination is to be sent now: of each study only the earliest that waits.
    package func nextNotice(destination: String) throws -> NoticeRecord? {
        let select = """
            SELECT * FROM notice WHERE state = 'waiting' AND destination = ?1 AND dueAt <= ?2 AND NOT EXISTS (
                SELECT 1 FROM notice earlier WHERE earlier.state = 'waiting' AND earlier.destination = ?1
                    AND earlier.studyInstanceUID = notice.studyInstanceUID AND earlier.id < notice.id)
            ORDER BY dueAt, id LIMIT 1
            """
        return try row(select, [destination, now]).map(NoticeRecord.init)
    }

    /// An attempt begins: from here on the receiver may have it.
    package func noteAttempt(of notice: Int64) throws {
        try run("UPDATE notice SET attempts = attempts + 1 WHERE id = ?", [notice])
    }

    /// The attempt came to nothing before a byte was sent.
    package func takeBackAttempt(of notice: Int64, answer: String) throws {
        try run("UPDATE notice SET attempts = attempts - 1, answer = ? WHERE id = ?", [answer, notice])
    }

    /// The notice needs no further attempt.
    package func endNotice(_ id: Int64, _ state: NoticeRecord.State, answer: String) throws {
        try run(
            "UPDATE notice SET state = ?, answer = ?, endedAt = ? WHERE id = ? AND state = 'waiting'",
            [state.rawValue, answer, now, id])
    }

    /// The notice goes on waiting.
    package func postponeNotice(_ id: Int64, until dueAt: Int64, answer: String, isRefused: Bool) throws {
        try run(
            "UPDATE notice SET dueAt = ?, answer = ?, refusals = refusals + ? WHERE id = ? AND state = 'waiting'",
            [dueAt, answer, isRefused ? 1 : 0, id])
    }

    /// Whatever waits for a destination is tried at once, one notice of it or all.
    package func hastenNotices(destination: String, id: Int64? = nil) throws {
        try run(
            "UPDATE notice SET dueAt = ?1 WHERE state = 'waiting' AND destination = ?2 AND (?3 IS NULL OR id = ?3)",
            [now, destination, id])
    }

    /// Notices that ended before an instant and that a later one, which was told, has replaced: what a destination holds true
    /// of a study stays known. One that waits may still come to nothing.
    package func outlivedNotices(endedBefore instant: Int64, limit: Int) throws -> [Int64] {
        let select = """
            SELECT id FROM notice old WHERE endedAt < ?1 AND state <> 'waiting' AND EXISTS (
                SELECT 1 FROM notice later WHERE later.destination = old.destination AND later.kind = old.kind
                    AND later.studyInstanceUID = old.studyInstanceUID AND later.revision > old.revision
                    AND later.state = 'delivered')
            ORDER BY id LIMIT ?2
            """
        return try rows(select, [instant, limit]).map { $0[0] }
    }

    package func removeNotices(_ ids: [Int64]) throws {
        try run("DELETE FROM notice WHERE id IN (SELECT value FROM json_each(?))", [ListArgument.text(ids)])
    }

    package func notice(id: Int64) throws -> NoticeRecord {
        guard let row = try row("SELECT * FROM notice WHERE id = ?", [id]) else { throw RecordsError.notFound }
        return NoticeRecord(row)
    }

    /// Notices, the newest first; nil and empty for any.
    package func notices(
        state: NoticeRecord.State?, destination: String = "", study uid: String = "", before id: Int64 = .max,
        limit: Int
    ) throws -> [NoticeRecord] {
        let select = """
            SELECT * FROM notice WHERE id < ?1 AND (?2 IS NULL OR state = ?2) AND (?3 = '' OR destination = ?3)
                AND (?4 = '' OR studyInstanceUID = ?4)
            ORDER BY id DESC LIMIT ?5
            """
        return try rows(select, [id, state?.rawValue, destination, uid, limit]).map(NoticeRecord.init)
    }

    /// What waits, by destination.
    package func noticeBacklog() throws -> [NoticeBacklog] {
        let select = """
            SELECT destination, count(*) AS number, min(createdAt) AS oldest FROM notice WHERE state = 'waiting'
            GROUP BY destination ORDER BY destination
            """
        return try rows(select).map {
            NoticeBacklog(destination: $0["destination"], count: $0["number"], oldest: $0["oldest"])
        }
    }

    // MARK: Lines

    package func noticeLine(_ destination: String) throws -> NoticeLineRecord? {
        try row("SELECT * FROM noticeLine WHERE destination = ?", [destination]).map(NoticeLineRecord.init)
    }

    package func noticeLines() throws -> [NoticeLineRecord] {
        try rows("SELECT * FROM noticeLine ORDER BY destination").map(NoticeLineRecord.init)
    }

    /// Nothing gets through to a destination.
    package func setNoticeLine(
        _ destination: String, failures: Int, dueAt: Int64, isStopped: Bool, reason: String
    ) throws {
        try run(
            """
            INSERT INTO noticeLine (destination, failures, dueAt, isStopped, reason, since) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (destination) DO UPDATE SET failures = excluded.failures, dueAt = excluded.dueAt,
                isStopped = excluded.isStopped, reason = excluded.reason
            """, [destination, failures, dueAt, isStopped, reason, now])
    }

    /// The way to a destination is free.
    package func removeNoticeLine(_ destination: String) throws {
        try run("DELETE FROM noticeLine WHERE destination = ?", [destination])
    }

    /// Waits of an earlier run are over; what was stopped stays so, and what was refused waits on.
    package func forgetNoticeWaits() throws {
        try run(
            """
            UPDATE notice SET dueAt = ?1 WHERE state = 'waiting' AND dueAt > ?1 AND refusals = 0
                AND destination IN (SELECT destination FROM noticeLine WHERE isStopped = 0)
            """, [now])
        try run("DELETE FROM noticeLine WHERE isStopped = 0", [])
    }
}
