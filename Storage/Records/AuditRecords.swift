// The audit trail on disk: a chain in which every row seals the one before.

import Crypto
import Foundation
import GRDB

/// One line of the trail before it has its place in the chain.
package struct AuditEntry: Hashable, Sendable {
    /// Microseconds since 1970.
    package let at: Int64
    /// Of several alike the last.
    package let until: Int64
    package let count: Int
    package let kind: String
    package let account: String
    package let credential: String
    package let address: String
    package let studyInstanceUID: String?
    package let detail: String

    package init(
        at: Int64, until: Int64, count: Int, kind: String, account: String, credential: String, address: String,
        studyInstanceUID: String?, detail: String
    ) {
        self.at = at
        self.until = until
        self.count = count
        self.kind = kind
        self.account = account
        self.credential = credential
        self.address = address
        self.studyInstanceUID = studyInstanceUID
        self.detail = detail
    }

    /// SHA-256 over the digest before and every field, each with its length, so that no two rows read alike.
    func digest(number: Int64, after previous: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = Array("phim audit 1".utf8)
        func put(_ number: Int64) {
            for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: number >> shift)) }
        }
        func put(_ text: String?) {
            guard let text else { return put(-1) }
            put(Int64(text.utf8.count))
            bytes.append(contentsOf: text.utf8)
        }
        put(Int64(previous.count))
        bytes.append(contentsOf: previous)
        for number in [number, at, until, Int64(count)] { put(number) }
        for text in [kind, account, credential, address, studyInstanceUID, detail] { put(text) }
        return Array(SHA256.hash(data: bytes))
    }
}

/// A line of the trail in its place.
package struct AuditRow: Hashable, Sendable {
    /// Without gaps; from 1 until the oldest rows are cut.
    package let number: Int64
    package let entry: AuditEntry
    package let digest: [UInt8]

    fileprivate init(_ row: Row) {
        number = row["number"]
        entry = AuditEntry(
            at: row["at"], until: row["until"], count: row["count"], kind: row["kind"], account: row["account"],
            credential: row["credential"], address: row["address"], studyInstanceUID: row["studyInstanceUID"],
            detail: row["detail"])
        digest = [UInt8](row["digest"] as Data)
    }
}

