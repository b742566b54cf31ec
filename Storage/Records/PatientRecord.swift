// People: demographics, identifiers, and which of several rows a person is seen as.

import Foundation
import GRDB

/// What is known of a person, in the words of DICOM's Patient Module (PS3.3 Section C.7.1.1).
package struct Demographics: Codable, Hashable, Sendable, Blank {
    /// Person name in PN form, NFC. Hospitals here often send the whole name as one component.
    package var name = ""
    /// `yyyy`, `yyyymm` or `yyyymmdd`, as precisely as it is known.
    package var birthDate = ""
    /// `HHMM` or `HHMMSS`; for infants.
    package var birthTime = ""
    /// M, F, O, or empty.
    package var sex = ""
    package var address = ""
    package var telephone = ""
    package var ethnicGroup = ""

    package init() {}

    /// Birth date as a DICOM DA can hold it: empty unless the day is known (PS3.5 Table 6.2-1).
    package var dicomBirthDate: String { birthDate.count == 8 ? birthDate : "" }
}

/// Something a person is known by.
package struct PatientIdentifier: Codable, Hashable, Sendable {
    /// HL7 table 0203: MR, NI, HC, PPN, or what the sender calls it.
    package let type: String
    /// Namespace of the value: for MR the facility's code.
    package let issuer: String
    package let value: String
    /// `yyyymmdd`; empty when open.
    package let validFrom: String
    package let validUntil: String

    /// The patient code of a facility.
    package static let medicalRecord = "MR"
    /// The 12-digit personal identity number.
    package static let citizen = "NI"
    /// The insurance card, old form of 15 characters or new form of 10 digits.
    package static let insurance = "HC"
    package static let passport = "PPN"

    /// Namespaces of the numbers that the country gives out: the same for every way in, whatever a sender writes.
    private static func countryIssuer(_ type: String, _ value: String) -> String? {
        switch type {
        case citizen: value.count == 12 ? "VN-CCCD" : "VN-CMND"
        case insurance: "VN-BHYT"
        default: nil
        }
    }

    /// Checks what can be checked; identifiers are texts, leading zeros count.
    package init(
        type: String, issuer: String, value: String, validFrom: String = "", validUntil: String = ""
    ) throws(RecordsError) {
        let value = value.trimmingCharacters(in: .whitespaces)
        let issuer = issuer.trimmingCharacters(in: .whitespaces)
        guard (1...64).contains(value.unicodeScalars.count), issuer.unicodeScalars.count <= 255 else {
            throw .invalid(field: "identifier", reason: "1 to 64 characters, and an issuer of at most 255")
        }
        // What images are to say cannot hold these (PS3.5 Table 6.2-1, LO).
        let isWritable = [type, issuer, value].allSatisfy { text in
            text.unicodeScalars.allSatisfy { $0 != "\\" && $0.properties.generalCategory != .control }
        }
        guard isWritable else {
            throw .invalid(field: "identifier", reason: "no control characters and no backslash")
        }
        let isRight =
            switch type {
            case Self.citizen: value.wholeMatch(of: /[0-9]{9}|[0-9]{12}/) != nil
            case Self.insurance: value.wholeMatch(of: /[A-Z]{2}[1-5][0-9]{12}([0-9]{5})?|[0-9]{10}/) != nil
            default: true
            }
        guard isRight else {
            throw .invalid(
                field: "identifier \(type)",
                reason: type == Self.citizen
                    ? "12 digits (or the 9 of an old card)" : "2 letters and 13 digits, or 10 digits")
        }
        self.type = type
        self.issuer = Self.countryIssuer(type, value) ?? issuer
        self.value = value
        self.validFrom = validFrom
        self.validUntil = validUntil
    }

    init(_ row: Row) {
        type = row["type"]
        issuer = row["issuer"]
        value = row["value"]
        validFrom = row["validFrom"]
        validUntil = row["validUntil"]
    }
}

/// One row of a person.
package struct PatientRecord: Hashable, Sendable {
    package let id: Int64
    /// The row that the person is seen as: this one's own number unless it was merged.
    package let root: Int64
    package let mergedInto: Int64?
    package let demographics: Demographics
    /// When the demographics were true, microseconds since 1970.
    package let asOf: Int64
    package let updatedAt: Int64

    init(_ row: Row) throws {
        id = row["id"]
        root = row["root"]
        mergedInto = row["mergedInto"]
        demographics = try Body.value(row["body"])
        asOf = row["asOf"]
        updatedAt = row["updatedAt"]
    }
}

