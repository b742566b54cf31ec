// Requested procedures: what was ordered, under which numbers, and how far it has come.

import Foundation
import GRDB

/// A number in somebody's namespace.
package struct IssuedNumber: Codable, Hashable, Sendable {
    package let issuer: String
    package let value: String

    package init(issuer: String, value: String) {
        self.issuer = issuer.trimmingCharacters(in: .whitespaces)
        self.value = value.trimmingCharacters(in: .whitespaces)
    }

    /// As it was kept: it was trimmed then.
    init(kept issuer: String, _ value: String) {
        self.issuer = issuer
        self.value = value
    }
}

/// A code with its scheme and meaning (PS3.3 Section 8).
package struct Coded: Codable, Hashable, Sendable {
    package var value: String
    package var scheme: String
    package var meaning: String

    package init(value: String = "", scheme: String = "", meaning: String = "") {
        self.value = value
        self.scheme = scheme
        self.meaning = meaning
    }
}

/// What is known of a requested procedure and its one scheduled step (PS3.3 Sections C.4.10 to C.4.12).
package struct ProcedureDetails: Codable, Hashable, Sendable, Blank {
    /// STAT, HIGH, ROUTINE, MEDIUM or LOW (0040,1003).
    package var priority = "ROUTINE"
    package var modality = ""
    /// AE title of the modality that is to do it; empty: any of its kind.
    package var stationAETitle = ""
    package var stationName = ""
    package var location = ""
    /// `yyyymmddHHMMSS`, local.
    package var scheduledAt = ""
    package var code = Coded()
    package var protocolCode = Coded()
    package var requestedProcedureID = ""
    package var scheduledProcedureStepID = ""
    package var fillerNumber = ""
    package var reason = ""
    package var clinicalInformation = ""
    package var bodySite = ""
    package var laterality = ""
    package var requestingPhysician = ""
    package var requestingService = ""
    package var performingPhysician = ""
    package var orderedAt = ""
    /// PS3.3 C.7.1.4 Pregnancy Status: 1 not pregnant, 2 possibly, 3 definitely, 4 unknown; empty: not said.
    package var pregnancyStatus = ""
    package var medicalAlerts = ""
    package var allergies = ""
    package var specialNeeds = ""
    package var patientState = ""
    /// Kilogrammes.
    package var patientWeight = ""
    /// Metres.
    package var patientSize = ""
    package var confidentiality = ""
    package var transport = ""

    package init() {}
}

/// One requested procedure.
package struct ProcedureRecord: Hashable, Sendable {
    package let id: Int64
    package let patient: Int64
    package let encounter: Int64?
    package let placer: IssuedNumber
    package let accession: IssuedNumber
    package let studyInstanceUID: String
    /// A word of the state machine above this room.
    package let state: String
    package let details: ProcedureDetails
    package let asOf: Int64
    package let createdAt: Int64
    package let updatedAt: Int64

    init(_ row: Row) throws {
        id = row["id"]
        patient = row["patient"]
        encounter = row["encounter"]
        placer = IssuedNumber(kept: row["placerIssuer"], row["placerNumber"])
        accession = IssuedNumber(kept: row["accessionIssuer"], row["accessionNumber"])
        studyInstanceUID = row["studyInstanceUID"]
        state = row["state"]
        details = try Body.value(row["body"])
        asOf = row["asOf"]
        createdAt = row["createdAt"]
        updatedAt = row["updatedAt"]
    }
}

/// A step of a procedure.
package struct ProcedureEvent: Hashable, Sendable {
    package let from: String
    package let to: String
    package let at: Int64
    package let actor: String
    package let reason: String

    init(_ row: Row) {
        from = row["fromState"]
        to = row["toState"]
        at = row["at"]
        actor = row["actor"]
        reason = row["reason"]
    }
}

