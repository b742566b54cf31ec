// People and visits as they are told: to terminals, to pages, to programs.

package import Records

/// A person as they are seen.
package struct PatientReport: Encodable, Sendable {
    package struct Identifier: Encodable, Sendable {
        package let type: String
        package let issuer: String
        package let value: String
    }

    /// Of their row; names them in addresses.
    package let number: Int64
    /// Another one whenever something else is known of them.
    package let version: Int64
    package let name: String
    package let birthDate: String
    package let birthTime: String
    package let sex: String
    package let address: String
    package let telephone: String
    package let ethnicGroup: String
    package let identifiers: [Identifier]
    /// The row that this one was merged into.
    package let mergedInto: Int64?

    package init(_ patient: PatientRecord, _ identifiers: [PatientIdentifier]) {
        number = patient.id
        version = patient.asOf
        name = patient.demographics.name
        birthDate = patient.demographics.birthDate
        birthTime = patient.demographics.birthTime
        sex = patient.demographics.sex
        address = patient.demographics.address
        telephone = patient.demographics.telephone
        ethnicGroup = patient.demographics.ethnicGroup
        mergedInto = patient.mergedInto
        self.identifiers = identifiers.map { Identifier(type: $0.type, issuer: $0.issuer, value: $0.value) }
    }

    package init(_ patient: PatientRecord, _ records: RecordTransaction) throws {
        self.init(patient, try records.identifiers(of: patient))
    }
}

/// A visit.
package struct VisitReport: Encodable, Sendable {
    package let id: Int64
    /// Another one with every change.
    package let version: Int64
    /// MA_LK
    package let number: String
    package let issuer: String
    /// FHIR R4 encounter-status.
    package let status: String
    package let startedAt: String
    package let endedAt: String
    /// The person that the visit is shown under.
    package let patient: Int64
    package let details: EncounterDetails

    package init(_ visit: EncounterRecord, _ records: RecordTransaction) throws {
        id = visit.id
        version = visit.updatedAt
        number = visit.number
        issuer = visit.issuer
        status = visit.status.rawValue
        startedAt = visit.details.startedAt
        endedAt = visit.details.endedAt
        patient = try records.patient(id: visit.patient).root
        details = visit.details
    }
}

/// A person with their visits and what was done to their identity.
package struct PatientStory: Encodable, Sendable {
    package struct Event: Encodable, Sendable {
        package let at: String
        package let kind: String
        package let by: String
        package let reason: String
        package let isUndone: Bool
        /// The rows that it is about.
        package let rows: [Int64]
        /// What was known before a change.
        package let before: Demographics?
    }

    package let patient: PatientReport
    package let visits: [VisitReport]
    package let history: [Event]

    package init(_ root: PatientRecord, _ records: RecordTransaction) throws {
        patient = try PatientReport(root, records)
        visits = try records.encounters(of: root, limit: 100).map { try VisitReport($0, records) }
        history = try records.events(ofPatient: root.id).map {
            Event(
                at: LocalTime.text($0.at), kind: $0.kind, by: $0.actor, reason: $0.reason,
                isUndone: $0.undoneAt != nil, rows: [$0.patient] + ($0.other.map { [$0] } ?? []),
                before: $0.before)
        }
    }
}
