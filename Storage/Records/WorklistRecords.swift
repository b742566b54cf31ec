// The open procedures, searched as modalities ask (PS3.4 Section K.6.1.2.2).

import GRDB

/// What a modality narrows its worklist by; empty fields match everything.
package struct WorklistFilter: Hashable, Sendable {
    package var stationAETitles: [String] = []
    package var modalities: [String] = []
    /// `yyyymmddHHMMSS`, both ends included.
    package var from: String?
    package var through: String?
    /// Folded, with `*` and `?`.
    package var namePattern: String?
    package var patientID: String?
    package var accessionNumber: String?
    package var requestedProcedureID: String?
    package var scheduledProcedureStepID: String?
    package var studyInstanceUIDs: [String] = []

    package init() {}
}

/// One line of a worklist: the procedure, and the person and the visit behind it.
package struct WorklistRow: Hashable, Sendable {
    package let procedure: ProcedureRecord
    package let patient: PatientRecord
    package let identifiers: [PatientIdentifier]
    package let encounter: EncounterRecord?
}

extension RecordTransaction {
    /// Open procedures that match, the earliest scheduled first.
    package func worklist(_ filter: WorklistFilter, limit: Int) throws -> [WorklistRow] {
        var conditions = ["isOpen"]
        var arguments: [any DatabaseValueConvertible] = []
        func among(_ column: String, _ values: [String], orEmpty: Bool = false) {
            if values.isEmpty { return }
            let places = Array(repeating: "?", count: values.count).joined(separator: ", ")
            conditions.append("(\(column) IN (\(places))\(orEmpty ? " OR \(column) = ''" : ""))")
            arguments += values
        }
        func compare(_ condition: String, _ value: String?) {
            guard let value else { return }
            conditions.append(condition)
            arguments.append(value)
        }
        // A procedure that names no station is for any of its modality.
        among("stationAETitle", filter.stationAETitles, orEmpty: true)
        among("modality", filter.modalities)
        among("studyInstanceUID", filter.studyInstanceUIDs)
        compare("scheduledAt >= ?", filter.from)
        compare("scheduledAt <= ?", filter.through)
        // GLOB uses the index of names for what stands before the first wildcard.
        compare("nameKey GLOB ?", filter.namePattern)
        compare("accessionNumber = ?", filter.accessionNumber)
        compare("body ->> '$.requestedProcedureID' = ?", filter.requestedProcedureID)
        compare("body ->> '$.scheduledProcedureStepID' = ?", filter.scheduledProcedureStepID)
        compare(
            """
            patient IN (SELECT other.id FROM identifier JOIN patient ON patient.id = identifier.patient
                JOIN patient other ON other.root = patient.root WHERE value = ? AND endedAt IS NULL)
            """, filter.patientID)
        let select = """
            SELECT * FROM requestedProcedure WHERE \(conditions.joined(separator: " AND "))
            ORDER BY scheduledAt, id LIMIT ?
            """
        arguments.append(limit)
        return try rows(select, StatementArguments(arguments)).map { try line(ProcedureRecord($0)) }
    }

    /// A procedure with the person and the visit behind it.
    package func line(_ procedure: ProcedureRecord) throws -> WorklistRow {
        let patient = try root(of: procedure.patient)
        return WorklistRow(
            procedure: procedure, patient: patient, identifiers: try identifiers(of: patient),
            encounter: try procedure.encounter.map { try encounter(id: $0) })
    }
}
