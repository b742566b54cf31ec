// Orders in every state, as people at a desk look for them.

import GRDB

/// What orders are looked for by; what is nil or empty matches everything.
package struct OrderFilter: Hashable, Sendable {
    /// `yyyymmddHHMMSS`, both ends included.
    package var from: String?
    package var through: String?
    package var modality: String?
    /// Words of the state machine above this room.
    package var states: [String] = []
    package var accessionNumber: String?
    /// Numbers of persons' rows.
    package var patients: [Int64]?
    package var encounter: Int64?
    /// Numbers of the procedures that may be seen; nil for all.
    package var procedures: Set<Int64>?

    package init() {}
}

extension RecordTransaction {
    /// Orders that match, the earliest scheduled first.
    /// - Parameter position: where the page before ended.
    package func orders(
        _ filter: OrderFilter, after position: WorklistPosition? = nil, limit: Int
    ) throws -> [WorklistRow] {
        var texts = ["1"]
        var arguments: [any DatabaseValueConvertible] = []
        func add(_ text: String, _ values: any DatabaseValueConvertible...) {
            texts.append(text)
            arguments += values
        }
        if let from = filter.from { add("scheduledAt >= ?", from) }
        if let through = filter.through { add("scheduledAt <= ?", through) }
        if let modality = filter.modality { add("modality = ?", modality) }
        if !filter.states.isEmpty {
            texts.append("state IN (\(filter.states.map { _ in "?" }.joined(separator: ", ")))")
            arguments += filter.states.map { $0 as any DatabaseValueConvertible }
        }
        if let number = filter.accessionNumber { add("accessionNumber = ?", number) }
        if let patients = filter.patients {
            add("patient IN (SELECT value FROM json_each(?))", Self.list(patients))
        }
        if let encounter = filter.encounter { add("encounter = ?", encounter) }
        if let procedures = filter.procedures {
            add("id IN (SELECT value FROM json_each(?))", Self.list(procedures.sorted()))
        }
        if let position { add("(scheduledAt, id) > (?, ?)", position.scheduledAt, position.id) }
        let select = """
            SELECT * FROM requestedProcedure WHERE \(texts.joined(separator: " AND "))
            ORDER BY scheduledAt, id LIMIT \(limit)
            """
        return try lines(try rows(select, StatementArguments(arguments)).map(ProcedureRecord.init))
    }

    private static func list(_ ids: [Int64]) -> String { "[" + ids.map { "\($0)" }.joined(separator: ",") + "]" }
}
