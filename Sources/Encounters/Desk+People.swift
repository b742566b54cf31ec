// People and visits as a person at the desk changes them.

package import Records

extension Desk {
    /// Registers a person, or brings what is known up to date; studies that waited for them are linked.
    /// - Returns: the person, and whether they were not known before.
    package func register(_ facts: PatientFacts) throws -> (person: PatientRecord, isNew: Bool) {
        let isNew = try patients.meant(by: facts) == nil
        let person = try patients.register(facts)
        try links.reconsider(patient: person)
        return (try records.root(of: person.id), isNew)
    }

    /// Changes what is known of a person who is seen as this row.
    /// - Parameter version: `asOf` as who changes it has seen it; nil to change it whatever it is.
    package func amend(
        patient id: Int64, version: Int64?, identifiers: [PatientIdentifier],
        _ amend: @escaping @Sendable (inout Demographics) -> Void
    ) throws -> PatientRecord {
        let known = try records.patient(id: id)
        guard known.mergedInto == nil else { throw EncounterFailure.merged }
        guard version == nil || version == known.asOf else {
            throw EncounterFailure.conflict(reason: "This patient was changed meanwhile; look at them again")
        }
        let facts = PatientFacts(identifiers: identifiers, asOf: records.now, amend: amend)
        let patient = try patients.amend(known, facts)
        try links.reconsider(patient: patient)
        return patient
    }

    /// Says that a row is of a person who is seen as another; studies that waited for them are linked.
    /// - Throws: `.conflict` where the row is merged into somebody else: whom it became would be merged, not the row that
    ///   the caller names.
    /// - Returns: the person that both are seen as.
    package func merge(patient id: Int64, into survivor: Int64, reason: String) throws -> PatientRecord {
        let (row, survivor) = try (records.patient(id: id), records.root(of: survivor))
        guard row.mergedInto == nil || row.root == survivor.id else {
            throw EncounterFailure.conflict(reason: "This patient is merged into another already")
        }
        try patients.merge(row.id, into: survivor.id, reason: reason)
        try links.reconsider(patient: survivor)
        return survivor
    }

    /// Opens or changes a visit of a person.
    /// - Parameter version: `updatedAt` as who changes it has seen it; nil to change it whatever it is.
    package func apply(
        _ event: EncounterEvent, _ facts: EncounterFacts, patient id: Int64, version: Int64?
    ) throws -> EncounterRecord {
        if let version, let known = try records.encounter(issuer: facts.issuer, number: facts.number),
            known.updatedAt != version
        {
            throw EncounterFailure.conflict(reason: "This visit was changed meanwhile; look at it again")
        }
        return try encounters.apply(event, facts, patient: try records.root(of: id))
    }
}
