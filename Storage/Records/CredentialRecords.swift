// What proves an account: sessions of browsers, tokens of programs.

import Foundation
import GRDB

/// A browser that is signed in, by an account or by a link.
package struct SessionRecord: Hashable, Sendable {
    package let id: Int64
    package let account: Int64
    package let link: Int64?
    package let createdAt: Int64
    package let lastUsedAt: Int64
    package let expiresAt: Int64

    fileprivate init(_ row: Row) {
        id = row["id"]
        account = row["account"]
        link = row["link"]
        createdAt = row["createdAt"]
        lastUsedAt = row["lastUsedAt"]
        expiresAt = row["expiresAt"]
    }
}

/// A token of a program.
package struct TokenRecord: Hashable, Sendable {
    package let id: Int64
    package let account: Int64
    package let accountName: String
    /// What people call it.
    package let name: String
    /// Nil: those of the account.
    package let roles: Set<String>?
    package let createdAt: Int64
    package let expiresAt: Int64?
    package let revokedAt: Int64?

    fileprivate init(_ row: Row) {
        id = row["id"]
        account = row["account"]
        accountName = row["accountName"]
        name = row["name"]
        roles = (row["roles"] as String?).map(Words.set)
        createdAt = row["createdAt"]
        expiresAt = row["expiresAt"]
        revokedAt = row["revokedAt"]
    }
}

extension RecordStore {
    /// Sessions that one account, or one link, has at most; the longest unused give way.
    package static let mostSessions = 50

    /// Starts a session. - Parameter digest: SHA-256 of the secret.
    package func addSession(
        digest: [UInt8], account: Int64, link: Int64? = nil, address: String, expiresAt: Int64
    ) throws(RecordsError) -> Int64 {
        let at = now()
        return try write { db in
            try db.execute(sql: "DELETE FROM session WHERE expiresAt <= ?", arguments: [at])
            try db.execute(
                sql: """
                    INSERT INTO session (digest, account, link, address, createdAt, lastUsedAt, expiresAt)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)
                    """, arguments: [Data(digest), account, link, address, at, expiresAt])
            let id = db.lastInsertedRowID
            try db.execute(
                sql: """
                    DELETE FROM session WHERE id IN (
                        SELECT id FROM session WHERE account = ? AND link IS ?
                        ORDER BY lastUsedAt DESC, id DESC LIMIT -1 OFFSET ?)
                    """, arguments: [account, link, Self.mostSessions])
            return id
        }
    }

    package func session(digest: [UInt8]) throws(RecordsError) -> SessionRecord? {
        try read { db in
            let statement = try db.cachedStatement(sql: "SELECT * FROM session WHERE digest = ?")
            return try Row.fetchOne(statement, arguments: [Data(digest)]).map(SessionRecord.init)
        }
    }

    /// Notes when a session was used last; one that is gone stays gone.
    package func touchSession(id: Int64, at: Int64) throws(RecordsError) {
        try write { db in
            try db.execute(
                sql: "UPDATE session SET lastUsedAt = max(lastUsedAt, ?) WHERE id = ?", arguments: [at, id])
        }
    }

    /// Ends a session; one that is gone already is no failure.
    package func removeSession(id: Int64) throws(RecordsError) {
        try write { db in try db.execute(sql: "DELETE FROM session WHERE id = ?", arguments: [id]) }
    }

    /// Ends every session of an account, those of its links included.
    package func removeSessions(account: Int64) throws(RecordsError) {
        try write { db in try db.execute(sql: "DELETE FROM session WHERE account = ?", arguments: [account]) }
    }

    private static let tokenColumns =
        "SELECT token.*, account.name AS accountName FROM token JOIN account ON account.id = account"

    package func addToken(
        digest: [UInt8], account: Int64, name: String, roles: Set<String>?, expiresAt: Int64?
    ) throws(RecordsError) -> Int64 {
        let at = now()
        return try write { db in
            try db.execute(
                sql: """
                    INSERT INTO token (digest, account, name, roles, createdAt, expiresAt) VALUES (?, ?, ?, ?, ?, ?)
                    """, arguments: [Data(digest), account, name, roles.map(Words.text), at, expiresAt])
            return db.lastInsertedRowID
        }
    }

    package func token(digest: [UInt8]) throws(RecordsError) -> TokenRecord? {
        try read { db in
            let statement = try db.cachedStatement(sql: "\(Self.tokenColumns) WHERE digest = ?")
            return try Row.fetchOne(statement, arguments: [Data(digest)]).map(TokenRecord.init)
        }
    }

    package func token(id: Int64) throws(RecordsError) -> TokenRecord? {
        try read { db in
            try Row.fetchOne(db, sql: "\(Self.tokenColumns) WHERE token.id = ?", arguments: [id]).map(TokenRecord.init)
        }
    }

    /// Every token, or those of one account, the oldest first.
    package func tokens(account: Int64? = nil) throws(RecordsError) -> [TokenRecord] {
        try read { db in
            let select = "\(Self.tokenColumns) WHERE ?1 IS NULL OR account = ?1 ORDER BY token.id"
            return try Row.fetchAll(db, sql: select, arguments: [account]).map(TokenRecord.init)
        }
    }

    /// Revokes a token; the first revocation counts.
    package func revokeToken(id: Int64) throws(RecordsError) {
        try change("UPDATE token SET revokedAt = coalesce(revokedAt, ?) WHERE id = ?", [now(), id])
    }
}
