// Visits and requested procedures, searched by whose they are, their numbers, states and times.

import GRDB

/// What visits are narrowed by. Outer lists must all hold, of an inner one any.
package struct EncounterFilter: Sendable {
    package var ids: [Set<Int64>] = []
    /// People as they are seen (`root`).
    package var people: [Set<Int64>] = []
    /// Numbers of visits; the type says nothing here.
    package var numbers: [[IdentifierKey]] = []
    package var statuses: [[String]] = []
    package var classes: [[String]] = []
    package var periods: [[SpanCondition]] = []

    package init() {}
}

/// A number under which an order is known.
package enum ProcedureNumber: Hashable, Sendable {
    case placer(IdentifierKey)
    case accession(IdentifierKey)
    case study(String)
}

/// What procedures are narrowed by. Outer lists must all hold, of an inner one any.
package struct ProcedureFilter: Sendable {
    package var ids: [Set<Int64>] = []
    /// People as they are seen (`root`).
    package var people: [Set<Int64>] = []
    package var encounters: [Set<Int64>] = []
    package var numbers: [[ProcedureNumber]] = []
    package var states: [[String]] = []
    package var codes: [[String]] = []
    package var modalities: [[String]] = []
    package var ordered: [[SpanCondition]] = []
    package var scheduled: [[SpanCondition]] = []

    package init() {}
}

extension RecordTransaction {
    /// Visits that match, the newest row first; one more than the page holds when there are more.
    package func encounters(_ filter: EncounterFilter, page: RecordPage) throws -> [EncounterRecord] {
        try search("encounter", conditions(filter), page).map(EncounterRecord.init)
    }

    package func count(_ filter: EncounterFilter, to bound: Int) throws -> Int {
        try count("encounter", conditions(filter), to: bound)
    }

    /// Procedures that match, the newest row first; one more than the page holds when there are more.
    package func procedures(_ filter: ProcedureFilter, page: RecordPage) throws -> [ProcedureRecord] {
        try search("requestedProcedure", conditions(filter), page).map(ProcedureRecord.init)
    }

    package func count(_ filter: ProcedureFilter, to bound: Int) throws -> Int {
        try count("requestedProcedure", conditions(filter), to: bound)
    }

    private func conditions(_ filter: EncounterFilter) throws -> SearchConditions {
        var conditions = SearchConditions()
        for ids in filter.ids { conditions.add("id", isOneOf: ids) }
        for people in filter.people { conditions.add("patient", isOf: people) }
        for numbers in filter.numbers {
            conditions.add(anyOf: numbers) { key in
                key.issuer.map { ("(number = ? AND issuer = ?)", [key.value, $0]) } ?? ("number = ?", [key.value])
            }
        }
        for statuses in filter.statuses { try conditions.add("status", isOneOf: statuses) }
        for classes in filter.classes { try conditions.add("body ->> '$.patientClass'", isOneOf: classes) }
        for spans in filter.periods {
            conditions.add(from: "(body ->> '$.startedAt')", to: "(body ->> '$.endedAt')", anyOf: spans)
        }
        return conditions
    }

    private func conditions(_ filter: ProcedureFilter) throws -> SearchConditions {
        var conditions = SearchConditions()
        for ids in filter.ids { conditions.add("id", isOneOf: ids) }
        for people in filter.people { conditions.add("patient", isOf: people) }
        for encounters in filter.encounters { conditions.add("encounter", isOneOf: encounters) }
        for numbers in filter.numbers {
            conditions.add(anyOf: numbers) { number in
                switch number {
                case .study(let uid): ("studyInstanceUID = ?", [uid])
                case .placer(let key):
                    key.issuer.map { ("(placerNumber = ? AND placerIssuer = ?)", [key.value, $0]) }
                        ?? ("placerNumber = ?", [key.value])
                case .accession(let key):
                    key.issuer.map { ("(accessionNumber = ? AND accessionIssuer = ?)", [key.value, $0]) }
                        ?? ("accessionNumber = ?", [key.value])
                }
            }
        }
        for states in filter.states { try conditions.add("state", isOneOf: states) }
        for codes in filter.codes { try conditions.add("body ->> '$.code.value'", isOneOf: codes) }
        for modalities in filter.modalities { try conditions.add("modality", isOneOf: modalities) }
        for spans in filter.ordered { conditions.add(from: "(body ->> '$.orderedAt')", anyOf: spans) }
        for spans in filter.scheduled { conditions.add(from: "scheduledAt", anyOf: spans) }
        return conditions
    }
}
