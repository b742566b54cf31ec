// Studies that the rules of forwarding are to look at.

import GRDB

extension RecordTransaction {
    /// What follows from a link is found out right after it; images that left before would have to be sent again.
    private static let grace: Int64 = 500_000

    /// The rules look at a study in a moment, again if they have: its images, its link or what is said of it changed.
    package func markForwarding(study uid: String) throws {
        try run(
            """
            INSERT INTO forwardingLook (studyInstanceUID, marks, dueAt) VALUES (?, 1, ?)
            ON CONFLICT (studyInstanceUID) DO UPDATE SET marks = marks + 1, dueAt = min(dueAt, excluded.dueAt)
            """, [uid, now + Self.grace])
    }

    /// The rules look again at what may not leave: for one destination, or all.
    package func markRefused(destination: String? = nil) throws {
        try run(
            """
            INSERT INTO forwardingLook (studyInstanceUID, marks, dueAt)
            SELECT DISTINCT studyInstanceUID, 1, ?1 FROM shipment
            WHERE state = 'refused' AND (?2 IS NULL OR destination = ?2)
            ON CONFLICT (studyInstanceUID) DO UPDATE SET marks = marks + 1, dueAt = min(dueAt, excluded.dueAt)
            """, [now, destination])
    }

    /// Studies to look at now, with the number of their marks, the longest due first.
    package func markedForwarding(limit: Int) throws -> [(study: String, marks: Int)] {
        try rows(
            "SELECT studyInstanceUID, marks FROM forwardingLook WHERE dueAt <= ? ORDER BY dueAt LIMIT ?", [now, limit]
        ).map { ($0["studyInstanceUID"], $0["marks"]) }
    }

    /// The rules have looked, as of so many marks; one that was marked since is looked at again.
    package func unmarkForwarding(study uid: String, marks: Int) throws {
        try run("DELETE FROM forwardingLook WHERE studyInstanceUID = ? AND marks = ?", [uid, marks])
    }

    /// A study that cannot be looked at now keeps nobody else waiting.
    package func postponeForwarding(study uid: String, by wait: Int64) throws {
        try run("UPDATE forwardingLook SET dueAt = ? WHERE studyInstanceUID = ?", [now + wait, uid])
    }
}
