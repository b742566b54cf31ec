// Earlier studies that an order asks for: which were looked for, where, and what came of it.

import GRDB

/// The earlier studies of one order's patient, to be fetched from another archive.
package struct PriorFetchRecord: Hashable, Sendable {
    package enum State: String, CaseIterable, Sendable {
        case waiting
        /// All that is to be had is here.
        case done
        /// Given up: nothing can be asked, or the order is too old by now.
        case dropped
    }

    /// Number of the requested procedure.
    package let procedure: Int64
    package let source: String
    package let state: State
    package let failures: Int
    /// That came, of all attempts.
    package let studies: Int
    package let instances: Int
    /// What was said last, one sentence without patient data.
    package let answer: String
    package let createdAt: Int64
    package let dueAt: Int64
    package let endedAt: Int64?

    init(_ row: Row) {
        procedure = row["procedure"]
        source = row["source"]
        state = State(rawValue: row["state"]) ?? .dropped
        failures = row["failures"]
        studies = row["studies"]
        instances = row["instances"]
        answer = row["answer"]
        createdAt = row["createdAt"]
        dueAt = row["dueAt"]
        endedAt = row["endedAt"]
    }
}

extension RecordTransaction {
    /// Number of the newest requested procedure; 0 when there is none.
    package func lastProcedure() throws -> Int64 {
        try row("SELECT coalesce(max(id), 0) AS last FROM requestedProcedure")?["last"] ?? 0
    }

    /// Numbers of the procedures that came after one, in the order in which they came.
    package func procedures(after id: Int64, limit: Int) throws -> [Int64] {
        try rows("SELECT id FROM requestedProcedure WHERE id > ? ORDER BY id LIMIT ?", [id, limit]).map { $0["id"] }
    }

    /// An order has come: what its patient has elsewhere is looked for. Once for each order.
    package func askPriors(of procedure: Int64, from source: String) throws {
        try run(
            """
            INSERT INTO priorFetch (procedure, source, state, createdAt, dueAt) VALUES (?1, ?2, 'waiting', ?3, ?3)
            ON CONFLICT DO NOTHING
            """, [procedure, source, now])
    }

    /// What is to be looked for now, the longest due first.
    package func duePriors(limit: Int) throws -> [PriorFetchRecord] {
        let select = "SELECT * FROM priorFetch WHERE state = 'waiting' AND dueAt <= ? ORDER BY dueAt LIMIT ?"
        return try rows(select, [now, limit]).map(PriorFetchRecord.init)
    }

    package func priorFetch(of procedure: Int64) throws -> PriorFetchRecord? {
        try row("SELECT * FROM priorFetch WHERE procedure = ?", [procedure]).map(PriorFetchRecord.init)
    }

    /// One attempt is over, for good or until `dueAt`.
    package func notePriors(
        of procedure: Int64, _ state: PriorFetchRecord.State, studies: Int, instances: Int, failures: Int,
        answer: String, dueAt: Int64
    ) throws {
        try run(
            """
            UPDATE priorFetch SET state = ?2, studies = studies + ?3, instances = instances + ?4, failures = ?5,
                answer = ?6, dueAt = ?7, endedAt = CASE WHEN ?2 = 'waiting' THEN NULL ELSE ?8 END WHERE procedure = ?1
            """, [procedure, state.rawValue, studies, instances, failures, answer, dueAt, now])
    }
}