extension RecordTransaction {
    package func addProcedure(
        patient: Int64, encounter: Int64?, placer: IssuedNumber, accession: IssuedNumber, studyInstanceUID: String,
        state: String, isOpen: Bool, details: ProcedureDetails, nameKey: String, asOf: Int64
    ) throws -> ProcedureRecord {
        let id = try insert(
            """
            INSERT INTO requestedProcedure (patient, encounter, placerIssuer, placerNumber, accessionIssuer,
                accessionNumber, studyInstanceUID, state, isOpen, modality, stationAETitle, scheduledAt, nameKey, body,
                asOf, createdAt, updatedAt)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                patient, encounter, placer.issuer, placer.value, accession.issuer, accession.value, studyInstanceUID,
                state, isOpen, details.modality, details.stationAETitle, details.scheduledAt, nameKey,
                Body.text(details), asOf, now, now,
            ])
        return try procedure(id: id)
    }

    /// Everything but numbers and state.
    package func setProcedure(
        _ id: Int64, patient: Int64, encounter: Int64?, details: ProcedureDetails, nameKey: String, asOf: Int64
    ) throws {
        try run(
            """
            UPDATE requestedProcedure SET patient = ?, encounter = ?, modality = ?, stationAETitle = ?, scheduledAt = ?,
                nameKey = ?, body = ?, asOf = ?, updatedAt = ?
            WHERE id = ?
            """,
            [
                patient, encounter, details.modality, details.stationAETitle, details.scheduledAt, nameKey,
                Body.text(details), asOf, now, id,
            ])
        // Rules of forwarding ask for an order's urgency, and more.
        for link in try links(procedure: id) { try markForwarding(study: link.studyInstanceUID) }
    }

    /// Another accession number; the order is still found by the one before.
    package func setAccession(_ accession: IssuedNumber, ofProcedure procedure: ProcedureRecord) throws {
        try run(
            "INSERT INTO formerAccession (accessionNumber, procedure) VALUES (?, ?) ON CONFLICT DO NOTHING",
            [procedure.accession.value, procedure.id])
        try run(
            "UPDATE requestedProcedure SET accessionIssuer = ?, accessionNumber = ?, updatedAt = ? WHERE id = ?",
            [accession.issuer, accession.value, now, procedure.id])
    }

    /// What is known of a procedure was true at an instant.
    package func setAsOf(_ instant: Int64, ofProcedure id: Int64) throws {
        try run("UPDATE requestedProcedure SET asOf = ? WHERE id = ?", [instant, id])
    }

    /// Another state, and the step that led there.
    package func setState(
        _ state: String, isOpen: Bool, ofProcedure procedure: ProcedureRecord, actor: String, reason: String
    ) throws {
        try run("UPDATE requestedProcedure SET state = ?, updatedAt = ? WHERE id = ?", [state, now, procedure.id])
        // By itself: whatever is said of this column is written into every index of the worklist, also what it was.
        try run("UPDATE requestedProcedure SET isOpen = ?1 WHERE id = ?2 AND isOpen <> ?1", [isOpen, procedure.id])
        _ = try insert(
            """
            INSERT INTO procedureEvent (procedure, fromState, toState, at, actor, reason) VALUES (?, ?, ?, ?, ?, ?)
            """, [procedure.id, procedure.state, state, now, actor, reason])
    }

    /// The name by which open procedures of these patients are found.
    package func setNameKey(_ nameKey: String, patients: [PatientRecord]) throws {
        for patient in patients {
            try run("UPDATE requestedProcedure SET nameKey = ? WHERE patient = ?", [nameKey, patient.id])
        }
    }

    package func procedure(id: Int64) throws -> ProcedureRecord {
        guard let row = try row("SELECT * FROM requestedProcedure WHERE id = ?", [id]) else {
            throw RecordsError.notFound
        }
        return try ProcedureRecord(row)
    }

    package func procedure(placer: IssuedNumber) throws -> ProcedureRecord? {
        try row(
            "SELECT * FROM requestedProcedure WHERE placerIssuer = ? AND placerNumber = ?",
            [placer.issuer, placer.value]
        ).map(ProcedureRecord.init)
    }

    package func procedure(studyInstanceUID uid: String) throws -> ProcedureRecord? {
        try row("SELECT * FROM requestedProcedure WHERE studyInstanceUID = ?", [uid]).map(ProcedureRecord.init)
    }

    /// Procedures that have an accession number or had it before; several procedures may be one request.
    package func procedures(accessionNumber: String) throws -> [ProcedureRecord] {
        let select = """
            SELECT * FROM requestedProcedure WHERE accessionNumber = ?1
                OR id IN (SELECT procedure FROM formerAccession WHERE accessionNumber = ?1)
            ORDER BY id LIMIT 100
            """
        return try rows(select, [accessionNumber]).map(ProcedureRecord.init)
    }

    /// Procedures of an order number, whoever gave it.
    package func procedures(placerNumber: String) throws -> [ProcedureRecord] {
        try rows("SELECT * FROM requestedProcedure WHERE placerNumber = ? ORDER BY id LIMIT 100", [placerNumber])
            .map(ProcedureRecord.init)
    }

    /// Procedures of a Scheduled Procedure Step ID, the newest first.
    package func procedures(scheduledProcedureStepID id: String) throws -> [ProcedureRecord] {
        let select = """
            SELECT * FROM requestedProcedure WHERE body ->> '$.scheduledProcedureStepID' = ? ORDER BY id DESC LIMIT 100
            """
        return try rows(select, [id]).map(ProcedureRecord.init)
    }

    package func procedures(encounter: Int64) throws -> [ProcedureRecord] {
        try rows("SELECT * FROM requestedProcedure WHERE encounter = ? ORDER BY id LIMIT 1000", [encounter])
            .map(ProcedureRecord.init)
    }

    /// Procedures of a person scheduled within a span (`yyyymmddHHMMSS`, both ends included), the earliest first.
    package func procedures(
        of patient: PatientRecord, from: String, through: String, limit: Int
    ) throws -> [ProcedureRecord] {
        let select = """
            SELECT requestedProcedure.* FROM patient
                JOIN requestedProcedure ON requestedProcedure.patient = patient.id
            WHERE root = ? AND scheduledAt >= ? AND scheduledAt <= ? ORDER BY scheduledAt, requestedProcedure.id LIMIT ?
            """
        return try rows(select, [patient.root, from, through, limit]).map(ProcedureRecord.init)
    }

    /// Steps of a procedure, the earliest first.
    package func events(ofProcedure id: Int64) throws -> [ProcedureEvent] {
        try rows("SELECT * FROM procedureEvent WHERE procedure = ? ORDER BY id", [id]).map(ProcedureEvent.init)
    }

    /// The next number of a day, from 1.
    package func nextAccession(day: String) throws -> Int {
        try run(
            """
            INSERT INTO accessionCounter (day, last) VALUES (?, 1) ON CONFLICT (day) DO UPDATE SET last = last + 1
            """, [day])
        return try row("SELECT last FROM accessionCounter WHERE day = ?", [day])?["last"] ?? 1
    }
}
