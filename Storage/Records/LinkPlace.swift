// Where links lead, in the words of people: a page of them in one question.

import GRDB

/// What people call the place of a link.
package struct LinkPlace: Hashable, Sendable {
    package struct Procedure: Hashable, Sendable {
        package let id: Int64
        package let accessionNumber: String
        /// The meaning of its code, or the code where it has none.
        package let meaning: String
        /// `yyyymmddHHMMSS`, local.
        package let scheduledAt: String
    }

    package struct Visit: Hashable, Sendable {
        package let id: Int64
        package let number: String
    }

    package let procedure: Procedure?
    package let visit: Visit?
    /// The row that the person is seen as.
    package let patient: Int64
    package let patientName: String

    init(_ row: Row) {
        procedure = (row["procedure"] as Int64?).map {
            Procedure(
                id: $0, accessionNumber: row["accessionNumber"], meaning: row["meaning"],
                scheduledAt: row["scheduledAt"])
        }
        visit = (row["encounter"] as Int64?).map { Visit(id: $0, number: row["number"]) }
        patient = row["person"]
        patientName = row["name"]
    }
}

extension RecordTransaction {
    /// The places of targets, in their order.
    /// - Throws: `.notFound` where one of them leads nowhere.
    package func places(of targets: [LinkTarget]) throws -> [LinkPlace] {
        let select = """
            SELECT requestedProcedure.id AS procedure, accessionNumber, scheduledAt,
                coalesce(nullif(requestedProcedure.body ->> '$.code.meaning', ''),
                    requestedProcedure.body ->> '$.code.value', '') AS meaning,
                encounter.id AS encounter, number,
                person.id AS person, coalesce(person.body ->> '$.name', '') AS name
            FROM json_each(?) target
                CROSS JOIN patient ON patient.id = target.value ->> 2
                CROSS JOIN patient person ON person.id = patient.root
                LEFT JOIN requestedProcedure ON requestedProcedure.id = target.value ->> 0
                LEFT JOIN encounter ON encounter.id = target.value ->> 1
            ORDER BY target.key
            """
        func text(_ id: Int64?) -> String { id.map { "\($0)" } ?? "null" }
        let asked = targets.map { "[\(text($0.procedure)),\(text($0.encounter)),\($0.patient)]" }
        let places = try rows(select, ["[\(asked.joined(separator: ","))]"]).map(LinkPlace.init)
        let isWhole =
            places.count == targets.count
            && zip(places, targets).allSatisfy { place, target in
                (place.procedure?.id, place.visit?.id) == (target.procedure, target.encounter)
            }
        guard isWhole else { throw RecordsError.notFound }
        return places
    }
}
