// Orders in every state, as people at a desk look for them.

import GRDB

/// What orders are looked for by; what is nil or empty matches everything.
package struct OrderFilter: Hashable, Sendable {
    /// `yyyymmddHHMMSS`, both ends included.
    package var from: String?
    package var through: String?
    package var modality: String?
    /// Words of the state machine above this room.
    package var states: Set<String> = []
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
            add("state IN (SELECT value FROM json_each(?))", try ListArgument.text(filter.states.sorted()))
        }
        if let number = filter.accessionNumber { add("accessionNumber = ?", number) }
        if let patients = filter.patients {
            add("patient IN (SELECT value FROM json_each(?))", ListArgument.text(patients))
        }
        if let encounter = filter.encounter { add("encounter = ?", encounter) }
        if let procedures = filter.procedures {
            add("id IN (SELECT value FROM json_each(?))", ListArgument.text(procedures.sorted()))
        }
        if let position { add("(scheduledAt, id) > (?, ?)", position.scheduledAt, position.id) }
        let select = """
            SELECT * FROM requestedProcedure WHERE \(texts.joined(separator: " AND "))
            ORDER BY scheduledAt, id LIMIT ?
            """
        return try lines(try rows(composed: select, arguments + [limit]).map(ProcedureRecord.init))
    }
}
