// Accounts: people and programs that may sign in.

import Foundation
import GRDB

/// A password as it is kept: the scrypt output with what made it (RFC 7914 Section 6).
package struct PasswordRecord: Hashable, Sendable {
    package let hash: [UInt8]
    package let salt: [UInt8]
    /// N: a power of two.
    package let rounds: Int
    /// r
    package let blockSize: Int
    /// p
    package let parallelism: Int

    package init(hash: [UInt8], salt: [UInt8], rounds: Int, blockSize: Int, parallelism: Int) {
        self.hash = hash
        self.salt = salt
        self.rounds = rounds
        self.blockSize = blockSize
        self.parallelism = parallelism
    }

    fileprivate init?(_ row: Row) {
        guard let hash = row["passwordHash"] as Data?, let salt = row["passwordSalt"] as Data?,
            let cost = row["passwordCost"] as String?
        else { return nil }
        let numbers = cost.split(separator: ",").compactMap { Int($0) }
        guard numbers.count == 3 else { return nil }
        self.init(
            hash: [UInt8](hash), salt: [UInt8](salt), rounds: numbers[0], blockSize: numbers[1],
            parallelism: numbers[2])
    }

    fileprivate var cost: String { "\(rounds),\(blockSize),\(parallelism)" }
}

/// One account.
package struct AccountRecord: Hashable, Sendable {
    package let id: Int64
    /// Unique whatever the case.
    package let name: String
    /// In the words of the rules; words that are not known there mean nothing.
    package let roles: Set<String>
    /// Nil for accounts that sign in elsewhere or by token alone.
    package let password: PasswordRecord?
    package let mustChangePassword: Bool
    package let isDisabled: Bool
    package let failedAttempts: Int
    /// Microseconds since 1970.
    package let lockedUntil: Int64?
    /// Of the identity provider that vouches for it.
    package let issuer: String?
    package let createdAt: Int64

    fileprivate init(_ row: Row) {
        id = row["id"]
        name = row["name"]
        roles = Words.set(row["roles"])
        password = PasswordRecord(row)
        mustChangePassword = row["mustChangePassword"]
        isDisabled = row["isDisabled"]
        failedAttempts = row["failedAttempts"]
        lockedUntil = row["lockedUntil"]
        issuer = row["issuer"]
        createdAt = row["createdAt"]
    }

    /// Whether a text can be an account's name.
    package static func isName(_ text: String) -> Bool {
        (1...64).contains(text.count) && text == text.trimmingCharacters(in: .whitespacesAndNewlines)
            && !text.unicodeScalars.contains { CharacterSet.controlCharacters.contains($0) }
    }
}

/// Sets of words in one column.
enum Words {
    static func text(_ words: Set<String>) -> String { words.sorted().joined(separator: ",") }
    static func set(_ text: String) -> Set<String> { Set(text.split(separator: ",").map(String.init)) }
}

