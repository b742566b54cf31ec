// Studies opened to others: grants to accounts, links for whoever holds them.

import Foundation
import GRDB

/// One study that one account may see.
package struct GrantRecord: Hashable, Sendable {
    package let account: String
    package let studyInstanceUID: String
    package let grantedBy: String
    package let createdAt: Int64
    package let expiresAt: Int64?

    fileprivate init(_ row: Row) {
        account = row["name"]
        studyInstanceUID = row["studyInstanceUID"]
        grantedBy = row["grantedBy"]
        createdAt = row["createdAt"]
        expiresAt = row["expiresAt"]
    }
}

/// What a link opens.
package enum LinkSubject: Hashable, Sendable {
    /// One study, by its UID.
    case study(String)
    /// The images of one visit, those that come later as well.
    case encounter(Int64)
    /// The images of one order.
    case procedure(Int64)

    /// Nil for what is not known by its study.
    package var studyInstanceUID: String? {
        if case .study(let uid) = self { uid } else { nil }
    }

    /// The columns of a link: study, visit, order.
    fileprivate var columns: (study: String, encounter: Int64?, procedure: Int64?) {
        switch self {
        case .study(let uid): (uid, nil, nil)
        case .encounter(let id): ("", id, nil)
        case .procedure(let id): ("", nil, id)
        }
    }
}

/// A link for whoever holds it.
package struct LinkRecord: Hashable, Sendable {
    package let id: Int64
    package let subject: LinkSubject
    /// Who shared it.
    package let account: Int64
    package let accountName: String
    package let createdAt: Int64
    package let expiresAt: Int64
    package let revokedAt: Int64?
    /// How often it was opened.
    package let useCount: Int
    package let mostUses: Int?
    package let lastUsedAt: Int64?

    fileprivate init(_ row: Row) {
        id = row["id"]
        if let encounter = row["encounter"] as Int64? {
            subject = .encounter(encounter)
        } else if let procedure = row["procedure"] as Int64? {
            subject = .procedure(procedure)
        } else {
            subject = .study(row["studyInstanceUID"])
        }
        account = row["account"]
        accountName = row["accountName"]
        createdAt = row["createdAt"]
        expiresAt = row["expiresAt"]
        revokedAt = row["revokedAt"]
        useCount = row["useCount"]
        mostUses = row["mostUses"]
        lastUsedAt = row["lastUsedAt"]
    }
}

extension RecordStore {
    /// Grants a study; a later grant to the same account takes the place of the earlier.
    package func addGrant(
        account: Int64, studyInstanceUID: String, grantedBy: String, expiresAt: Int64?
    ) throws(RecordsError) {
        try change(
            """
            INSERT INTO studyGrant (account, studyInstanceUID, grantedBy, createdAt, expiresAt) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (account, studyInstanceUID) DO UPDATE SET
                grantedBy = excluded.grantedBy, createdAt = excluded.createdAt, expiresAt = excluded.expiresAt
            """, [account, studyInstanceUID, grantedBy, now(), expiresAt])
    }

    package func removeGrant(account: Int64, studyInstanceUID: String) throws(RecordsError) {
        try change(
            "DELETE FROM studyGrant WHERE account = ? AND studyInstanceUID = ?", [account, studyInstanceUID])
    }

