// The write side of enrolment: one batch inside one transaction, rows of studies and series looked up once.

import DICOMCore
import Foundation
import GRDB
import Volumes

/// Enrols instances inside the caller's transaction. Whoever speaks for a patient, study or series is the earliest
/// instance below it (`Precedence`), so the outcome does not depend on the order of enrolment.
struct EnrollmentBatch {
    let db: Database
    /// Rows seen in this batch; forgotten whenever rows may have gone.
    private var studies: [String: StudyRow] = [:]
    private var series: [SeriesKey: SeriesRow] = [:]
    private(set) var changes = ChangeTally()
    private let hasErasures: Bool

    private struct SeriesKey: Hashable {
        let study: Int64
        let uid: String
    }

    private struct StudyRow {
        let id: Int64
        var patient: Int64
        var patientKey: InstanceFacts.PatientKey
        var speaker: Precedence
        var modalities: Set<String>
        var sopClasses: Set<String>
        var isMixed: Bool
    }

    private struct SeriesRow {
        let id: Int64
        var speaker: Precedence
        var modality: String
        var claims: [String: Int64]
    }

    init(_ db: Database) throws {
        self.db = db
        hasErasures = try db.first("SELECT 1 FROM erasure LIMIT 1") != nil
    }

    /// Enrols one instance, whatever the catalogue knows of its UID.
    mutating func enroll(_ enrollment: Enrollment) throws -> EnrollmentOutcome {
        if hasErasures {
            let place = enrollment.place
            let waiting = "SELECT 1 FROM erasure WHERE volume = ? AND entryOffset = ?"
            if try db.first(waiting, [place.volume.sql, place.entryOffset.sql]) != nil { return .known }
        }
        if try db.first("SELECT 1 FROM instance WHERE uid = ?", [enrollment.facts.sopInstanceUID.sql]) == nil {
            try insert(enrollment)
            changes.add(.stored, enrollment.facts)
            return .new
        }
        forgetRows()
        defer { forgetRows() }
        return try arbitrate(enrollment)
    }

    /// Rows that were removed or re-decided behind the batch's back must be read again.
    mutating func forgetRows() {
        studies.removeAll(keepingCapacity: true)
        series.removeAll(keepingCapacity: true)
    }

    mutating func note(_ kind: Change.Kind, _ facts: InstanceFacts) { changes.add(kind, facts) }

    // MARK: - The primary copy

    /// Inserts a primary copy; its UID must be free.
    mutating func insert(_ enrollment: Enrollment, chosen: Bool = false) throws {
        let facts = enrollment.facts
        var study = try studyRow(for: facts)
        let key = SeriesKey(study: study.id, uid: facts.seriesInstanceUID)
        var series = try seriesRow(key)
        let claim = try claimID(of: facts, in: &series)

        var arguments: [DatabaseValue] = [series.id.sql, claim.sql]
        arguments += RowSQL.instanceAttributes.map { facts.stored($0) }
        arguments += enrollment.place.sql
        arguments += [
            enrollment.dataSetOffset.sql, Data(enrollment.digest).sql, enrollment.receivedAt.sql,
            enrollment.source.sql, facts.flaws.rawValue.sql, chosen.sql,
        ]
        try db.run(RowSQL.insertInstance, arguments)
        try adopt(enrollment, claim: claim, study: &study, series: &series)
        studies[facts.studyInstanceUID] = study
        self.series[key] = series
    }

    /// The same bytes at an earlier place take the row of the primary over.
    mutating func move(_ id: Int64, to enrollment: Enrollment) throws {
        let facts = enrollment.facts
        try db.run(
            """
            UPDATE instance SET volume = ?, entryOffset = ?, bodyOffset = ?, length = ?, dataSetOffset = ?,
                receivedAt = ?, source = ?, flaws = ? WHERE id = ?
            """,
            enrollment.place.sql + [
                enrollment.dataSetOffset.sql, enrollment.receivedAt.sql, enrollment.source.sql,
                facts.flaws.rawValue.sql, id.sql,
            ])
        var study = try studyRow(for: facts)
        var series = try seriesRow(SeriesKey(study: study.id, uid: facts.seriesInstanceUID))
        let claim = try claimID(of: facts, in: &series)
        try adopt(enrollment, claim: claim, study: &study, series: &series)
    }

    // MARK: - Who speaks