extension RecordStore {
    /// Adds an account; its name must be free.
    package func addAccount(
        name: String, roles: Set<String>, password: PasswordRecord?, mustChangePassword: Bool = false,
        identity: (issuer: String, subject: String)? = nil
    ) throws(RecordsError) -> AccountRecord {
        guard AccountRecord.isName(name) else {
            throw .invalid(field: "name", reason: "1 to 64 characters, no control characters, no spaces around")
        }
        let at = now()
        return try write { db in
            let taken = try Row.fetchOne(db, sql: "SELECT 1 FROM account WHERE name = ?", arguments: [name])
            guard taken == nil else { throw RecordsError.nameTaken }
            try db.execute(
                sql: """
                    INSERT INTO account (name, roles, passwordHash, passwordSalt, passwordCost, mustChangePassword,
                        issuer, subject, createdAt)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    name, Words.text(roles), password.map { Data($0.hash) }, password.map { Data($0.salt) },
                    password?.cost, mustChangePassword, identity?.issuer, identity?.subject, at,
                ])
            return try Self.account(db, "id = ?", [db.lastInsertedRowID])
        }
    }

    /// The account of a name, whatever the case.
    package func account(named name: String) throws(RecordsError) -> AccountRecord? {
        try read { db in
            try Row.fetchOne(db, sql: "SELECT * FROM account WHERE name = ?", arguments: [name]).map(AccountRecord.init)
        }
    }

    package func account(id: Int64) throws(RecordsError) -> AccountRecord? {
        try read { db in
            let statement = try db.cachedStatement(sql: "SELECT * FROM account WHERE id = ?")
            return try Row.fetchOne(statement, arguments: [id]).map(AccountRecord.init)
        }
    }

    /// The account that an identity provider vouches for.
    package func account(issuer: String, subject: String) throws(RecordsError) -> AccountRecord? {
        try read { db in
            let select = "SELECT * FROM account WHERE issuer = ? AND subject = ?"
            return try Row.fetchOne(db, sql: select, arguments: [issuer, subject]).map(AccountRecord.init)
        }
    }

    /// Every account, by name.
    package func accounts() throws(RecordsError) -> [AccountRecord] {
        try read { db in try Row.fetchAll(db, sql: "SELECT * FROM account ORDER BY name").map(AccountRecord.init) }
    }

    package func setRoles(_ roles: Set<String>, account id: Int64) throws(RecordsError) {
        try change("UPDATE account SET roles = ? WHERE id = ?", [Words.text(roles), id])
    }

    /// Enabling also forgets failed attempts; disabling ends every session.
    package func setDisabled(_ isDisabled: Bool, account id: Int64) throws(RecordsError) {
        try write { db in
            try db.execute(
                sql: "UPDATE account SET isDisabled = ?, failedAttempts = 0, lockedUntil = NULL WHERE id = ?",
                arguments: [isDisabled, id])
            guard db.changesCount > 0 else { throw RecordsError.notFound }
            if isDisabled { try db.execute(sql: "DELETE FROM session WHERE account = ?", arguments: [id]) }
        }
    }

    /// Sets a password, forgets failed attempts, and ends the account's own sessions but the one given.
    package func setPassword(
        _ password: PasswordRecord, mustChange: Bool, account id: Int64, keeping session: Int64? = nil
    ) throws(RecordsError) {
        try write { db in
            try db.execute(
                sql: """
                    UPDATE account SET passwordHash = ?, passwordSalt = ?, passwordCost = ?, mustChangePassword = ?,
                        failedAttempts = 0, lockedUntil = NULL
                    WHERE id = ?
                    """,
                arguments: [Data(password.hash), Data(password.salt), password.cost, mustChange, id])
            guard db.changesCount > 0 else { throw RecordsError.notFound }
            try db.execute(
                sql: "DELETE FROM session WHERE account = ? AND link IS NULL AND id IS NOT ?",
                arguments: [id, session])
        }
    }

    /// Keeps the same password under other parameters.
    package func renewPassword(_ password: PasswordRecord, account id: Int64) throws(RecordsError) {
        try change(
            "UPDATE account SET passwordHash = ?, passwordSalt = ?, passwordCost = ? WHERE id = ?",
            [Data(password.hash), Data(password.salt), password.cost, id])
    }

    /// Counts a failed attempt; the `most`-th in a row locks the account until the time given and starts the count anew.
    package func noteFailedAttempt(
        account id: Int64, most: Int, lockingUntil until: Int64
    ) throws(RecordsError) -> Bool {
        try write { db in
            try db.execute(
                sql: "UPDATE account SET failedAttempts = failedAttempts + 1 WHERE id = ?", arguments: [id])
            try db.execute(
                sql: """
                    UPDATE account SET lockedUntil = ?, failedAttempts = 0 WHERE id = ? AND failedAttempts >= ?
                    """, arguments: [until, id, most])
            return db.changesCount > 0
        }
    }

    package func forgetFailedAttempts(account id: Int64) throws(RecordsError) {
        try change("UPDATE account SET failedAttempts = 0, lockedUntil = NULL WHERE id = ?", [id])
    }

    /// Removes an account with its sessions, tokens, grants and links.
    package func removeAccount(id: Int64) throws(RecordsError) {
        try change("DELETE FROM account WHERE id = ?", [id])
    }

    private static func account(
        _ db: Database, _ condition: String, _ arguments: StatementArguments
    ) throws -> AccountRecord {
        let row = try Row.fetchOne(db, sql: "SELECT * FROM account WHERE \(condition)", arguments: arguments)
        guard let row else { throw RecordsError.notFound }
        return AccountRecord(row)
    }

    /// One statement that must change something.
    func change(_ sql: String, _ arguments: StatementArguments) throws(RecordsError) {
        try write { db in
            try db.cachedStatement(sql: sql).execute(arguments: arguments)
            guard db.changesCount > 0 else { throw RecordsError.notFound }
        }
    }
}
