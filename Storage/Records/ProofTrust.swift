// How far a proof is trusted: for a day, of the archive that gave it, and what this archive has proven to others.

import GRDB

/// What of proofs is the same for the records and for those who ask them.
package enum ProofTrust {
    /// So long something may be given up because of a proof, in microseconds; an older one is asked for anew.
    package static let lasting: Int64 = 86_400_000_000
}

/// Which archive is called by the name of a peer.
package struct PeerAddress: Hashable, Sendable {
    package let name: String
    package let aeTitle: String
    package let host: String
    package let port: Int

    package init(name: String, aeTitle: String, host: String, port: Int) {
        self.name = name
        self.aeTitle = aeTitle
        // Names of hosts are the same in either case (RFC 4343).
        self.host = host.lowercased()
        self.port = port
    }
}

/// Somebody was told that objects of a study are kept here.
package struct PromiseRecord: Hashable, Sendable {
    package let kind: ReceiptRecord.Kind
    /// AE title or account of who asked.
    package let whom: String

    init(_ row: Row) {
        kind = ReceiptRecord.Kind(rawValue: row["kind"]) ?? .signature
        whom = row["whom"]
    }
}

// MARK: - Proofs that were given to us

extension RecordTransaction {
    /// The destination is another archive from now on: what is proven is to be proven anew, and what had begun begins
    /// anew. What was given up already stays as it was proven.
    func doubtProofs(ofDestination name: String) throws {
        try run("UPDATE destination SET changedAt = ? WHERE name = ?", [now, name])
        // What was asked was asked of the archive before, also where the clock was set back since.
        try run(
            """
            UPDATE receipt SET askedAt = ?1 WHERE answeredAt IS NULL AND askedAt > ?1
                AND shipment IN (SELECT id FROM shipment WHERE destination = ?2)
            """, [now, name])
        try run(
            """
            UPDATE shipment SET refusals = 0, dueAt = ?1, proof = '', committedAt = NULL, state = 'sent',
                answer = CASE state WHEN 'committed' THEN 'the destination was changed: it is to be proven anew' ELSE '' END
            WHERE destination = ?2 AND state IN ('sent', 'committed')
                AND NOT EXISTS (SELECT 1 FROM purge WHERE purge.studyInstanceUID = shipment.studyInstanceUID)
            """, [now, name])
        let begun = """
            destination = ? AND state IN ('waiting', 'refused', 'dropped', 'withdrawn') AND sentInstances > 0
                AND NOT EXISTS (SELECT 1 FROM purge WHERE purge.studyInstanceUID = shipment.studyInstanceUID)
            """
        // What was proven may have been given up here since: it stays known where it is, and what is here is asked for anew.
        try run(
            "DELETE FROM shipped WHERE committedAt IS NULL AND shipment IN (SELECT id FROM shipment WHERE \(begun))",
            [name])
        try run(
            """
            UPDATE shipment SET (sentInstances, sentOctets) =
                (SELECT count(*), coalesce(sum(octets), 0) FROM shipped WHERE shipped.shipment = shipment.id)
            WHERE \(begun)
            """, [name])
    }

    /// As of one destination, of all that are reached as this peer.
    func doubtProofs(ofPeer name: String) throws {
        for destination in try destinations() where destination.settings.way == .dimse {
            guard destination.settings.peer.lowercased() == name.lowercased() else { continue }
            try doubtProofs(ofDestination: destination.name)
        }
    }

    /// Writes down where peers are. One that was elsewhere, or had another title, when it was last written down is another
    /// archive: as of `doubtProofs(ofPeer:)`.
    package func meet(_ peers: [PeerAddress]) throws {
        for peer in peers {
            let known = try row("SELECT * FROM peerAddress WHERE name = ?", [peer.name]).map { row in
                PeerAddress(name: peer.name, aeTitle: row["aeTitle"], host: row["host"], port: row["port"])
            }
            if known == peer { continue }
            if known != nil { try doubtProofs(ofPeer: peer.name) }
            try note(peer)
        }
    }

    func note(_ peer: PeerAddress) throws {
        try run(
            """
            INSERT INTO peerAddress (name, aeTitle, host, port) VALUES (?, ?, ?, ?)
            ON CONFLICT (name) DO UPDATE SET aeTitle = excluded.aeTitle, host = excluded.host, port = excluded.port
            """, [peer.name, peer.aeTitle, peer.host, peer.port])
    }

    /// A proof that is too old is asked for anew: until it comes, the study is sent and no more.
    package func doubtProof(ofShipment id: Int64) throws {
        try run(
            """
            UPDATE shipment SET refusals = 0, dueAt = ?1, proof = '', committedAt = NULL, state = 'sent', doubtedAt = ?1,
                answer = 'its proof is asked for anew'
            WHERE id = ?2 AND state = 'committed'
                AND NOT EXISTS (SELECT 1 FROM purge WHERE purge.studyInstanceUID = shipment.studyInstanceUID)
            """, [now, id])
    }

    /// Studies whose proof was asked for anew since then, and has not come yet; with their octets.
    package func doubtedShipments(since instant: Int64) throws -> (studies: Int, octets: Int64) {
        let select = """
            SELECT count(*), coalesce(sum(octets), 0) FROM shipment
            WHERE state = 'sent' AND doubtedAt > ? AND doubtedAt <= ?
            """
        guard let row = try row(select, [instant, now]) else { return (0, 0) }
        return (row[0], row[1])
    }
}

// MARK: - Proofs that we give

extension RecordTransaction {
    /// Somebody is about to be told that objects of these studies are kept here: written down before it is said.
    /// - Returns: False where one of them is being given up here, or was: nothing may be said of it now.
    package func promise(studies: Set<String>, to whom: String, _ kind: ReceiptRecord.Kind) throws -> Bool {
        for uid in studies where try isPurged(study: uid) { return false }
        for uid in studies {
            try run(
                "INSERT INTO promise (studyInstanceUID, kind, whom, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [uid, kind.rawValue, whom, now])
        }
        return true
    }

    package func promises(ofStudy uid: String) throws -> [PromiseRecord] {
        try rows("SELECT kind, whom FROM promise WHERE studyInstanceUID = ? ORDER BY kind, whom", [uid])
            .map(PromiseRecord.init)
    }
}