/// What was done to an identity.
package struct PatientEvent: Hashable, Sendable {
    package enum Kind: String, Sendable {
        /// Two rows became one person; one person's rows were taken apart.
        case merge
        /// Two people may be the same, or belong together, and stay apart.
        case link
        /// An identifier was claimed for a second person, and stayed with the first.
        case contested
        /// Name, birth date or sex became another.
        case changed
        /// A visit went from the first to the other.
        case visitMoved
    }

    package let id: Int64
    package let kind: String
    package let patient: Int64
    package let other: Int64?
    package let at: Int64
    package let actor: String
    package let reason: String
    package let undoneAt: Int64?
    package let undoneBy: String?
    /// What was known of the person before a change.
    package let before: Demographics?

    init(_ row: Row) throws {
        id = row["id"]
        kind = row["kind"]
        patient = row["patient"]
        other = row["other"]
        at = row["at"]
        actor = row["actor"]
        reason = row["reason"]
        undoneAt = row["undoneAt"]
        undoneBy = row["undoneBy"]
        before = try (row["before"] as String?).map { try Body.value($0) }
    }
}

extension RecordTransaction {
    // MARK: Rows

    /// Adds a person.
    package func addPatient(_ demographics: Demographics, nameKey: String, asOf: Int64) throws -> PatientRecord {
        let id = try insert(
            """
            INSERT INTO patient (root, nameKey, birthDate, body, asOf, createdAt, updatedAt)
            VALUES (0, ?, ?, ?, ?, ?, ?)
            """, [nameKey, demographics.birthDate, Body.text(demographics), asOf, now, now])
        try run("UPDATE patient SET root = id WHERE id = ?", [id])
        return try patient(id: id)
    }

    package func setDemographics(
        _ demographics: Demographics, nameKey: String, asOf: Int64, patient id: Int64
    ) throws {
        try run(
            "UPDATE patient SET nameKey = ?, birthDate = ?, body = ?, asOf = ?, updatedAt = ? WHERE id = ?",
            [nameKey, demographics.birthDate, Body.text(demographics), asOf, now, id])
    }

    package func patient(id: Int64) throws -> PatientRecord {
        guard let row = try row("SELECT * FROM patient WHERE id = ?", [id]) else { throw RecordsError.notFound }
        return try PatientRecord(row)
    }

    /// The row that a person is seen as.
    package func root(of id: Int64) throws -> PatientRecord {
        let select = "SELECT root.* FROM patient JOIN patient root ON root.id = patient.root WHERE patient.id = ?"
        guard let row = try row(select, [id]) else { throw RecordsError.notFound }
        return try PatientRecord(row)
    }

    /// Every row of the person that a row belongs to.
    package func rows(of patient: PatientRecord) throws -> [PatientRecord] {
        try rows("SELECT * FROM patient WHERE root = ? ORDER BY id", [patient.root]).map(PatientRecord.init)
    }

    /// Every row of the people that rows belong to, and as which rows these are seen.
    package func people(ofRows ids: some Sequence<Int64>) throws -> (rows: Set<Int64>, roots: Set<Int64>) {
        let select = """
            SELECT id, root FROM patient WHERE root IN (
                SELECT root FROM patient WHERE id IN (SELECT value FROM json_each(?)))
            """
        let found = try rows(select, [ListArgument.text(ids)])
        return (Set(found.map { $0["id"] }), Set(found.map { $0["root"] }))
    }

    /// People by folded name, and by birth date when one is given; merged rows are left out.
    package func patients(nameKey: String, birthDate: String?, limit: Int) throws -> [PatientRecord] {
        let condition = birthDate == nil ? "" : "AND birthDate = ?3"
        return try rows(
            "SELECT * FROM patient WHERE nameKey = ?1 \(condition) AND root = id ORDER BY id LIMIT ?2",
            birthDate.map { [nameKey, limit, $0] } ?? [nameKey, limit]
        ).map(PatientRecord.init)
    }

    /// People by a pattern of the folded name, in which `*` and `?` are wild cards; merged rows are left out.
    /// - Parameter last: number of the last one of the page before.
    package func patients(namePattern: String, after last: Int64? = nil, limit: Int) throws -> [PatientRecord] {
        let name = WildcardText.comparison("nameKey", namePattern)
        let beyond = last == nil ? "" : "AND (nameKey, id) > ((SELECT nameKey FROM patient WHERE id = ?3), ?3)"
        return try rows(
            "SELECT * FROM patient WHERE \(name.text) AND root = id \(beyond) ORDER BY nameKey, id LIMIT ?2",
            last.map { [name.argument, limit, $0] } ?? [name.argument, limit]
        ).map(PatientRecord.init)
    }

    // MARK: Identifiers

