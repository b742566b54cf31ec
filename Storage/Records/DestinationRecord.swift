// Where studies are sent on to.

import GRDB

/// How a destination is reached, and what is due there.
package struct DestinationSettings: Codable, Hashable, Sendable, Blank {
    /// The protocol of a destination.
    package enum Way: String, Codable, CaseIterable, Sendable {
        /// C-STORE over an association (PS3.4 Annex B).
        case dimse
        /// STOW-RS (PS3.18 Section 10.5).
        case dicomweb
        /// Another archive of this kind: only what is missing, in pieces that resume, with a signed receipt.
        case phim
    }

    package var way = Way.dimse
    /// `dimse`: name of the peer.
    package var peer = ""
    /// `dicomweb`: the root of its services; `phim`: the address of its page.
    package var url = ""
    /// File with what HTTP sends as `Authorization`: a bearer token, or `name:password`. Relative to the data directory.
    package var tokenFile = ""
    /// PEM files, relative to the data directory: whom to trust, and who we are (mutual TLS).
    package var caFile = ""
    package var certificateFile = ""
    package var keyFile = ""
    /// `dimse`: DICOM TLS (PS3.15 Annex B.12), also without a certificate of our own.
    package var isSecure = false
    /// `dimse`: whether it is asked for storage commitment (PS3.4 Annex J).
    package var commits = false
    /// Associations or connections at a time, at most.
    package var lanes = 2
    /// The week's rates, such as `mon-fri 06:00-20:00 2M`; outside them the line is all ours.
    package var timetable: [String] = []
    /// Whether nothing leaves without a legal basis.
    package var needsLegalBasis = false
    /// First and last day of the contract with the partner, `yyyymmdd`; empty: open.
    package var contractFrom = ""
    package var contractUntil = ""
    /// `phim`: the key by which its receipts are known (Ed25519, base64), written down at the first contact.
    package var receiptKey = ""

    package init() {}

    /// Whether it is asked for proof of what it takes.
    package var givesProof: Bool {
        switch way {
        case .dimse: commits
        case .dicomweb: false
        case .phim: true
        }
    }

    /// Whether a connection that was made under the others serves under these: the same end, and the same credentials.
    package func isSameWay(as other: DestinationSettings) -> Bool {
        way == other.way && url == other.url && peer.lowercased() == other.peer.lowercased()
            && isSecure == other.isSecure
            && tokenFile == other.tokenFile && caFile == other.caFile && certificateFile == other.certificateFile
            && keyFile == other.keyFile
    }

    /// Whether these lead to the archive to which others led, so that its proofs still count.
    func isSameArchive(as other: DestinationSettings) -> Bool {
        way == other.way && url == other.url && peer.lowercased() == other.peer.lowercased()
            && (other.receiptKey.isEmpty || receiptKey == other.receiptKey)
    }
}

/// One destination, and what is known of the line there.
package struct DestinationRecord: Hashable, Sendable {
    package let name: String
    package let settings: DestinationSettings
    package let isPaused: Bool
    /// In a row.
    package let failures: Int
    /// When it is tried again, microseconds since 1970.
    package let dueAt: Int64
    package let isStopped: Bool
    package let reason: String
    package let since: Int64?
    package let reachedAt: Int64?
    /// The configuration file says what it is: it is changed there.
    package let isFromFile: Bool
    /// Since when it is this archive, microseconds since 1970: what was proven before was proven by another.
    package let changedAt: Int64

    init(_ row: Row) throws {
        name = row["name"]
        settings = try Body.value(row["body"])
        isPaused = row["isPaused"]
        failures = row["failures"]
        dueAt = row["dueAt"]
        isStopped = row["isStopped"]
        reason = row["reason"]
        since = row["since"]
        reachedAt = row["reachedAt"]
        isFromFile = row["isFromFile"]
        changedAt = row["changedAt"]
    }
}

extension RecordTransaction {
    /// Adds a destination, or changes how it is reached. Where it leads to another archive then, what was proven there
    /// does not count any more, and is asked for anew.
    package func putDestination(_ name: String, _ settings: DestinationSettings) throws {
        guard (1...64).contains(name.count), !name.contains(where: \.isNewline) else {
            throw RecordsError.invalid(field: "name", reason: "1 to 64 characters")
        }
        let known = try destination(name)
        try run(
            """
            INSERT INTO destination (name, body, addedAt) VALUES (?, ?, ?)
            ON CONFLICT (name) DO UPDATE SET body = excluded.body
            """, [name, Body.text(settings), now])
        // One that was removed and is there again may be any archive.
        if let known, settings.isSameArchive(as: known.settings) { return }
        try doubtProofs(ofDestination: name)
    }

    /// Throws `.invalid` while routes lead there.
    package func removeDestination(_ name: String) throws {
        guard try row("SELECT 1 FROM route WHERE destination = ?", [name]) == nil else {
            throw RecordsError.invalid(field: "destination", reason: "routes lead there; remove them first")
        }
        try run("DELETE FROM destination WHERE name = ?", [name])
        guard db.changesCount > 0 else { throw RecordsError.notFound }
    }

    package func destinations() throws -> [DestinationRecord] {
        try rows("SELECT * FROM destination ORDER BY name").map(DestinationRecord.init)
    }

    package func destination(_ name: String) throws -> DestinationRecord? {
        try row("SELECT * FROM destination WHERE name = ?", [name]).map(DestinationRecord.init)
    }

    /// A person stops and restarts what goes there.
    package func pauseDestination(_ name: String, _ isPaused: Bool) throws {
        try run("UPDATE destination SET isPaused = ? WHERE name = ?", [isPaused, name])
        guard db.changesCount > 0 else { throw RecordsError.notFound }
    }

    /// Nothing gets through.
    package func closeDestination(_ name: String, failures: Int, dueAt: Int64, isStopped: Bool, reason: String) throws {
        try run(
            """
            UPDATE destination SET failures = ?, dueAt = ?, isStopped = ?, reason = ?, since = coalesce(since, ?)
            WHERE name = ?
            """, [failures, dueAt, isStopped, reason, now, name])
    }

    /// The line is free.
    package func openDestination(_ name: String, isReached: Bool) throws {
        try run(
            """
            UPDATE destination SET failures = 0, dueAt = 0, isStopped = 0, reason = '', since = NULL,
                reachedAt = CASE WHEN ?2 THEN ?3 ELSE reachedAt END WHERE name = ?1
            """, [name, isReached, now])
    }

    /// The line, or every line, is tried again at once; what was stopped stays so.
    package func forgetDestinationWaits(_ name: String? = nil) throws {
        try run("UPDATE destination SET dueAt = 0 WHERE isStopped = 0 AND (?1 IS NULL OR name = ?1)", [name])
    }
}
