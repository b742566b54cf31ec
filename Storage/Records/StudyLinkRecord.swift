// Which procedure, visit and patient a study belongs to, how that was found, and what waits for a person.

import Foundation
import GRDB

/// How a study came to its procedure.
package enum LinkMethod: String, CaseIterable, Sendable {
    /// The UID was given at order time.
    case studyInstanceUID
    case accession
    /// Patient, modality and time.
    case patient
    /// Somebody decided.
    case person
}

/// Where a study belongs.
package struct LinkTarget: Hashable, Sendable {
    package let procedure: Int64?
    package let encounter: Int64?
    package let patient: Int64

    package init(procedure: Int64?, encounter: Int64?, patient: Int64) {
        self.procedure = procedure
        self.encounter = encounter
        self.patient = patient
    }
}

/// A link, holding or undone.
package struct StudyLinkRecord: Hashable, Sendable {
    package let id: Int64
    package let studyInstanceUID: String
    package let target: LinkTarget
    package let method: LinkMethod
    /// 0 to 1.
    package let score: Double
    /// One sentence for people.
    package let reason: String
    package let at: Int64
    package let actor: String
    package let undoneAt: Int64?
    package let undoneBy: String?
    package let undoneReason: String?

    init(_ row: Row) {
        id = row["id"]
        studyInstanceUID = row["studyInstanceUID"]
        target = LinkTarget(procedure: row["procedure"], encounter: row["encounter"], patient: row["patient"])
        method = LinkMethod(rawValue: row["method"]) ?? .person
        score = row["score"]
        reason = row["reason"]
        at = row["at"]
        actor = row["actor"]
        undoneAt = row["undoneAt"]
        undoneBy = row["undoneBy"]
        undoneReason = row["undoneReason"]
    }
}

/// What a study says of itself, as far as linking asks.
package struct StudyFacts: Codable, Hashable, Sendable, Blank {
    package let studyInstanceUID: String
    package var accessionNumber = ""
    package var patientID = ""
    package var issuerOfPatientID = ""
    package var patientName = ""
    package var patientBirthDate = ""
    package var patientSex = ""
    package var modalities: [String] = []
    /// `yyyymmddHHMMSS`, local, as far as it is known.
    package var startedAt = ""
    package var description = ""

    init() { self.init(studyInstanceUID: "") }
    package init(studyInstanceUID: String) { self.studyInstanceUID = studyInstanceUID }
}

/// A study that waits for a decision.
package struct InboxRecord: Hashable, Sendable {
    package let facts: StudyFacts
    package let since: Int64
    /// A person took its link away: no rule links it again.
    package let isHeld: Bool

    init(_ row: Row) throws {
        facts = try Body.value(row["body"])
        since = row["since"]
        isHeld = row["isHeld"]
    }
}

/// Where a page of the inbox ended.
package struct InboxPosition: Hashable, Sendable {
    package let since: Int64
    package let studyInstanceUID: String

    package init(since: Int64, studyInstanceUID: String) {
        self.since = since
        self.studyInstanceUID = studyInstanceUID
    }
}

extension RecordTransaction {
    // MARK: Links

    /// The link that holds.
    package func link(ofStudy uid: String) throws -> StudyLinkRecord? {
        try row("SELECT * FROM studyLink WHERE studyInstanceUID = ? AND undoneAt IS NULL", [uid])
            .map(StudyLinkRecord.init)
    }

    /// Every link that a study ever had, the newest first.
    package func links(ofStudy uid: String) throws -> [StudyLinkRecord] {
        try rows("SELECT * FROM studyLink WHERE studyInstanceUID = ? ORDER BY id DESC", [uid]).map(StudyLinkRecord.init)
    }

    /// Links of a procedure's studies say the visit that it belongs to now.
    package func setEncounter(_ encounter: Int64?, ofLinksOf procedure: Int64) throws {
        try run("UPDATE studyLink SET encounter = ? WHERE procedure = ? AND undoneAt IS NULL", [encounter, procedure])
        // Who was told of the order without its visit has to hear of it.
        for link in try links(procedure: procedure) { try lookAgain(study: link.studyInstanceUID) }
    }

    /// The links of studies that hold.
    package func links(ofStudies uids: some Sequence<String>) throws -> [StudyLinkRecord] {
        let select = """
            SELECT * FROM studyLink WHERE undoneAt IS NULL
                AND studyInstanceUID IN (SELECT value FROM json_each(?))
            """
        return try rows(select, [ListArgument.text(uids)]).map(StudyLinkRecord.init)
    }

    /// Links that hold to anything below a person, a visit or a procedure.
    package func links(patient: PatientRecord) throws -> [StudyLinkRecord] {
        let select = """
            SELECT studyLink.* FROM patient JOIN studyLink ON studyLink.patient = patient.id
            WHERE root = ? AND undoneAt IS NULL ORDER BY studyLink.id LIMIT 10000
            """
        return try rows(select, [patient.root]).map(StudyLinkRecord.init)
    }

    package func links(encounter: Int64) throws -> [StudyLinkRecord] {
        try rows("SELECT * FROM studyLink WHERE encounter = ? AND undoneAt IS NULL ORDER BY id", [encounter])
            .map(StudyLinkRecord.init)
    }

    package func links(procedure: Int64) throws -> [StudyLinkRecord] {
        try rows("SELECT * FROM studyLink WHERE procedure = ? AND undoneAt IS NULL ORDER BY id", [procedure])
            .map(StudyLinkRecord.init)
    }