    /// The rows that hold an identifier's value, merged ones as they are.
    package func holders(identifierValue value: String) throws -> [PatientRecord] {
        let select = """
            SELECT DISTINCT patient.* FROM identifier JOIN patient ON patient.id = identifier.patient
            WHERE value = ? AND endedAt IS NULL ORDER BY patient.id LIMIT 100
            """
        return try rows(select, [value]).map(PatientRecord.init)
    }

    /// The person of an active identifier, as they are seen.
    package func patient(identifiedBy identifier: PatientIdentifier) throws -> PatientRecord? {
        try owner(of: identifier).map { try root(of: $0) }
    }

    /// The row that holds an active identifier.
    package func owner(of identifier: PatientIdentifier) throws -> Int64? {
        try row(
            "SELECT patient FROM identifier WHERE type = ? AND issuer = ? AND value = ? AND endedAt IS NULL",
            [identifier.type, identifier.issuer, identifier.value])?["patient"]
    }

    /// People of an identifier's value, whoever issued it and whatever its type.
    package func patients(identifierValue value: String, type: String?, issuer: String?) throws -> [PatientRecord] {
        let select = """
            SELECT DISTINCT root.* FROM identifier JOIN patient ON patient.id = identifier.patient
                JOIN patient root ON root.id = patient.root
            WHERE value = ?1 AND endedAt IS NULL AND (?2 IS NULL OR type = ?2) AND (?3 IS NULL OR issuer = ?3)
            ORDER BY root.id LIMIT 100
            """
        return try rows(select, [value, type, issuer]).map(PatientRecord.init)
    }

    /// Active identifiers of a person, those of merged rows as well; the earliest first.
    package func identifiers(of patient: PatientRecord) throws -> [PatientIdentifier] {
        let select = """
            SELECT identifier.* FROM identifier JOIN patient ON patient.id = identifier.patient
            WHERE root = ? AND endedAt IS NULL ORDER BY patient.id <> root, identifier.id
            """
        return try rows(select, [patient.root]).map(PatientIdentifier.init)
    }

    /// Gives a row an identifier that nobody holds.
    package func addIdentifier(_ identifier: PatientIdentifier, patient: Int64) throws {
        try run(
            """
            INSERT INTO identifier (patient, type, issuer, value, validFrom, validUntil, createdAt)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """,
            [
                patient, identifier.type, identifier.issuer, identifier.value, identifier.validFrom,
                identifier.validUntil, now,
            ])
    }

    /// An identifier ends; the row stays.
    /// - Parameter instant: when it ceased to be true, microseconds since 1970; nil for now.
    package func endIdentifier(_ identifier: PatientIdentifier, at instant: Int64? = nil) throws {
        try run(
            "UPDATE identifier SET endedAt = ? WHERE type = ? AND issuer = ? AND value = ? AND endedAt IS NULL",
            [instant ?? now, identifier.type, identifier.issuer, identifier.value])
    }

    /// The row that held an identifier at an instant, where it has ended since.
    package func formerOwner(of identifier: PatientIdentifier, at instant: Int64) throws -> Int64? {
        let select = """
            SELECT patient FROM identifier WHERE type = ? AND issuer = ? AND value = ? AND endedAt >= ?
            ORDER BY endedAt LIMIT 1
            """
        return try row(select, [identifier.type, identifier.issuer, identifier.value, instant])?["patient"]
    }

    // MARK: Merging

    /// Puts a person's row, and all that were merged into it, under another; or takes it out again (`nil`).
    package func setMerged(_ id: Int64, into survivor: Int64?) throws {
        try run("UPDATE patient SET mergedInto = ?, updatedAt = ? WHERE id = ?", [survivor, now, id])
        let root = try survivor.map { try patient(id: $0).root } ?? id
        try run(
            """
            WITH RECURSIVE below (id) AS (
                SELECT ?1 UNION SELECT patient.id FROM patient JOIN below ON patient.mergedInto = below.id)
            UPDATE patient SET root = ?2 WHERE id IN below
            """, [id, root])
    }

    package func note(
        _ kind: PatientEvent.Kind, patient: Int64, other: Int64?, actor: String, reason: String,
        before: Demographics? = nil
    ) throws {
        _ = try insert(
            "INSERT INTO patientEvent (kind, patient, other, at, actor, reason, before) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [kind.rawValue, patient, other, now, actor, reason, try before.map { try Body.text($0) }])
    }

    package func undo(_ event: PatientEvent, actor: String) throws {
        try run("UPDATE patientEvent SET undoneAt = ?, undoneBy = ? WHERE id = ?", [now, actor, event.id])
    }

    /// What was done to a row's identity, the newest first.
    package func events(ofPatient id: Int64) throws -> [PatientEvent] {
        try rows("SELECT * FROM patientEvent WHERE patient = ?1 OR other = ?1 ORDER BY id DESC", [id])
            .map(PatientEvent.init)
    }
}
