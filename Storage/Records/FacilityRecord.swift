// Hospitals, stations and their points, each with the time in which its code is true.

import GRDB

/// A facility or a point of one.
package struct FacilityRecord: Codable, Hashable, Sendable {
    /// The code that insurance knows it by, or the hospital's own for a point.
    package let code: String
    package let name: String
    /// Code of the facility that a point belongs to.
    package let parent: String?
    /// `yyyymmdd`; empty when open.
    package let validFrom: String
    package let validUntil: String

    package init(
        code: String, name: String, parent: String? = nil, validFrom: String = "", validUntil: String = ""
    ) throws(RecordsError) {
        guard (1...32).contains(code.count), code.allSatisfy({ $0.isLetter || $0.isNumber || "._-".contains($0) })
        else { throw .invalid(field: "code", reason: "1 to 32 letters, digits, dots or dashes") }
        guard (1...200).contains(name.count) else { throw .invalid(field: "name", reason: "1 to 200 characters") }
        guard [validFrom, validUntil].allSatisfy({ $0.isEmpty || $0.wholeMatch(of: /[0-9]{8}/) != nil }) else {
            throw .invalid(field: "validity", reason: "a date as yyyymmdd, or nothing")
        }
        self.code = code
        self.name = name
        self.parent = parent
        self.validFrom = validFrom
        self.validUntil = validUntil
    }

    init(_ row: Row) throws {
        try self.init(
            code: row["code"], name: row["name"], parent: row["parent"], validFrom: row["validFrom"],
            validUntil: row["validUntil"])
    }
}

extension RecordTransaction {
    /// Adds a facility, or renews what is known of the one with this code and first day.
    package func putFacility(_ facility: FacilityRecord) throws {
        try run(
            """
            INSERT INTO facility (code, name, parent, validFrom, validUntil) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (code, validFrom) DO UPDATE SET name = excluded.name, parent = excluded.parent,
                validUntil = excluded.validUntil
            """, [facility.code, facility.name, facility.parent, facility.validFrom, facility.validUntil])
    }

    package func facilities() throws -> [FacilityRecord] {
        try rows("SELECT * FROM facility ORDER BY code, validFrom").map(FacilityRecord.init)
    }

    /// What a code meant on a day (`yyyymmdd`).
    package func facility(code: String, on day: String) throws -> FacilityRecord? {
        try row(
            """
            SELECT * FROM facility WHERE code = ?1 AND validFrom <= ?2 AND (validUntil = '' OR validUntil >= ?2)
            ORDER BY validFrom DESC LIMIT 1
            """, [code, day]
        ).map(FacilityRecord.init)
    }
}
