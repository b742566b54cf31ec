// The open procedures, searched as modalities ask (PS3.4 Section K.6.1.2.2).

import Foundation
import GRDB

/// What a modality narrows its worklist by; what is empty or nil matches everything. In texts `*` and `?` are wild cards.
package struct WorklistFilter: Hashable, Sendable {
    package var stationAETitles: [String] = []
    package var modalities: [String] = []
    /// `yyyymmddHHMMSS`, both ends included.
    package var from: String?
    package var through: String?
    /// Time of day, `HHMMSS`, both ends included.
    package var timeFrom: String?
    package var timeThrough: String?
    /// Pieces that the folded name contains; who asks decides about the whole name.
    package var nameWords: [String] = []
    /// Names as they were ordered (`performingPhysicians` lists them); nil for anybody.
    package var performingPhysicians: [String]?
    package var patientID: String?
    package var accessionNumber: String?
    package var requestedProcedureID: String?
    package var scheduledProcedureStepID: String?
    package var studyInstanceUIDs: [String] = []
    /// Words of the state machine above this room.
    package var states: [String] = []

    package init() {}
}

/// One line of a worklist: the procedure, and the person and the visit behind it.
package struct WorklistRow: Hashable, Sendable {
    package let procedure: ProcedureRecord
    package let patient: PatientRecord
    package let identifiers: [PatientIdentifier]
    package let encounter: EncounterRecord?
    /// The facility of the visit, where it is known by its code.
    package let facility: FacilityRecord?
}

/// Where a page of a worklist ended.
package struct WorklistPosition: Hashable, Sendable {
    package let scheduledAt: String
    package let id: Int64

    package init(scheduledAt: String, id: Int64) {
        self.scheduledAt = scheduledAt
        self.id = id
    }

    package init(_ procedure: ProcedureRecord) {
        scheduledAt = procedure.details.scheduledAt
        id = procedure.id
    }
}

extension RecordTransaction {
    /// A name in more procedures than this is looked for in the order of time, where it will soon be met.
    private static let rareName = 500

    /// Open procedures that match, the earliest scheduled first.
    /// - Parameters:
    ///   - position: where the page before ended.
    ///   - isNamed: whether a folded name is meant.
    package func worklist(
        _ filter: WorklistFilter, after position: WorklistPosition? = nil, limit: Int,
        isNamed: (String) -> Bool = { _ in true }
    ) throws -> [WorklistRow] {
        let conditions = try conditions(filter, after: position)
        let select = """
            SELECT * FROM requestedProcedure WHERE \(conditions.texts.joined(separator: " AND "))
            ORDER BY scheduledAt, id
            """
        let cursor = try Row.fetchCursor(db, sql: select, arguments: StatementArguments(conditions.arguments))
        var found: [ProcedureRecord] = []
        while found.count < limit, let row = try cursor.next() {
            if isNamed(row["nameKey"]) { found.append(try ProcedureRecord(row)) }
        }
        return try lines(found)
    }

    /// Everybody who is named as the performer of an open procedure.
    package func performingPhysicians() throws -> [String] {
        // One step down the index for each name.
        let select = """
            WITH RECURSIVE performer (name) AS (
                SELECT (SELECT body ->> '$.performingPhysician' AS first FROM requestedProcedure WHERE isOpen
                    ORDER BY first LIMIT 1)
                UNION ALL
                SELECT (SELECT body ->> '$.performingPhysician' AS next FROM requestedProcedure
                    WHERE isOpen AND body ->> '$.performingPhysician' > performer.name ORDER BY next LIMIT 1)
                FROM performer WHERE performer.name IS NOT NULL)
            SELECT name FROM performer WHERE name IS NOT NULL
            """
        return try rows(select).map { $0["name"] }
    }

    /// A procedure with the person and the visit behind it.
    package func line(_ procedure: ProcedureRecord) throws -> WorklistRow {
        guard let line = try lines([procedure]).first else { throw RecordsError.notFound }
        return line
    }

    /// Procedures with what is behind them, in a few questions for all.
    func lines(_ procedures: [ProcedureRecord]) throws -> [WorklistRow] {
        func list(_ ids: [Int64]) -> String { ListArgument.text(Set(ids)) }
        let people = list(procedures.map(\.patient))
        var persons: [Int64: PatientRecord] = [:]
        let roots = """
            SELECT patient.id AS row, person.* FROM patient JOIN patient person ON person.id = patient.root
            WHERE patient.id IN (SELECT value FROM json_each(?))
            """
        for row in try rows(roots, [people]) { persons[row["row"]] = try PatientRecord(row) }
        var identifiers: [Int64: [PatientIdentifier]] = [:]
        let known = """
            SELECT patient.root AS person, identifier.* FROM patient
                JOIN identifier ON identifier.patient = patient.id
            WHERE patient.root IN (SELECT value FROM json_each(?)) AND endedAt IS NULL
            ORDER BY patient.id <> patient.root, identifier.id
            """
        for row in try rows(known, [list(persons.values.map(\.id))]) {
            identifiers[row["person"], default: []].append(PatientIdentifier(row))
        }
        var visits: [Int64: EncounterRecord] = [:]
        let encounters = "SELECT * FROM encounter WHERE id IN (SELECT value FROM json_each(?))"
        for row in try rows(encounters, [list(procedures.compactMap(\.encounter))]) {
            visits[row["id"]] = try EncounterRecord(row)
        }
        var facilities: [String: FacilityRecord] = [:]
        return try procedures.map { procedure in
            guard let person = persons[procedure.patient] else { throw RecordsError.notFound }
            let visit = procedure.encounter.flatMap { visits[$0] }
            let code = visit?.details.facility ?? ""
            let day = String(procedure.details.scheduledAt.prefix(8))
            if !code.isEmpty, facilities[code + day] == nil {
                facilities[code + day] = try facility(code: code, on: day)
            }
            return WorklistRow(
                procedure: procedure, patient: person, identifiers: identifiers[person.id] ?? [], encounter: visit,
                facility: facilities[code + day])
        }
    }
}

