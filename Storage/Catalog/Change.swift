// The change feed: what happened to which series, in order, for whoever follows the archive.

import GRDB

/// One entry of the change feed. Entries are never altered; their numbers only grow.
package struct Change: Hashable, Sendable {
    /// What happened to instances of the series.
    package enum Kind: String, Sendable {
        /// Instances became visible.
        case stored
        /// Another content came under a known SOP Instance UID, or a person decided between contents.
        case conflict, resolved
        /// Instances left the catalogue.
        case erased
        /// What is said of the study is said otherwise; the instances are the same.
        case updated
    }

    package let sequence: Int64
    package let kind: Kind
    package let studyInstanceUID: String
    package let seriesInstanceUID: String
    package let instances: Int
    /// Microseconds since 1970.
    package let at: Int64

    package init(
        sequence: Int64, kind: Kind, studyInstanceUID: String, seriesInstanceUID: String, instances: Int, at: Int64
    ) {
        self.sequence = sequence
        self.kind = kind
        self.studyInstanceUID = studyInstanceUID
        self.seriesInstanceUID = seriesInstanceUID
        self.instances = instances
        self.at = at
    }
}

extension Change {
    /// From the columns seq, kind, studyUID, seriesUID, instances, at; nil for a kind of a later version.
    init?(_ row: Row) {
        guard let kind = Kind(rawValue: row[1]) else { return nil }
        self.init(
            sequence: row[0], kind: kind, studyInstanceUID: row[2], seriesInstanceUID: row[3], instances: row[4],
            at: row[5])
    }
}

/// Counts changes per series until the batch is written.
struct ChangeTally {
    private struct Key: Hashable {
        let kind: Change.Kind
        let study: String
        let series: String
    }

    private var order: [Key] = []
    private var counts: [Key: Int] = [:]

    mutating func add(_ kind: Change.Kind, study: String, series: String) {
        let key = Key(kind: kind, study: study, series: series)
        if counts.updateValue((counts[key] ?? 0) + 1, forKey: key) == nil { order.append(key) }
    }

    mutating func add(_ kind: Change.Kind, _ facts: InstanceFacts) {
        add(kind, study: facts.studyInstanceUID, series: facts.seriesInstanceUID)
    }

    func write(_ db: Database, at: Int64) throws {
        if order.isEmpty { return }
        let sql = "INSERT INTO change (kind, studyUID, seriesUID, instances, at) VALUES (?, ?, ?, ?, ?)"
        let insertion = try HotStatement(db, sql)
        for key in order {
            try insertion.run {
                $0.bind(key.kind.rawValue)
                $0.bind(key.study)
                $0.bind(key.series)
                $0.bind(counts[key] ?? 0)
                $0.bind(at)
            }
        }
    }
}

extension CatalogStore {
    /// Changes after a sequence number, oldest first.
    package func changes(after sequence: Int64, limit: Int = 1_000) throws(CatalogError) -> [Change] {
        try read { db in
            let select = """
                SELECT seq, kind, studyUID, seriesUID, instances, at FROM change WHERE seq > ? ORDER BY seq LIMIT ?
                """
            return try db.all(select, [sequence.sql, limit.sql]).compactMap(Change.init)
        }
    }

    /// Numbers of the oldest and the newest entry; zeros while there is none.
    package func changeBounds() throws(CatalogError) -> (first: Int64, last: Int64) {
        try read { db in
            // Two looks at the ends of the key; both aggregates in one select would walk all of it.
            let first = try db.first("SELECT min(seq) FROM change")?[0] as Int64?
            let last = try db.first("SELECT max(seq) FROM change")?[0] as Int64?
            return (first ?? 0, last ?? 0)
        }
    }

    /// Changes of these studies after a number and up to another, oldest first.
    package func changes(
        of studies: Set<String>, after sequence: Int64, through last: Int64, limit: Int = 1_000
    ) throws(CatalogError) -> [Change] {
        try read { db in
            let among = SQLCondition.any(of: studies.sorted(), in: "studyUID")
            let select = """
                SELECT seq, kind, studyUID, seriesUID, instances, at FROM change
                WHERE seq > ? AND seq <= ? AND \(among.sql) ORDER BY seq LIMIT ?
                """
            let arguments = [sequence.sql, last.sql] + among.arguments + [limit.sql]
            return try Row.fetchAll(db, sql: select, arguments: StatementArguments(arguments)).compactMap(Change.init)
        }
    }

    /// Drops the oldest entries beyond a number; the newest always stays, so that numbers only grow.
    package func forgetChanges(keeping count: Int) throws(CatalogError) {
        try write { db in
            try db.run(
                "DELETE FROM change WHERE seq <= (SELECT max(seq) FROM change) - ?", [max(count, 1).sql])
        }
    }

    /// Drops entries that every follower has seen; the newest always stays, so that numbers only grow.
    package func forgetChanges(through sequence: Int64) throws(CatalogError) {
        try write { db in
            try db.run(
                "DELETE FROM change WHERE seq <= ? AND seq < (SELECT max(seq) FROM change)", [sequence.sql])
        }
    }
}