    /// Grants of one study, by account; expired ones are listed as well.
    package func grants(studyInstanceUID: String) throws(RecordsError) -> [GrantRecord] {
        try read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT studyGrant.*, account.name FROM studyGrant JOIN account ON account.id = account
                    WHERE studyInstanceUID = ? ORDER BY account.name
                    """, arguments: [studyInstanceUID]
            ).map(GrantRecord.init)
        }
    }

    /// Studies that an account was granted and that it may see at this moment, with when the first of them ends.
    package func grantedStudies(
        account: Int64, at: Int64
    ) throws(RecordsError) -> (studies: Set<String>, until: Int64?) {
        try read { db in
            let statement = try db.cachedStatement(
                sql: """
                    SELECT studyInstanceUID, expiresAt FROM studyGrant
                    WHERE account = ? AND (expiresAt IS NULL OR expiresAt > ?)
                    """)
            let rows = try Row.fetchAll(statement, arguments: [account, at])
            return (Set(rows.map { $0[0] }), rows.compactMap { $0[1] as Int64? }.min())
        }
    }

    private static let linkColumns =
        "SELECT link.*, account.name AS accountName FROM link JOIN account ON account.id = account"

    package func addLink(
        digest: [UInt8], subject: LinkSubject, account: Int64, expiresAt: Int64, mostUses: Int?
    ) throws(RecordsError) -> Int64 {
        let at = now()
        let columns = subject.columns
        return try write { db in
            try db.execute(
                sql: """
                    INSERT INTO link (digest, studyInstanceUID, encounter, procedure, account, createdAt, expiresAt,
                        mostUses)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    Data(digest), columns.study, columns.encounter, columns.procedure, account, at, expiresAt, mostUses,
                ])
            return db.lastInsertedRowID
        }
    }

    package func link(digest: [UInt8]) throws(RecordsError) -> LinkRecord? {
        try read { db in
            try Row.fetchOne(db, sql: "\(Self.linkColumns) WHERE digest = ?", arguments: [Data(digest)])
                .map(LinkRecord.init)
        }
    }

    package func link(id: Int64) throws(RecordsError) -> LinkRecord? {
        try read { db in
            let statement = try db.cachedStatement(sql: "\(Self.linkColumns) WHERE link.id = ?")
            return try Row.fetchOne(statement, arguments: [id]).map(LinkRecord.init)
        }
    }

    /// Links to one study, or all, the oldest first.
    package func links(studyInstanceUID: String? = nil) throws(RecordsError) -> [LinkRecord] {
        try read { db in
            let select = "\(Self.linkColumns) WHERE ?1 IS NULL OR studyInstanceUID = ?1 ORDER BY link.id"
            return try Row.fetchAll(db, sql: select, arguments: [studyInstanceUID]).map(LinkRecord.init)
        }
    }

    /// Counts one opening; false when the link is at its end at this moment.
    package func useLink(id: Int64) throws(RecordsError) -> Bool {
        let at = now()
        return try write { db in
            try db.execute(
                sql: """
                    UPDATE link SET useCount = useCount + 1, lastUsedAt = ?1
                    WHERE id = ?2 AND revokedAt IS NULL AND expiresAt > ?1 AND (mostUses IS NULL OR useCount < mostUses)
                    """, arguments: [at, id])
            return db.changesCount > 0
        }
    }

    /// Revokes a link and ends the sessions that it began.
    package func revokeLink(id: Int64) throws(RecordsError) {
        let at = now()
        try write { db in
            try db.execute(
                sql: "UPDATE link SET revokedAt = coalesce(revokedAt, ?) WHERE id = ?", arguments: [at, id])
            guard db.changesCount > 0 else { throw RecordsError.notFound }
            try db.execute(sql: "DELETE FROM session WHERE link = ?", arguments: [id])
        }
    }

    /// The studies that a link opens at this moment.
    package func studies(openedBy subject: LinkSubject) throws(RecordsError) -> Set<String> {
        let columns = subject.columns
        guard columns.encounter != nil || columns.procedure != nil else { return [columns.study] }
        return try read { db in
            let statement = try db.cachedStatement(
                sql: """
                    SELECT studyInstanceUID FROM studyLink WHERE encounter = ?1 AND undoneAt IS NULL
                    UNION SELECT studyInstanceUID FROM studyLink WHERE procedure = ?2 AND undoneAt IS NULL
                    UNION SELECT studyLink.studyInstanceUID FROM requestedProcedure
                        JOIN studyLink ON studyLink.procedure = requestedProcedure.id AND undoneAt IS NULL
                        WHERE requestedProcedure.encounter = ?1
                    """)
            return Set(try Row.fetchAll(statement, arguments: [columns.encounter, columns.procedure]).map { $0[0] })
        }
    }
}
