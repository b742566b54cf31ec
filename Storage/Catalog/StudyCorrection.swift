// What the records know better than a study's images: put into the study's row, and handed to every way out.

package import DICOMCore
import GRDB

/// Values that replace those of a study's images.
package struct StudyCorrection: Hashable, Sendable {
    package let studyInstanceUID: String
    /// Of the records; the same number, the same values.
    package let revision: Int64
    /// When it was found out, microseconds since 1970.
    package let at: Int64
    /// Whether somebody wrote it; otherwise it follows from whom the study belongs to.
    package let isByHand: Bool
    /// `GGGGEEEE=value`, separated by U+001F, in order of tag.
    private let text: String

    package init(
        studyInstanceUID: String, revision: Int64, at: Int64, isByHand: Bool, attributes: [Tag: String]
    ) {
        self.studyInstanceUID = studyInstanceUID
        self.revision = revision
        self.at = at
        self.isByHand = isByHand
        text = attributes.sorted { $0.key < $1.key }.map { tag, value in
            "\(tag.hexadecimal)=\(value.filter { $0 != "\u{1F}" })"
        }.joined(separator: "\u{1F}")
    }

    /// Values by tag. An empty one takes away what the images say, and adds nothing.
    package var attributes: [Tag: String] {
        var attributes: [Tag: String] = [:]
        for pair in text.split(separator: "\u{1F}") {
            // By bytes: as characters an equals sign and a combining mark behind it are another one.
            guard let equals = pair.utf8.firstIndex(of: UInt8(ascii: "=")), let raw = UInt32(pair[..<equals], radix: 16)
            else { continue }
            attributes[Tag(rawValue: raw)] = String(pair[pair.utf8.index(after: equals)...])
        }
        return attributes
    }

    package var isEmpty: Bool { text.isEmpty }
}

extension StudyCorrection {
    static let columns = """
        correction.revision, correction.correctedAt, correction.isByHand, correction.attributes, correction.studyUID
        """

    /// From `columns`, starting at `column`; nil where there is none.
    init?(_ row: Row, at column: Int) {
        guard let revision = row[column] as Int64? else { return nil }
        self.revision = revision
        at = row[column + 1]
        isByHand = row[column + 2]
        text = row[column + 3]
        studyInstanceUID = row[column + 4]
    }

    /// What is kept of a study; nil for most.
    static func of(study uid: String, _ db: Database) throws -> StudyCorrection? {
        try db.first("SELECT \(columns) FROM correction WHERE studyUID = ?", [uid.sql])
            .flatMap { StudyCorrection($0, at: 0) }
    }

    private var namesPatient: Bool { attributes[.patientName].map { !$0.isEmpty } ?? false }

    /// Who speaks for the patient: a name that was found out later goes before all images, the latest first.
    func precedence(_ own: Precedence) -> Precedence {
        guard namesPatient else { return own }
        return Precedence(receivedAt: -revision, volume: own.volume, entryOffset: own.entryOffset)
    }

    func write(_ db: Database) throws {
        if isEmpty { return try db.run("DELETE FROM correction WHERE studyUID = ?", [studyInstanceUID.sql]) }
        try db.run(
            """
            INSERT OR REPLACE INTO correction (studyUID, revision, naming, correctedAt, isByHand, attributes)
            VALUES (?, ?, ?, ?, ?, ?)
            """,
            [
                studyInstanceUID.sql, revision.sql, namesPatient ? revision.sql : .null, at.sql, isByHand.sql, text.sql,
            ])
    }
}

extension InstanceFacts {
    /// What is shown of the patient and the study, instead of what the instance says.
    func corrected(by correction: StudyCorrection?) -> InstanceFacts {
        guard let correction else { return self }
        var facts = self
        for (tag, value) in correction.attributes {
            guard let attribute = Attribute.of(tag), attribute.level <= .study else { continue }
            facts.replace(attribute, by: value)
        }
        return facts
    }
}

// MARK: - The projection

extension CatalogStore {
    /// How far the records' revisions are in here.
    package func correctedThrough() throws(CatalogError) -> Int64 {
        try read { db in try Self.correctedThrough(db) }
    }

    private static func correctedThrough(_ db: Database) throws -> Int64 {
        try db.first("SELECT correctedThrough FROM projection")?[0] ?? 0
    }