// MARK: - Conditions

extension RecordTransaction {
    private struct Conditions {
        var texts = ["isOpen"]
        var arguments: [any DatabaseValueConvertible] = []

        mutating func add(_ text: String, _ arguments: any DatabaseValueConvertible...) {
            texts.append(text)
            self.arguments += arguments
        }

        mutating func match(_ column: String, _ value: String?) {
            guard let value else { return }
            let comparison = WildcardText.comparison(column, value)
            add(comparison.text, comparison.argument)
        }

        mutating func match(_ column: String, anyOf values: [String], orEmpty: Bool = false) throws {
            if values.isEmpty { return }
            let patterns = values.filter(WildcardText.isPattern).map { WildcardText.comparison(column, $0) }
            let plain = values.filter { !WildcardText.isPattern($0) } + (orEmpty ? [""] : [])
            // Many patterns nest deeper than a statement may.
            guard patterns.count <= 100 else { throw RecordsError.invalid(field: column, reason: "too many patterns") }
            // Few values say by themselves how few rows are meant.
            let isFew = plain.count <= 4
            let list = isFew ? plain.map { _ in "?" }.joined(separator: ", ") : "SELECT value FROM json_each(?)"
            texts.append("(" + (["\(column) IN (\(list))"] + patterns.map(\.text)).joined(separator: " OR ") + ")")
            arguments += isFew ? plain : [try ListArgument.text(plain)]
            arguments += patterns.map(\.argument)
        }
    }

    private func conditions(_ filter: WorklistFilter, after position: WorklistPosition?) throws -> Conditions {
        var conditions = Conditions()
        // A procedure that names no station is for any of its modality.
        try conditions.match("stationAETitle", anyOf: filter.stationAETitles, orEmpty: true)
        try conditions.match("modality", anyOf: filter.modalities)
        try conditions.match("studyInstanceUID", anyOf: filter.studyInstanceUIDs)
        try conditions.match("state", anyOf: filter.states)
        if let position { conditions.add("(scheduledAt, id) > (?, ?)", position.scheduledAt, position.id) }
        if let from = filter.from { conditions.add("scheduledAt >= ?", from) }
        if let through = filter.through { conditions.add("scheduledAt <= ?", through) }
        if let from = filter.timeFrom { conditions.add("substr(scheduledAt, 9) >= ?", from) }
        if let through = filter.timeThrough { conditions.add("substr(scheduledAt, 9) <= ?", through) }
        conditions.match("accessionNumber", filter.accessionNumber)
        conditions.match("body ->> '$.requestedProcedureID'", filter.requestedProcedureID)
        conditions.match("body ->> '$.scheduledProcedureStepID'", filter.scheduledProcedureStepID)
        if let performers = filter.performingPhysicians {
            // Beside days the order of time is narrower than what one person ever does; the sign keeps the index out.
            let isDated = filter.from != nil && filter.through != nil
            conditions.add(
                "\(isDated ? "+" : "")(body ->> '$.performingPhysician') IN (SELECT value FROM json_each(?))",
                try ListArgument.text(performers))
        }
        if let patientID = filter.patientID {
            let comparison = WildcardText.comparison("value", patientID)
            conditions.add(
                """
                patient IN (SELECT other.id FROM identifier JOIN patient ON patient.id = identifier.patient
                    JOIN patient other ON other.root = patient.root WHERE \(comparison.text) AND endedAt IS NULL)
                """, comparison.argument)
        }
        try addName(filter.nameWords, to: &conditions)
        return conditions
    }

    /// A rare name is found by its trigrams, a common one on the way through the days.
    private func addName(_ words: [String], to conditions: inout Conditions) throws {
        if words.isEmpty { return }
        let long = words.filter { $0.unicodeScalars.count >= 3 }
        if !long.isEmpty {
            let phrases = long.map { "\"" + $0.replacing("\"", with: "\"\"") + "\"" }.joined(separator: " ")
            let ids = try rows(
                "SELECT rowid FROM openProcedure_text WHERE openProcedure_text MATCH ? LIMIT ?",
                [phrases, Self.rareName + 1]
            ).map { $0[0] as Int64 }
            if ids.count <= Self.rareName {
                conditions.add("id IN (SELECT value FROM json_each(?))", ListArgument.text(ids))
                return
            }
        }
        for word in words { conditions.add("instr(nameKey, ?) > 0", word) }
    }
}

/// Texts in which `*` and `?` are wild cards (PS3.4 Section C.2.2.2.4), as conditions.
enum WildcardText {
    static func isPattern(_ value: String) -> Bool { value.contains { $0 == "*" || $0 == "?" } }

    static func comparison(_ column: String, _ value: String) -> (text: String, argument: String) {
        guard isPattern(value) else { return ("\(column) = ?", value) }
        // GLOB has a third wild card, which DICOM has not.
        return ("\(column) GLOB ?", value.replacing("[", with: "[[]"))
    }
}
