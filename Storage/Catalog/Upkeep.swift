// Keeping patients, studies and series true when instances arrive out of order or leave.

import DICOMCore
import Foundation
import GRDB

/// Recomputes what upper rows say from what lies below them. All of it runs inside the caller's transaction.
enum Upkeep {
    // MARK: - Patients

    /// The row of the patient of an instance, made when it is not there; then that instance speaks for it.
    static func patientID(_ db: Database, of facts: InstanceFacts, _ precedence: Precedence) throws -> Int64 {
        let key = facts.patientKey
        let select = "SELECT id FROM patient WHERE patientID = ? AND issuerOfPatientID = ? AND loneStudyUID = ?"
        if let row = try db.first(select, [key.patientID.sql, key.issuer.sql, key.loneStudyUID.sql]) { return row[0] }
        try db.run(
            RowSQL.insertPatient,
            [key.patientID.sql, key.issuer.sql, key.loneStudyUID.sql]
                + RowSQL.arguments(RowSQL.adoptedPatient, of: facts, precedence))
        return db.lastInsertedRowID
    }

    /// Lets an instance speak for the patient when it is earlier than the one that does.
    static func offerPatient(_ db: Database, _ id: Int64, _ facts: InstanceFacts, _ precedence: Precedence) throws {
        let select = "SELECT receivedAt, volume, entryOffset FROM patient WHERE id = ?"
        guard let row = try db.first(select, [id.sql]) else { return }
        let speaker = Precedence(receivedAt: row[0], volume: row[1], entryOffset: row[2])
        guard precedence < speaker else { return }
        try db.run(RowSQL.adoptPatient, RowSQL.arguments(RowSQL.adoptedPatient, of: facts, precedence, id: id))
    }

    /// Removes a patient without studies; otherwise lets the earliest study's speaker speak again.
    static func refreshPatient(_ db: Database, _ id: Int64) throws {
        let select = """
            SELECT study.receivedAt, study.volume, study.entryOffset, claim.body, \(StudyCorrection.columns)
            FROM study JOIN series ON series.study = study.id AND series.receivedAt = study.receivedAt
                AND series.volume = study.volume AND series.entryOffset = study.entryOffset
            JOIN claim ON claim.id = series.claim
            LEFT JOIN correction ON correction.studyUID = study.uid
            WHERE study.patient = ?
            ORDER BY correction.naming IS NULL, correction.naming DESC, study.receivedAt, study.volume,
                study.entryOffset LIMIT 1
            """
        guard let row = try db.first(select, [id.sql]) else {
            try db.run("DELETE FROM patient WHERE id = ? AND studies = 0", [id.sql])
            return
        }
        let correction = StudyCorrection(row, at: 4)
        let own = Precedence(receivedAt: row[0], volume: row[1], entryOffset: row[2])
        let precedence = correction?.precedence(own) ?? own
        let facts = InstanceFacts(encoded: [row[3]], flaws: []).corrected(by: correction)
        try db.run(RowSQL.adoptPatient, RowSQL.arguments(RowSQL.adoptedPatient, of: facts, precedence, id: id))
    }

    // MARK: - Studies

    /// Removes empty series of these ids, then empty studies, then empty patients, and re-decides the others.
    static func refresh(_ db: Database, series: Set<Int64>) throws {
        var studies: Set<Int64> = []
        for id in series.sorted() {
            if let study = try refreshSeries(db, id) { studies.insert(study) }
        }
        try refresh(db, studies: studies)
    }

    /// Removes empty studies of these ids, then empty patients, and re-decides the others.
    static func refresh(_ db: Database, studies: Set<Int64>) throws {
        var patients: Set<Int64> = []
        for id in studies.sorted() { patients.formUnion(try refreshStudy(db, id)) }
        for id in patients.sorted() { try refreshPatient(db, id) }
    }

