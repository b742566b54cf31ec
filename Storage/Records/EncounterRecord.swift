// Visits: why a patient is here, from when until when, and where.

import Foundation
import GRDB

/// What is known of a visit beside its number and state.
package struct EncounterDetails: Codable, Hashable, Sendable, Blank {
    /// HL7 table 0004: I inpatient, O outpatient, E emergency, P before admission.
    package var patientClass = ""
    /// Code of the facility or point.
    package var facility = ""
    package var department = ""
    package var room = ""
    package var bed = ""
    /// Where the patient was before, for a transfer that is taken back.
    package var priorDepartment = ""
    package var priorRoom = ""
    package var priorBed = ""
    package var attendingPhysician = ""
    package var referringPhysician = ""
    package var admittingDiagnosis = ""
    package var hospitalService = ""
    /// Local date and time, `yyyymmdd[HHMM[SS]]`.
    package var startedAt = ""
    package var endedAt = ""

    package init() {}
}

/// One visit.
package struct EncounterRecord: Hashable, Sendable {
    /// FHIR R4 encounter-status, those that a hospital's messages can bring about.
    package enum Status: String, CaseIterable, Sendable {
        case planned
        case arrived
        case inProgress = "in-progress"
        case finished
        case cancelled
    }

    package let id: Int64
    package let patient: Int64
    package let issuer: String
    /// The visit's code (MA_LK), up to 100 characters.
    package let number: String
    package let status: Status
    package let details: EncounterDetails
    package let asOf: Int64
    package let updatedAt: Int64

    init(_ row: Row) throws {
        id = row["id"]
        patient = row["patient"]
        issuer = row["issuer"]
        number = row["number"]
        status = Status(rawValue: row["status"]) ?? .inProgress
        details = try Body.value(row["body"])
        asOf = row["asOf"]
        updatedAt = row["updatedAt"]
    }
}

extension RecordTransaction {
    package func addEncounter(
        patient: Int64, issuer: String, number: String, status: EncounterRecord.Status, details: EncounterDetails,
        startedAt: Int64?, asOf: Int64
    ) throws -> EncounterRecord {
        guard (1...100).contains(number.unicodeScalars.count) else {
            throw RecordsError.invalid(field: "visit number", reason: "1 to 100 characters")
        }
        let id = try insert(
            """
            INSERT INTO encounter (patient, issuer, number, status, startedAt, body, asOf, createdAt, updatedAt)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, [patient, issuer, number, status.rawValue, startedAt, Body.text(details), asOf, now, now])
        return try encounter(id: id)
    }

    package func setEncounter(
        _ id: Int64, patient: Int64, status: EncounterRecord.Status, details: EncounterDetails, startedAt: Int64?,
        asOf: Int64
    ) throws {
        try run(
            """
            UPDATE encounter SET patient = ?, status = ?, body = ?, startedAt = ?, asOf = ?, updatedAt = ? WHERE id = ?
            """, [patient, status.rawValue, Body.text(details), startedAt, asOf, now, id])
    }

    package func encounter(id: Int64) throws -> EncounterRecord {
        guard let row = try row("SELECT * FROM encounter WHERE id = ?", [id]) else { throw RecordsError.notFound }
        return try EncounterRecord(row)
    }

    package func encounter(issuer: String, number: String) throws -> EncounterRecord? {
        try row("SELECT * FROM encounter WHERE issuer = ? AND number = ?", [issuer, number]).map(EncounterRecord.init)
    }

    /// Visits of a number, whoever issued it.
    package func encounters(number: String) throws -> [EncounterRecord] {
        try rows("SELECT * FROM encounter WHERE number = ? ORDER BY id LIMIT 100", [number]).map(EncounterRecord.init)
    }

    /// Visits of a person, the newest first; those of merged rows as well.
    package func encounters(of patient: PatientRecord, limit: Int) throws -> [EncounterRecord] {
        let select = """
            SELECT encounter.* FROM encounter JOIN patient ON patient.id = encounter.patient
            WHERE root = ? ORDER BY coalesce(encounter.startedAt, encounter.createdAt) DESC, encounter.id DESC LIMIT ?
            """
        return try rows(select, [patient.root, limit]).map(EncounterRecord.init)
    }
}

extension RecordTransaction {
    /// Procedures and links of a visit go to another person with it.
    package func movePatient(ofEncounter id: Int64, to patient: PatientRecord) throws {
        try run(
            """
            UPDATE requestedProcedure SET patient = ?1, updatedAt = ?2, nameKey =
                (SELECT nameKey FROM patient WHERE id = ?3) WHERE encounter = ?4
            """, [patient.id, now, patient.root, id])
        // An order may have got its visit after its images.
        try run(
            """
            UPDATE studyLink SET patient = ?1, encounter = ?2 WHERE undoneAt IS NULL AND (encounter = ?2
                OR procedure IN (SELECT id FROM requestedProcedure WHERE encounter = ?2))
            """, [patient.id, id])
        for link in try links(encounter: id) { try lookAgain(study: link.studyInstanceUID) }
    }
}
