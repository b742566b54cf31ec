// What was found out about a study after its images came: kept beside them, with its history.

import Foundation
import GRDB

/// What is true of a study where its images say otherwise, from one revision to the next.
package struct CorrectionRecord: Hashable, Sendable {
    package enum Cause: String, CaseIterable, Sendable {
        /// The study belongs to a patient or an order that its images do not name.
        case link
        /// The patient that the images name was merged into another, or got another identifier.
        case merge
        /// Somebody wrote it.
        case person
    }

    /// Counts over all studies, and only grows.
    package let revision: Int64
    package let studyInstanceUID: String
    package let cause: Cause
    /// Values by tag (`GGGGEEEE`), from whom the study belongs to. An empty one takes away what the images say.
    package let derived: [String: String]
    /// Values by tag that somebody wrote; they win.
    package let byHand: [String: String]
    /// The images' own Patient ID.
    package let ownPatientID: String
    /// One sentence for people.
    package let reason: String
    package let actor: String
    /// Microseconds since 1970.
    package let at: Int64

    /// What holds.
    package var attributes: [String: String] { derived.merging(byHand) { _, written in written } }

    init(_ row: Row) throws {
        revision = row["revision"]
        studyInstanceUID = row["studyInstanceUID"]
        cause = Cause(rawValue: row["cause"]) ?? .person
        derived = try Body.value(row["derived"])
        byHand = try Body.value(row["byHand"])
        ownPatientID = row["ownPatientID"]
        reason = row["reason"]
        actor = row["actor"]
        at = row["at"]
    }
}

/// Something whose corrections have to be derived anew: one study, or all that came under a Patient ID.
package struct DueCorrection: Hashable, Sendable {
    package let id: Int64
    package let studyInstanceUID: String
    package let patientID: String
}

extension RecordTransaction {
    /// The newest revision of a study; its attributes may be empty.
    package func correction(ofStudy uid: String) throws -> CorrectionRecord? {
        try row("SELECT * FROM correction WHERE studyInstanceUID = ? ORDER BY revision DESC LIMIT 1", [uid])
            .map(CorrectionRecord.init)
    }

    /// Every revision of a study, the newest first.
    package func corrections(ofStudy uid: String) throws -> [CorrectionRecord] {
        try rows("SELECT * FROM correction WHERE studyInstanceUID = ? ORDER BY revision DESC", [uid])
            .map(CorrectionRecord.init)
    }

    /// Revisions of all studies after a number, in order.
    package func corrections(after revision: Int64, limit: Int) throws -> [CorrectionRecord] {
        try rows("SELECT * FROM correction WHERE revision > ? ORDER BY revision LIMIT ?", [revision, limit])
            .map(CorrectionRecord.init)
    }

    /// The number of the newest revision; 0 while there is none.
    package func lastCorrection() throws -> Int64 {
        try row("SELECT max(revision) FROM correction")?[0] ?? 0
    }

    /// Studies with a correction whose images have a Patient ID, by UID, beyond the one given.
    package func correctedStudies(ownPatientID: String, beyond uid: String, limit: Int) throws -> [String] {
        let select = """
            SELECT DISTINCT studyInstanceUID FROM correction
            WHERE ownPatientID = ?1 AND ?1 <> '' AND studyInstanceUID > ?2 ORDER BY studyInstanceUID LIMIT ?3
            """
        return try rows(select, [ownPatientID, uid, limit]).map { $0[0] }
    }

    package func addCorrection(
        study uid: String, cause: CorrectionRecord.Cause, derived: [String: String], byHand: [String: String],
        ownPatientID: String, reason: String, actor: String
    ) throws {
        try run(
            """
            INSERT INTO correction (studyInstanceUID, cause, derived, byHand, ownPatientID, reason, actor, at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [uid, cause.rawValue, Body.text(derived), Body.text(byHand), ownPatientID, reason, actor, now])
    }

    // MARK: What is due

    /// What has to be derived anew, the oldest first.
    package func dueCorrections(limit: Int) throws -> [DueCorrection] {
        try rows("SELECT id, studyInstanceUID, patientID FROM correctionDue ORDER BY id LIMIT ?", [limit]).map {
            DueCorrection(id: $0[0], studyInstanceUID: $0[1], patientID: $0[2])
        }
    }

    package func removeDue(_ due: [DueCorrection]) throws {
        for one in due { try run("DELETE FROM correctionDue WHERE id = ?", [one.id]) }
    }

    // MARK: Whom an identifier means

    /// Active identifiers of one row, without those of rows that were merged into it; the earliest first.
    package func identifiers(ofRow id: Int64) throws -> [PatientIdentifier] {
        try rows("SELECT * FROM identifier WHERE patient = ? AND endedAt IS NULL ORDER BY id", [id])
            .map(PatientIdentifier.init)
    }

    /// Rows that a Patient ID means or has meant, active ones first, and whether it still does.
    package func rows(
        patientID value: String, issuer: String
    ) throws -> [(patient: PatientRecord, isActive: Bool)] {
        let select = """
            SELECT patient.*, max(identifier.endedAt IS NULL) AS isActive
            FROM identifier JOIN patient ON patient.id = identifier.patient
            WHERE identifier.value = ?1 AND (?2 = '' OR identifier.issuer = ?2) AND identifier.type = 'MR'
            GROUP BY patient.id ORDER BY isActive DESC, patient.id LIMIT 100
            """
        return try rows(select, [value, issuer]).map { (try PatientRecord($0), $0["isActive"]) }
    }
}