    private static func refreshSeries(_ db: Database, _ id: Int64) throws -> Int64? {
        guard let row = try db.first("SELECT study, instances FROM series WHERE id = ?", [id.sql]) else { return nil }
        let study: Int64 = row[0]
        if row[1] as Int == 0 {
            try db.run("DELETE FROM claim WHERE series = ?", [id.sql])
            try db.run("DELETE FROM series WHERE id = ?", [id.sql])
            return study
        }
        try db.run(
            "DELETE FROM claim WHERE series = ?1 AND id NOT IN (SELECT claim FROM instance WHERE series = ?1)", [id.sql]
        )
        let select = """
            SELECT instance.receivedAt, instance.volume, instance.entryOffset, claim.id, claim.body
            FROM instance JOIN claim ON claim.id = instance.claim WHERE instance.series = ?
            ORDER BY instance.receivedAt, instance.volume, instance.entryOffset LIMIT 1
            """
        guard let row = try db.first(select, [id.sql]) else { return study }
        let precedence = Precedence(receivedAt: row[0], volume: row[1], entryOffset: row[2])
        let facts = InstanceFacts(encoded: [row[4]], flaws: [])
        try db.run(RowSQL.adoptSeries, RowSQL.arguments(RowSQL.adoptedSeries, of: facts, precedence, id: id))
        try db.run("UPDATE series SET claim = ? WHERE id = ?", [row[3] as DatabaseValue, id.sql])
        return study
    }

    /// Returns the patients whose rows may have changed.
    private static func refreshStudy(_ db: Database, _ id: Int64) throws -> Set<Int64> {
        guard let row = try db.first("SELECT patient, series, uid FROM study WHERE id = ?", [id.sql]) else { return [] }
        let former: Int64 = row[0]
        if row[1] as Int == 0 {
            try db.run("DELETE FROM study WHERE id = ?", [id.sql])
            return [former]
        }
        let select = """
            SELECT receivedAt, volume, entryOffset, claim.body
            FROM series JOIN claim ON claim.id = series.claim WHERE series.study = ?
            ORDER BY receivedAt, volume, entryOffset LIMIT 1
            """
        guard let speaker = try db.first(select, [id.sql]) else { return [former] }
        let precedence = Precedence(receivedAt: speaker[0], volume: speaker[1], entryOffset: speaker[2])
        let correction = try StudyCorrection.of(study: row[2], db)
        let facts = InstanceFacts(encoded: [speaker[3]], flaws: []).corrected(by: correction)
        let patient = try patientID(db, of: facts, correction?.precedence(precedence) ?? precedence)
        try db.run("UPDATE study SET patient = ? WHERE id = ?", [patient.sql, id.sql])
        try db.run(RowSQL.adoptStudy, RowSQL.arguments(RowSQL.adoptedStudy, of: facts, precedence, id: id))
        try refreshModalities(db, study: id)
        try refreshClasses(db, study: id)
        return [former, patient]
    }

    /// Modalities in Study (0008,0061), sorted.
    @discardableResult
    static func refreshModalities(_ db: Database, study: Int64) throws -> Set<String> {
        let select = "SELECT DISTINCT modality FROM series WHERE study = ? AND modality <> '' ORDER BY modality"
        let modalities = try db.all(select, [study.sql]).map { $0[0] as String }
        try db.run("UPDATE study SET modalities = ? WHERE id = ?", [modalities.joined(separator: "\\").sql, study.sql])
        return Set(modalities)
    }

    /// SOP Classes in Study (0008,0062), sorted, and whether its instances name more than one patient.
    private static func refreshClasses(_ db: Database, study: Int64) throws {
        let select = """
            SELECT DISTINCT sopClassUID FROM instance
            WHERE series IN (SELECT id FROM series WHERE study = ?) ORDER BY sopClassUID
            """
        let classes = try db.all(select, [study.sql]).map { $0[0] as String }.joined(separator: "\\")
        let people = """
            SELECT count(*) FROM (SELECT DISTINCT patientID, issuerOfPatientID FROM claim
            WHERE series IN (SELECT id FROM series WHERE study = ?))
            """
        let isMixed = (try db.first(people, [study.sql])?[0] as Int? ?? 0) > 1
        try db.run("UPDATE study SET sopClasses = ?, flaws = ? WHERE id = ?", [classes.sql, isMixed.sql, study.sql])
    }
}
