// The write side of enrolment: one batch inside one transaction, rows of studies and series looked up once.

import DICOMCore
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
    private let seek: HotStatement
    private let insertion: HotStatement

    private struct SeriesKey: Hashable {
        let study: Int64
        let uid: String
    }

    private struct StudyRow {
        let id: Int64
        var patient: Int64
        var patientKey: InstanceFacts.PatientKey
        /// Whom the images name, where a correction shows another.
        var ownKey: InstanceFacts.PatientKey
        let correction: StudyCorrection?
        var speaker: Precedence
        var sopClasses: Set<String>
        var isMixed: Bool
    }

    private struct SeriesRow {
        let id: Int64
        var speaker: Precedence
        var modality: String
        /// The latest claims of this batch: the facts that made them, and their rows. Rarely more than one.
        var claims: [(facts: InstanceFacts, id: Int64)]
        /// Primary copies inserted but not yet counted.
        var instances = 0
        var bytes: Int64 = 0
    }

    /// Opens a batch, does the work and counts what was inserted: the only way to a batch, so that no path can forget
    /// the counters.
    static func run<Value>(_ db: Database, _ work: (inout EnrollmentBatch) throws -> Value) throws -> Value {
        var batch = try EnrollmentBatch(db)
        let value = try work(&batch)
        try batch.count()
        return value
    }

    private init(_ db: Database) throws {
        self.db = db
        hasErasures =
            try HotStatement(db, "SELECT 1 FROM erasure LIMIT 1").first({ _ in }, { _ in true }) ?? false
        seek = try HotStatement(db, "SELECT 1 FROM instance WHERE uid = ?")
        insertion = try HotStatement(db, RowSQL.insertInstance)
    }

    /// Enrols one instance, whatever the catalogue knows of its UID.
    mutating func enroll(_ enrollment: Enrollment) throws -> EnrollmentOutcome {
        if hasErasures {
            let place = enrollment.place
            let waiting = "SELECT 1 FROM erasure WHERE volume = ? AND entryOffset = ?"
            if try db.first(waiting, [place.volume.sql, place.entryOffset.sql]) != nil { return .known }
        }
        let uid = enrollment.facts.sopInstanceUID
        if try seek.first({ $0.bind(uid) }, { _ in true }) == nil {
            try insert(enrollment)
            changes.add(.stored, enrollment.facts)
            return .new
        }
        try forgetRows()
        let outcome = try arbitrate(enrollment)
        try forgetRows()
        return outcome
    }

    /// Rows that are going to be removed or re-decided behind the batch's back must be counted first and read again
    /// afterwards.
    mutating func forgetRows() throws {
        try count()
        studies.removeAll(keepingCapacity: true)
        series.removeAll(keepingCapacity: true)
    }

    mutating func note(_ kind: Change.Kind, _ facts: InstanceFacts) { changes.add(kind, facts) }

    /// Adds what was inserted to the counters of its series; triggers carry it up to the totals.
    private mutating func count() throws {
        let update = "UPDATE series SET instances = instances + ?, bytes = bytes + ? WHERE id = ?"
        var statement: HotStatement?
        for (key, row) in series where row.instances > 0 {
            let counting = try statement ?? HotStatement(db, update)
            statement = counting
            try counting.run {
                $0.bind(row.instances)
                $0.bind(row.bytes)
                $0.bind(row.id)
            }
            series[key]?.instances = 0
            series[key]?.bytes = 0
        }
    }

    // MARK: - The primary copy

    /// Inserts a primary copy; its UID must be free.
    mutating func insert(_ enrollment: Enrollment, chosen: Bool = false) throws {
        let facts = enrollment.facts
        var study = try studyRow(of: enrollment)
        let key = SeriesKey(study: study.id, uid: facts.seriesInstanceUID)
        var series = try seriesRow(key)
        let claim = try claimID(of: facts, in: &series)

        try insertion.run { row in
            row.bind(series.id)
            row.bind(claim)
            for attribute in RowSQL.instanceAttributes { facts.bind(attribute, to: &row) }
            row.bind(enrollment.place)
            row.bind(enrollment.dataSetOffset)
            row.bind(enrollment.digest)
            row.bind(enrollment.receivedAt)
            row.bind(enrollment.source)
            row.bind(facts.flaws.rawValue)
            row.bind(chosen ? 1 : 0)
        }
        try adopt(enrollment, claim: claim, study: &study, series: &series)
        series.instances += 1
        series.bytes += enrollment.place.length
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
        var study = try studyRow(of: enrollment)
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
                try Upkeep.refreshModalities(db, study: study.id)
            }
        }
        if study.sopClasses.insert(facts.sopClassUID).inserted {
            let joined = study.sopClasses.sorted().joined(separator: "\\")
            try db.run("UPDATE study SET sopClasses = ? WHERE id = ?", [joined.sql, study.id.sql])
        }
        if facts.patientKey != study.ownKey, !study.isMixed {
            study.isMixed = true
            try db.run("UPDATE study SET flaws = flaws | 1 WHERE id = ?", [study.id.sql])
        }
        guard precedence < study.speaker else { return }
        study.speaker = precedence
        study.ownKey = facts.patientKey
        let former = study.patient
        let shown = facts.corrected(by: study.correction)
        let forPatient = study.correction?.precedence(precedence) ?? precedence
        if shown.patientKey != study.patientKey {
            study.patient = try Upkeep.patientID(db, of: shown, forPatient)
            study.patientKey = shown.patientKey
            try db.run("UPDATE study SET patient = ? WHERE id = ?", [study.patient.sql, study.id.sql])
        }
        try db.run(RowSQL.adoptStudy, RowSQL.arguments(RowSQL.adoptedStudy, of: shown, precedence, id: study.id))
        try Upkeep.offerPatient(db, study.patient, shown, forPatient)
        if former != study.patient { try Upkeep.refreshPatient(db, former) }
    }

    // MARK: - Rows

    /// The row of the study of an instance, made when it is not there; then that instance speaks for it.
    private func studyRow(of enrollment: Enrollment) throws -> StudyRow {
        let facts = enrollment.facts
        let uid = facts.studyInstanceUID
        if let known = studies[uid] { return known }
        let select = """
            SELECT study.id, study.patient, patientID, issuerOfPatientID, loneStudyUID,
                study.receivedAt, study.volume, study.entryOffset, sopClasses, flaws
            FROM study JOIN patient ON patient.id = study.patient WHERE study.uid = ?
            """
        let correction = try self.correction(of: uid)
        let found = try HotStatement(db, select).first({ $0.bind(uid) }) { row in
            let shown = InstanceFacts.PatientKey(
                patientID: row.text(2), issuer: row.text(3), loneStudyUID: row.text(4))
            return StudyRow(
                id: row.int64(0), patient: row.int64(1), patientKey: shown, ownKey: shown, correction: correction,
                speaker: row.precedence(5), sopClasses: Set(row.text(8).split(separator: "\\").map(String.init)),
                isMixed: row.int(9) & 1 == 1)
        }
        if var found {
            if correction != nil { found.ownKey = try ownKey(ofStudy: found.id, uid) }
            return found
        }
        let precedence = enrollment.precedence
        let shown = facts.corrected(by: correction)
        let forPatient = correction?.precedence(precedence) ?? precedence
        let patient = try Upkeep.patientID(db, of: shown, forPatient)
        try Upkeep.offerPatient(db, patient, shown, forPatient)
        try db.run(
            RowSQL.insertStudy,
            [uid.sql, patient.sql, facts.sopClassUID.sql]
                + RowSQL.arguments(RowSQL.adoptedStudy, of: shown, precedence))
        return StudyRow(
            id: db.lastInsertedRowID, patient: patient, patientKey: shown.patientKey, ownKey: facts.patientKey,
            correction: correction, speaker: precedence, sopClasses: [facts.sopClassUID], isMixed: false)
    }

    /// What is shown of a study otherwise than its images say; for most one look into an index that is nearly empty.
    private func correction(of uid: String) throws -> StudyCorrection? {
        let isKnown = try HotStatement(db, "SELECT 1 FROM correction WHERE studyUID = ?").first(
            { $0.bind(uid) }, { _ in true })
        return isKnown == nil ? nil : try StudyCorrection.of(study: uid, db)
    }

    /// Whom the instance names that speaks for a study.
    private func ownKey(ofStudy id: Int64, _ uid: String) throws -> InstanceFacts.PatientKey {
        let select = """
            SELECT claim.patientID, claim.issuerOfPatientID
            FROM series JOIN claim ON claim.id = series.claim WHERE series.study = ?
            ORDER BY series.receivedAt, series.volume, series.entryOffset LIMIT 1
            """
        guard let row = try db.first(select, [id.sql]) else { throw CatalogError.corrupt }
        return .init(patientID: row[0], issuer: row[1], loneStudyUID: (row[0] as String).isEmpty ? uid : "")
    }

    private func seriesRow(_ key: SeriesKey) throws -> SeriesRow {
        if let known = series[key] { return known }
        let select = "SELECT id, receivedAt, volume, entryOffset, modality FROM series WHERE uid = ? AND study = ?"
        let found = try HotStatement(db, select).first({
            $0.bind(key.uid)
            $0.bind(key.study)
        }) { row in
            SeriesRow(id: row.int64(0), speaker: row.precedence(1), modality: row.text(4), claims: [])
        }
        if let found { return found }
        let last = Precedence.last
        try db.run(
            "INSERT INTO series (uid, study, receivedAt, volume, entryOffset) VALUES (?, ?, ?, ?, ?)",
            [key.uid.sql, key.study.sql, last.receivedAt.sql, last.volume.sql, last.entryOffset.sql])
        return SeriesRow(id: db.lastInsertedRowID, speaker: last, modality: "", claims: [])
    }

    private func claimID(of facts: InstanceFacts, in series: inout SeriesRow) throws -> Int64 {
        if let known = series.claims.first(where: { $0.facts.agrees(with: facts, to: .series) }) { return known.id }
        let body = facts.encoded(levels: .patient ... .series)
        let hash = Self.hash(body)
        let select = "SELECT id FROM claim WHERE series = ? AND hash = ? AND body = ?"
        let found = try HotStatement(db, select).first({
            $0.bind(series.id)
            $0.bind(hash)
            $0.bind(body)
        }) { $0.int64(0) }
        let id: Int64
        if let found {
            id = found
        } else {
            try db.run(
                "INSERT INTO claim (series, hash, patientID, issuerOfPatientID, body) VALUES (?, ?, ?, ?, ?)",
                [series.id.sql, hash.sql, facts[.patientID].sql, facts[.issuerOfPatientID].sql, body.sql])
            id = db.lastInsertedRowID
        }
        if series.claims.count == 8 { series.claims.removeFirst() }
        series.claims.append((facts, id))
        return id
    }

    /// FNV-1a: stable across runs, as a stored hash must be.
    private static func hash(_ text: String) -> Int64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Int64(bitPattern: hash)
    }
}

extension HotStatement.Values {
    mutating func bind(_ place: Place) {
        bind(place.volume)
        bind(place.entryOffset)
        bind(place.bodyOffset)
        bind(place.length)
    }
}

extension HotStatement.Columns {
    /// From the columns receivedAt, volume and entryOffset, starting at `column`.
    func precedence(_ column: Int32) -> Precedence {
        Precedence(receivedAt: int64(column), volume: int(column + 1), entryOffset: int64(column + 2))
    }
}
