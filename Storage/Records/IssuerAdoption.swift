// Rows from before the hospital had a code: they become the hospital's, so that its people do not become two.

import GRDB

/// How many rows were given an issuer.
package struct IssuerAdoption: Hashable, Sendable {
    package var identifiers = 0
    package var visits = 0
    package var orders = 0
    /// Numbers that are known both with and without the code, and stay as they are: for a person to merge.
    package var contested = 0
}

extension RecordTransaction {
    /// Whether anything would be adopted; found by index only.
    package func hasUnissued(besides issuer: String) throws -> Bool {
        let select = """
            SELECT EXISTS (
                SELECT 1 FROM identifier AS bare WHERE type = ?2 AND issuer = '' AND endedAt IS NULL AND NOT EXISTS (
                    SELECT 1 FROM identifier AS own WHERE own.type = bare.type AND own.issuer = ?1
                        AND own.value = bare.value AND own.endedAt IS NULL))
            OR EXISTS (
                SELECT 1 FROM encounter AS bare WHERE issuer = '' AND NOT EXISTS (
                    SELECT 1 FROM encounter AS own WHERE own.issuer = ?1 AND own.number = bare.number))
            """
        return try row(select, [issuer, PatientIdentifier.medicalRecord])?[0] ?? false
    }

    /// Gives patient codes, visits and orders without an issuer this one.
    package func adoptUnissued(as issuer: String) throws -> IssuerAdoption {
        var adoption = IssuerAdoption()
        try run("UPDATE OR IGNORE identifier SET issuer = ? WHERE issuer = ''", [issuer])
        adoption.identifiers = db.changesCount
        try run("UPDATE OR IGNORE encounter SET issuer = ? WHERE issuer = ''", [issuer])
        adoption.visits = db.changesCount
        try run("UPDATE OR IGNORE requestedProcedure SET placerIssuer = ? WHERE placerIssuer = ''", [issuer])
        adoption.orders = db.changesCount
        try run("UPDATE requestedProcedure SET accessionIssuer = ? WHERE accessionIssuer = ''", [issuer])
        let left = """
            SELECT (SELECT count(*) FROM identifier WHERE issuer = '' AND endedAt IS NULL)
                + (SELECT count(*) FROM encounter WHERE issuer = '')
                + (SELECT count(*) FROM requestedProcedure WHERE placerIssuer = '')
            """
        adoption.contested = try row(left)?[0] ?? 0
        return adoption
    }
}
