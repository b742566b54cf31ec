// What people mean by a number: an order, a person, a visit.

package import Records

extension RecordTransaction {
    /// The order of an Accession Number, a number of who ordered it, or a Study Instance UID.
    package func order(named number: String) throws -> ProcedureRecord {
        if let procedure = try procedure(studyInstanceUID: number) { return procedure }
        let found = try procedures(accessionNumber: number) + procedures(placerNumber: number)
        guard let first = found.first else { throw EncounterFailure.unknown(what: "order") }
        guard found.allSatisfy({ $0.id == first.id }) else {
            throw EncounterFailure.conflict(
                reason: "Several orders have this number; name one by its Study Instance UID")
        }
        return first
    }

    /// The row that holds an identifier: of merged rows the one that somebody means.
    package func row(named identifier: String) throws -> PatientRecord {
        let found = try holders(identifierValue: identifier)
        guard let first = found.first else { throw EncounterFailure.unknown(what: "patient") }
        guard found.count == 1 else {
            throw EncounterFailure.conflict(
                reason: "Several patients have this identifier; name one by another (phim patient find)")
        }
        return first
    }

    /// The visit of a number, of one issuer where several gave it.
    package func visit(named number: String, issuer: String? = nil) throws -> EncounterRecord {
        let found = try encounters(number: number).filter { issuer == nil || $0.issuer == issuer }
        guard let first = found.first else { throw EncounterFailure.unknown(what: "visit") }
        guard found.count == 1 else {
            throw EncounterFailure.conflict(reason: "Several facilities have a visit of this number")
        }
        return first
    }
}