    /// Which of these procedures have a study.
    package func linked(procedures ids: some Collection<Int64>) throws -> Set<Int64> {
        if ids.isEmpty { return [] }
        let select = """
            SELECT procedure FROM studyLink WHERE procedure IN (SELECT value FROM json_each(?)) AND undoneAt IS NULL
            """
        return Set(try rows(select, [ListArgument.text(ids)]).map { $0["procedure"] })
    }

    /// Links that hold, the newest first.
    package func links(method: LinkMethod?, before id: Int64 = .max, limit: Int) throws -> [StudyLinkRecord] {
        let select = """
            SELECT * FROM studyLink WHERE undoneAt IS NULL AND id < ?1 AND (?2 IS NULL OR method = ?2)
            ORDER BY id DESC LIMIT ?3
            """
        return try rows(select, [id, method?.rawValue, limit]).map(StudyLinkRecord.init)
    }

    /// Makes a link; the study must have none that holds.
    package func addLink(
        study uid: String, to target: LinkTarget, method: LinkMethod, score: Double, reason: String, actor: String
    ) throws {
        try run(
            """
            INSERT INTO studyLink (studyInstanceUID, procedure, encounter, patient, method, score, reason, at, actor)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                uid, target.procedure, target.encounter, target.patient, method.rawValue, score, reason, now, actor,
            ])
        try run("DELETE FROM inbox WHERE studyInstanceUID = ?", [uid])
        // Who was told otherwise has to hear of it.
        try lookAgain(study: uid)
    }

    /// - Parameter reason: empty where none was given.
    package func undoLink(_ link: StudyLinkRecord, actor: String, reason: String = "") throws {
        try run(
            "UPDATE studyLink SET undoneAt = ?, undoneBy = ?, undoneReason = ? WHERE id = ? AND undoneAt IS NULL",
            [now, actor, reason, link.id])
        try lookAgain(study: link.studyInstanceUID)
    }

    // MARK: Inbox

    /// Puts a study into the inbox, or renews what it says of itself.
    package func putInbox(_ facts: StudyFacts, nameKey: String, isHeld: Bool) throws {
        try run(
            """
            INSERT INTO inbox (studyInstanceUID, accessionNumber, patientID, nameKey, body, since, isHeld)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (studyInstanceUID) DO UPDATE SET accessionNumber = excluded.accessionNumber,
                patientID = excluded.patientID, nameKey = excluded.nameKey, body = excluded.body,
                isHeld = isHeld OR excluded.isHeld
            """,
            [
                facts.studyInstanceUID, facts.accessionNumber, facts.patientID, nameKey, Body.text(facts), now, isHeld,
            ])
    }

    package func inbox(study uid: String) throws -> InboxRecord? {
        try row("SELECT * FROM inbox WHERE studyInstanceUID = ?", [uid]).map(InboxRecord.init)
    }

    package func removeInbox(study uid: String) throws {
        try run("DELETE FROM inbox WHERE studyInstanceUID = ?", [uid])
    }

    /// What waits, the oldest first.
    /// - Parameter last: where the page before ended.
    package func inbox(after last: InboxPosition? = nil, limit: Int) throws -> [InboxRecord] {
        let select = """
            SELECT * FROM inbox WHERE (since, studyInstanceUID) > (?, ?) ORDER BY since, studyInstanceUID LIMIT ?
            """
        return try rows(select, [last?.since ?? .min, last?.studyInstanceUID ?? "", limit]).map(InboxRecord.init)
    }

    /// How many wait.
    package func inboxCount() throws -> Int { try row("SELECT count(*) FROM inbox")?[0] ?? 0 }

    /// A page of what waits for a rule and could belong to a person: it names one of their codes, or a number of one of
    /// their orders. By Study Instance UID, beyond the one given.
    package func inbox(
        of root: PatientRecord, patientIDs: [String], beyond uid: String, limit: Int
    ) throws -> [InboxRecord] {
        let orders = "SELECT id FROM patient WHERE root = ?3"
        let select = """
            SELECT * FROM inbox WHERE studyInstanceUID > ?1 AND isHeld = 0 AND studyInstanceUID IN (
                SELECT studyInstanceUID FROM inbox WHERE patientID IN (SELECT value FROM json_each(?2))
                    AND patientID <> ''
                UNION SELECT inbox.studyInstanceUID FROM requestedProcedure JOIN inbox
                    ON inbox.accessionNumber = requestedProcedure.accessionNumber
                    WHERE patient IN (\(orders)) AND inbox.accessionNumber <> ''
                UNION SELECT inbox.studyInstanceUID FROM requestedProcedure
                    JOIN formerAccession ON procedure = requestedProcedure.id
                    JOIN inbox ON inbox.accessionNumber = formerAccession.accessionNumber
                    WHERE patient IN (\(orders))
                UNION SELECT inbox.studyInstanceUID FROM requestedProcedure JOIN inbox USING (studyInstanceUID)
                    WHERE patient IN (\(orders)))
            ORDER BY studyInstanceUID LIMIT ?4
            """
        return try rows(select, [uid, ListArgument.text(patientIDs), root.id, limit]).map(InboxRecord.init)
    }

    // MARK: Following

    /// Nil for a follower that has never read.
    package func position(ofFollower name: String) throws -> Int64? {
        try row("SELECT sequence FROM follower WHERE name = ?", [name])?["sequence"]
    }

    package func setPosition(_ sequence: Int64, ofFollower name: String) throws {
        try run(
            """
            INSERT INTO follower (name, sequence) VALUES (?, ?)
            ON CONFLICT (name) DO UPDATE SET sequence = excluded.sequence
            """, [name, sequence])
    }
}