/// The last row of the trail: who has noted it elsewhere can tell later whether the trail up to it is the same.
package struct AuditHead: Hashable, Sendable, CustomStringConvertible {
    package let number: Int64
    package let digest: [UInt8]

    package init(number: Int64, digest: [UInt8]) {
        self.number = number
        self.digest = digest
    }

    /// `NUMBER:HEX`
    package var description: String {
        "\(number):" + digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    package init?(_ text: String) {
        let parts = text.trimmingCharacters(in: .whitespacesAndNewlines).split(separator: ":")
        guard parts.count == 2, let number = Int64(parts[0]), number > 0, parts[1].utf8.count == 64 else { return nil }
        let hex = Array(parts[1].utf8)
        let bytes = stride(from: 0, to: 64, by: 2).compactMap {
            UInt8(String(decoding: hex[$0..<$0 + 2], as: UTF8.self), radix: 16)
        }
        guard bytes.count == 32 else { return nil }
        self.init(number: number, digest: bytes)
    }
}

/// What the trail is searched for; nil fields are not looked at.
package struct AuditSearch: Sendable {
    package var account: String?
    package var studyInstanceUID: String?
    package var kind: String?
    /// Microseconds since 1970, both ends included.
    package var from: Int64?
    package var to: Int64?
    /// Rows before this number only: the way to the next page.
    package var before: Int64?
    package var limit = 100

    package init() {}
}

extension RecordStore {
    private static let beginning = [UInt8](repeating: 0, count: 32)

    /// Appends entries in one transaction, durable when this returns.
    package func appendAudit(_ entries: [AuditEntry]) throws(RecordsError) -> AuditHead {
        try write { db in try Self.append(entries, db) }
    }

    private static func append(_ entries: [AuditEntry], _ db: Database) throws -> AuditHead {
        let last = try db.cachedStatement(sql: "SELECT number, digest FROM audit ORDER BY number DESC LIMIT 1")
        var head =
            try Row.fetchOne(last).map { AuditHead(number: $0[0], digest: [UInt8]($0[1] as Data)) }
            ?? AuditHead(number: 0, digest: beginning)
        let insert = try db.cachedStatement(
            sql: """
                INSERT INTO audit (number, at, until, count, kind, account, credential, address, studyInstanceUID,
                    detail, digest)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """)
        for entry in entries {
            let number = head.number + 1
            head = AuditHead(number: number, digest: entry.digest(number: number, after: head.digest))
            try insert.execute(
                arguments: [
                    number, entry.at, entry.until, entry.count, entry.kind, entry.account, entry.credential,
                    entry.address, entry.studyInstanceUID, entry.detail, Data(head.digest),
                ])
        }
        return head
    }

    /// The kind of the rows that say what was cut off the beginning of the trail.
    package static let cutKind = "cut"

    /// Cuts rows off the beginning of the trail that are older than a time, and seals what was cut in a row at its end:
    /// the number and the digest of the last of them, from which the rest of the chain is computed.
    /// - Parameter most: rows cut at once, so that nobody waits long.
    /// - Returns: the new end of the trail; nil when nothing is old enough.
    package func cutAudit(before time: Int64, most: Int = 10_000) throws(RecordsError) -> AuditHead? {
        let at = now()
        return try write { db in
            // In the order of the chain, as far as the first row that stays; the newest is never cut.
            let oldest = try Row.fetchAll(
                db, sql: "SELECT number, at, digest FROM audit ORDER BY number LIMIT ?", arguments: [most + 1])
            let old = oldest.dropLast().prefix { ($0[1] as Int64) < time }
            guard let last = old.last else { return nil }
            let cut = AuditHead(number: last[0], digest: [UInt8](last[2] as Data))
            let entry = AuditEntry(
                at: at, until: at, count: old.count, kind: Self.cutKind, account: "", credential: "", address: "",
                studyInstanceUID: nil, detail: cut.description)
            let head = try Self.append([entry], db)
            try db.execute(sql: "DELETE FROM audit WHERE number <= ?", arguments: [cut.number])
            return head
        }
    }

    /// The last row; nil when there is none.
    package func auditHead() throws(RecordsError) -> AuditHead? {
        try read { db in
            try Row.fetchOne(db, sql: "SELECT number, digest FROM audit ORDER BY number DESC LIMIT 1").map {
                AuditHead(number: $0[0], digest: [UInt8]($0[1] as Data))
            }
        }
    }

    /// Rows that match, the latest first.
    package func auditRows(_ search: AuditSearch) throws(RecordsError) -> [AuditRow] {
        var conditions: [String] = []
        var arguments = StatementArguments()
        func restrict(_ condition: String, _ value: (any DatabaseValueConvertible)?) {
            guard let value else { return }
            conditions.append(condition)
            arguments += [value]
        }
        restrict("account = ?", search.account)
        restrict("studyInstanceUID = ?", search.studyInstanceUID)
        restrict("kind = ?", search.kind)
        restrict("until >= ?", search.from)
        restrict("at <= ?", search.to)
        restrict("number < ?", search.before)
        arguments += [search.limit]
        let condition = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        return try read { db in
            try Row.fetchAll(
                db, sql: "SELECT * FROM audit \(condition) ORDER BY number DESC LIMIT ?", arguments: arguments
            ).map(AuditRow.init)
        }
    }

    /// Computes the whole chain anew, in one consistent view.
    ///
    /// - Parameters:
    ///   - heads: rows noted elsewhere; each must be in the trail as it was.
    ///   - most: flaws told at most.
    package func verifyAudit(heads: [AuditHead], most: Int = 20) throws(RecordsError) -> AuditVerification {
        try read { db in
            let cut = try Row.fetchOne(
                db, sql: "SELECT detail FROM audit WHERE kind = ? ORDER BY number DESC LIMIT 1",
                arguments: [Self.cutKind])
            var result = AuditVerification(heads: heads, cut: cut.flatMap { AuditHead($0[0]) }, most: most)
            let rows = try Row.fetchCursor(db, sql: "SELECT * FROM audit ORDER BY number")
            while let row = try rows.next() { result.take(AuditRow(row)) }
            result.finish()
            return result
        }
    }
}

/// What was found when the chain was computed anew.
package struct AuditVerification: Sendable {
    package private(set) var rows: Int64 = 0
    package private(set) var head: AuditHead?
    /// In words, without the contents of rows.
    package private(set) var flaws: [String] = []
    /// The last of the rows that were cut off the beginning because of their age, as the trail itself says; nil: none.
    package let cut: AuditHead?
    private var previous = [UInt8](repeating: 0, count: 32)
    private var last: Int64 = 0
    private var expected: [Int64: [[UInt8]]]
    private let most: Int

    fileprivate init(heads: [AuditHead], cut: AuditHead?, most: Int) {
        expected = Dictionary(grouping: heads, by: \.number).mapValues { $0.map(\.digest) }
        self.most = most
        self.cut = cut
        guard let cut else { return }
        (last, previous) = (cut.number, cut.digest)
        if expected.removeValue(forKey: cut.number)?.contains(where: { $0 != cut.digest }) == true {
            flag("row \(cut.number), which was cut, is not the one that was noted")
        }
        // Of rows before it nothing is left to compare.
        expected = expected.filter { $0.key > cut.number }
    }

    fileprivate mutating func take(_ row: AuditRow) {
        rows += 1
        if row.number <= last {
            flag("row \(row.number) is there although it was cut")
        } else if row.number != last + 1 {
            flag(
                row.number == last + 2
                    ? "row \(last + 1) is missing" : "rows \(last + 1) to \(row.number - 1) are missing")
        }
        if row.entry.digest(number: row.number, after: previous) != row.digest {
            flag("row \(row.number) is not what was written there, or not what stood before it")
        }
        if expected.removeValue(forKey: row.number)?.contains(where: { $0 != row.digest }) == true {
            flag("row \(row.number) is not the one that was noted")
        }
        previous = row.digest
        last = row.number
        head = AuditHead(number: row.number, digest: row.digest)
    }

    fileprivate mutating func finish() {
        if let farthest = expected.keys.max() {
            flag("the trail ends at row \(last), but row \(farthest) had been written")
        }
    }

    private mutating func flag(_ flaw: String) {
        if flaws.count < most { flaws.append(flaw) }
    }
}
