// Peers: the applications that this archive knows.

import Foundation
import GRDB

/// One application entity that may call this archive, and that it can call.
package struct Peer: Hashable, Sendable {
    /// The characters a peer can read in answers.
    package enum CharacterSet: String, CaseIterable, Sendable { case utf8, latin1, ascii }

    /// How urgent what a peer sends is: emergencies, daily work, migrations.
    package enum Priority: String, CaseIterable, Sendable { case stat, routine, bulk }

    /// What people call it; unique whatever the case.
    package let name: String
    package let aeTitle: String
    package let host: String
    package let port: Int
    package let characterSet: CharacterSet
    /// Associations at a time; nil when only the server's own limits hold.
    package let maxAssociations: Int?
    /// Nil when each request says for itself how urgent it is.
    package let priority: Priority?
    /// Whether it is called by DICOM TLS (PS3.15 Annex B.12).
    package let isSecure: Bool

    /// Checks every field (PS3.8 Section 9.3.2 and PS3.5 Table 6.2-1 for the AE title).
    package init(
        name: String, aeTitle: String, host: String, port: Int, characterSet: CharacterSet = .utf8,
        maxAssociations: Int? = nil, priority: Priority? = nil, isSecure: Bool = false
    ) throws(RecordsError) {
        let name = name.trimmingCharacters(in: .whitespaces)
        let aeTitle = aeTitle.trimmingCharacters(in: .whitespaces)
        let host = host.trimmingCharacters(in: .whitespaces)
        guard (1...64).contains(name.count),
            !name.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F })
        else { throw .invalid(field: "name", reason: "1 to 64 characters, none of them a control character") }
        guard Self.isAETitle(aeTitle) else {
            throw .invalid(field: "AE title", reason: "1 to 16 printable ASCII characters, no backslash")
        }
        guard (1...255).contains(host.utf8.count), host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .invalid(field: "host", reason: "a name or an address, without spaces")
        }
        guard !host.contains(":") else {
            throw .invalid(field: "host", reason: "a name or an IPv4 address, no port; IPv6 is not supported yet")
        }
        guard (1...65_535).contains(port) else { throw .invalid(field: "port", reason: "1 to 65535") }
        if let maxAssociations, maxAssociations < 1 {
            throw .invalid(field: "associations", reason: "1 or more")
        }
        self.name = name
        self.aeTitle = aeTitle
        self.host = host
        self.port = port
        self.characterSet = characterSet
        self.maxAssociations = maxAssociations
        self.priority = priority
        self.isSecure = isSecure
    }

    /// Whether a text can be an AE title: 1 to 16 characters of printable ASCII without backslash, not only spaces.
    package static func isAETitle(_ text: String) -> Bool {
        let bytes = text.utf8
        return (1...16).contains(bytes.count) && bytes.contains { $0 != 0x20 }
            && bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }
    }

    /// As it was stored: rules that came later must not hide a peer that an earlier version took.
    fileprivate init(_ row: Row) {
        name = row["name"]
        aeTitle = row["aeTitle"]
        host = row["host"]
        port = row["port"]
        characterSet = CharacterSet(rawValue: row["characterSet"]) ?? .utf8
        maxAssociations = row["maxAssociations"]
        priority = (row["priority"] as String?).flatMap(Priority.init)
        isSecure = row["isSecure"]
    }
}

extension RecordStore {
    /// Adds a peer; its name must be free.
    package func addPeer(_ peer: Peer) throws(RecordsError) {
        let at = now()
        try write { db in
            let taken = try Row.fetchOne(db, sql: "SELECT 1 FROM peer WHERE name = ?", arguments: [peer.name])
            guard taken == nil else { throw RecordsError.nameTaken }
            try db.execute(
                sql: """
                    INSERT INTO peer (name, aeTitle, host, port, characterSet, maxAssociations, priority, isSecure, addedAt)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    peer.name, peer.aeTitle, peer.host, peer.port, peer.characterSet.rawValue, peer.maxAssociations,
                    peer.priority?.rawValue, peer.isSecure, at,
                ])
            // Under a name that was free another archive may be reached than before.
            let records = RecordTransaction(db: db, now: at)
            try records.doubtProofs(ofPeer: peer.name)
            try records.note(
                PeerAddress(name: peer.name, aeTitle: peer.aeTitle, host: peer.host, port: peer.port))
        }
    }

    /// Removes a peer by its name, whatever the case.
    package func removePeer(named name: String) throws(RecordsError) {
        let at = now()
        try write { db in
            try db.execute(sql: "DELETE FROM peer WHERE name = ?", arguments: [name])
            guard db.changesCount > 0 else { throw RecordsError.notFound }
            // The configuration file may have another one of this name.
            try RecordTransaction(db: db, now: at).doubtProofs(ofPeer: name)
        }
    }

    /// Every peer, by name.
    package func peers() throws(RecordsError) -> [Peer] {
        try read { db in try Row.fetchAll(db, sql: "SELECT * FROM peer ORDER BY name").map(Peer.init) }
    }

    /// The peer of a name, whatever the case.
    package func peer(named name: String) throws(RecordsError) -> Peer? {
        try read { db in
            try Row.fetchOne(db, sql: "SELECT * FROM peer WHERE name = ?", arguments: [name]).map(Peer.init)
        }
    }

    /// Peers with an AE title, in the order in which they were added: a title is no proof of identity, and two sites
    /// may have chosen the same one.
    package func peers(aeTitle: String) throws(RecordsError) -> [Peer] {
        try read { db in
            let statement = try db.cachedStatement(sql: "SELECT * FROM peer WHERE aeTitle = ? ORDER BY id")
            return try Row.fetchAll(statement, arguments: [aeTitle.trimmingCharacters(in: .whitespaces)]).map(Peer.init)
        }
    }
}