    private func adopt(
        _ enrollment: Enrollment, claim: Int64, study: inout StudyRow, series: inout SeriesRow
    ) throws {
        let facts = enrollment.facts
        let precedence = enrollment.precedence
        if precedence < series.speaker {
            series.speaker = precedence
            try db.run(RowSQL.adoptSeries, RowSQL.arguments(RowSQL.adoptedSeries, of: facts, precedence, id: series.id))
            try db.run("UPDATE series SET claim = ? WHERE id = ?", [claim.sql, series.id.sql])
            let modality = facts[.modality]
            if series.modality != modality {
                series.modality = modality
                study.modalities = try Upkeep.refreshModalities(db, study: study.id)
            }
        }
        if study.sopClasses.insert(facts.sopClassUID).inserted {
            let joined = study.sopClasses.sorted().joined(separator: "\\")
            try db.run("UPDATE study SET sopClasses = ? WHERE id = ?", [joined.sql, study.id.sql])
        }
        if facts.patientKey != study.patientKey, !study.isMixed {
            study.isMixed = true
            try db.run("UPDATE study SET flaws = flaws | 1 WHERE id = ?", [study.id.sql])
        }
        guard precedence < study.speaker else { return }
        study.speaker = precedence
        let former = study.patient
        if facts.patientKey != study.patientKey {
            study.patient = try Upkeep.patientID(db, for: facts.patientKey)
            study.patientKey = facts.patientKey
            try db.run("UPDATE study SET patient = ? WHERE id = ?", [study.patient.sql, study.id.sql])
        }
        try db.run(RowSQL.adoptStudy, RowSQL.arguments(RowSQL.adoptedStudy, of: facts, precedence, id: study.id))
        try Upkeep.offerPatient(db, study.patient, facts, precedence)
        if former != study.patient { try Upkeep.refreshPatient(db, former) }
    }

    // MARK: - Rows

    private mutating func studyRow(for facts: InstanceFacts) throws -> StudyRow {
        let uid = facts.studyInstanceUID
        if let known = studies[uid] { return known }
        let select = """
            SELECT study.id, study.patient, patientID, issuerOfPatientID, loneStudyUID,
                study.receivedAt, study.volume, study.entryOffset, modalities, sopClasses, flaws
            FROM study JOIN patient ON patient.id = study.patient WHERE study.uid = ?
            """
        if let row = try db.first(select, [uid.sql]) {
            return StudyRow(
                id: row[0], patient: row[1],
                patientKey: .init(patientID: row[2], issuer: row[3], loneStudyUID: row[4]),
                speaker: Precedence(receivedAt: row[5], volume: row[6], entryOffset: row[7]),
                modalities: Self.set(row[8]), sopClasses: Self.set(row[9]), isMixed: (row[10] as Int) & 1 == 1)
        }
        let patient = try Upkeep.patientID(db, for: facts.patientKey)
        let last = Precedence.last
        try db.run(
            "INSERT INTO study (uid, patient, receivedAt, volume, entryOffset) VALUES (?, ?, ?, ?, ?)",
            [uid.sql, patient.sql, last.receivedAt.sql, last.volume.sql, last.entryOffset.sql])
        return StudyRow(
            id: db.lastInsertedRowID, patient: patient, patientKey: facts.patientKey, speaker: last, modalities: [],
            sopClasses: [], isMixed: false)
    }

    private mutating func seriesRow(_ key: SeriesKey) throws -> SeriesRow {
        if let known = series[key] { return known }
        let select = "SELECT id, receivedAt, volume, entryOffset, modality FROM series WHERE uid = ? AND study = ?"
        if let row = try db.first(select, [key.uid.sql, key.study.sql]) {
            return SeriesRow(
                id: row[0], speaker: Precedence(receivedAt: row[1], volume: row[2], entryOffset: row[3]),
                modality: row[4], claims: [:])
        }
        let last = Precedence.last
        try db.run(
            "INSERT INTO series (uid, study, receivedAt, volume, entryOffset) VALUES (?, ?, ?, ?, ?)",
            [key.uid.sql, key.study.sql, last.receivedAt.sql, last.volume.sql, last.entryOffset.sql])
        return SeriesRow(id: db.lastInsertedRowID, speaker: last, modality: "", claims: [:])
    }

    private func claimID(of facts: InstanceFacts, in series: inout SeriesRow) throws -> Int64 {
        let body = facts.encoded(levels: .patient ... .series)
        if let known = series.claims[body] { return known }
        let hash = Self.hash(body)
        let select = "SELECT id FROM claim WHERE series = ? AND hash = ? AND body = ?"
        let id: Int64
        if let row = try db.first(select, [series.id.sql, hash.sql, body.sql]) {
            id = row[0]
        } else {
            try db.run(
                "INSERT INTO claim (series, hash, patientID, issuerOfPatientID, body) VALUES (?, ?, ?, ?, ?)",
                [series.id.sql, hash.sql, facts[.patientID].sql, facts[.issuerOfPatientID].sql, body.sql])
            id = db.lastInsertedRowID
        }
        series.claims[body] = id
        return id
    }

    /// FNV-1a: stable across runs, as a stored hash must be.
    private static func hash(_ text: String) -> Int64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Int64(bitPattern: hash)
    }

    private static func set(_ joined: String) -> Set<String> { Set(joined.split(separator: "\\").map(String.init)) }
}