    /// Takes over revisions of corrections, in order, each study's row with them, and says so in the change feed. What is
    /// here already is passed over, so that several processes may do it at once.
    package func project(_ corrections: [StudyCorrection], through revision: Int64) throws(CatalogError) {
        let at = now()
        try write { db in
            let known = try Self.correctedThrough(db)
            guard revision > known else { return }
            let fresh = corrections.filter { $0.revision > known }
            let last = Dictionary(fresh.map { ($0.studyInstanceUID, $0) }, uniquingKeysWith: { $1 })
            for correction in last.values { try correction.write(db) }
            try Self.refresh(db, studies: last.keys.sorted(), at: at)
            try db.run("UPDATE projection SET correctedThrough = ?", [revision.sql])
        }
    }

    /// Forgets every correction: the records are others than those that these came from.
    package func forgetCorrections() throws(CatalogError) {
        let at = now()
        try write { db in
            let studies = try db.all("SELECT studyUID FROM correction ORDER BY studyUID").map { $0[0] as String }
            try db.run("DELETE FROM correction")
            try Self.refresh(db, studies: studies, at: at)
            try db.run("UPDATE projection SET correctedThrough = 0")
        }
    }

    private static func refresh(_ db: Database, studies uids: [String], at: Int64) throws {
        var studies: Set<Int64> = []
        for uid in uids {
            guard let row = try db.first("SELECT id FROM study WHERE uid = ?", [uid.sql]) else { continue }
            studies.insert(row[0])
            try db.run(
                """
                INSERT INTO change (kind, studyUID, seriesUID, instances, at)
                SELECT ?, ?, uid, instances, ? FROM series WHERE study = ? ORDER BY id
                """, [Change.Kind.updated.rawValue.sql, uid.sql, at.sql, row[0] as DatabaseValue])
        }
        try Upkeep.refresh(db, studies: studies)
    }
}

// MARK: - What the images say themselves

/// What a study's images say of it, whatever is shown.
package struct StudyClaims: Sendable {
    package let studyInstanceUID: String
    package let modalities: [String]
    /// What the earliest instance says, of patient and study.
    package let values: [Tag: String]
    /// What the instances say, each distinct claim once; the earliest's among them.
    package let all: [[Tag: String]]

    package init(
        studyInstanceUID: String, modalities: [String], values: [Tag: String], all: [[Tag: String]]
    ) {
        self.studyInstanceUID = studyInstanceUID
        self.modalities = modalities
        self.values = values
        self.all = all
    }
}

extension CatalogStore {
    /// More distinct claims of one study than are looked at.
    private static let mostClaims = 500

    /// What the images of studies say themselves; studies that are not here are left out.
    package func claims(of uids: [String]) throws(CatalogError) -> [StudyClaims] {
        try read { db in
            try uids.compactMap { uid in
                let select = """
                    SELECT study.id, study.modalities, claim.body
                    FROM study JOIN series ON series.study = study.id AND series.receivedAt = study.receivedAt
                        AND series.volume = study.volume AND series.entryOffset = study.entryOffset
                    JOIN claim ON claim.id = series.claim WHERE study.uid = ?
                    """
                guard let row = try db.first(select, [uid.sql]) else { return nil }
                let others = """
                    SELECT DISTINCT claim.body FROM series JOIN claim ON claim.series = series.id
                    WHERE series.study = ? LIMIT \(Self.mostClaims)
                    """
                let all = try db.all(others, [row[0] as DatabaseValue]).map { Self.claimed($0[0]) }
                return StudyClaims(
                    studyInstanceUID: uid,
                    modalities: (row[1] as String).split(separator: "\\").map(String.init),
                    values: Self.claimed(row[2]), all: Array(Set(all)))
            }
        }
    }

    private static func claimed(_ body: String) -> [Tag: String] {
        let facts = InstanceFacts(encoded: [body], flaws: [])
        var values: [Tag: String] = [:]
        for attribute in RowSQL.attributes(.patient) + RowSQL.attributes(.study) where !facts[attribute].isEmpty {
            values[attribute.tag] = facts[attribute]
        }
        return values
    }

    /// Studies that are shown under a Patient ID, whoever issued it; by UID, beyond the one given.
    package func studies(
        patientID: String, beyond uid: String = "", limit: Int = 10_000
    ) throws(CatalogError) -> [String] {
        if patientID.isEmpty { return [] }
        return try read { db in
            let select = """
                SELECT study.uid FROM patient JOIN study ON study.patient = patient.id
                WHERE patient.patientID = ? AND study.uid > ? ORDER BY study.uid LIMIT ?
                """
            return try db.all(select, [patientID.sql, uid.sql, limit.sql]).map { $0[0] }
        }
    }
}
