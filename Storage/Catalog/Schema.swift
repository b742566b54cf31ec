// The schema of the catalogue, step by step: forward only, one constant per step, never edited once released.

/// Steps in order; `PRAGMA user_version` counts those that a file has seen.
enum Schema {
    static let migrations: [(name: String, sql: String)] = [
        ("v0001_catalog", v0001Catalog),
        ("v0002_counters", v0002Counters),
        ("v0003_search", v0003Search),
        ("v0004_upkeep", v0004Upkeep),
        ("v0005_counting", v0005Counting),
        ("v0006_requests", v0006Requests),
        ("v0007_corrections", v0007Corrections),
    ]

    private static let v0001Catalog = """
        -- Since v0001: who the studies belong to. One row per (ID, issuer); a study without a Patient ID has a row of
        -- its own.
        CREATE TABLE patient (
            id INTEGER PRIMARY KEY,
            patientID TEXT NOT NULL, issuerOfPatientID TEXT NOT NULL, loneStudyUID TEXT NOT NULL,
            -- The earliest instance below, which speaks for the patient.
            receivedAt INTEGER NOT NULL, volume INTEGER NOT NULL, entryOffset INTEGER NOT NULL,
            studies INTEGER NOT NULL DEFAULT 0, series INTEGER NOT NULL DEFAULT 0,
            instances INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
            patientName TEXT NOT NULL DEFAULT '', patientNameKey TEXT NOT NULL DEFAULT '',
            patientBirthDate TEXT NOT NULL DEFAULT '', patientBirthTime TEXT NOT NULL DEFAULT '',
            patientSex TEXT NOT NULL DEFAULT '', otherPatientIDs TEXT NOT NULL DEFAULT '',
            ethnicGroup TEXT NOT NULL DEFAULT '', patientComments TEXT NOT NULL DEFAULT '',
            UNIQUE (patientID, issuerOfPatientID, loneStudyUID)
        );
        CREATE INDEX patient_by_name ON patient (patientNameKey, id);
        CREATE INDEX patient_by_birth ON patient (patientBirthDate);

        -- Since v0001: one row per Study Instance UID, what study lists show and search.
        CREATE TABLE study (
            id INTEGER PRIMARY KEY,
            uid TEXT NOT NULL UNIQUE,
            patient INTEGER NOT NULL REFERENCES patient (id),
            receivedAt INTEGER NOT NULL, volume INTEGER NOT NULL, entryOffset INTEGER NOT NULL,
            series INTEGER NOT NULL DEFAULT 0, instances INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
            modalities TEXT NOT NULL DEFAULT '', sopClasses TEXT NOT NULL DEFAULT '',
            -- 1: instances of the study name different patients; it stays with the earliest.
            flaws INTEGER NOT NULL DEFAULT 0,
            studyDate TEXT NOT NULL DEFAULT '',
            studyTime TEXT NOT NULL DEFAULT '', studyTimeKey TEXT NOT NULL DEFAULT '',
            accessionNumber TEXT NOT NULL DEFAULT '', studyID TEXT NOT NULL DEFAULT '',
            studyDescription TEXT NOT NULL DEFAULT '',
            referringPhysicianName TEXT NOT NULL DEFAULT '', referringPhysicianNameKey TEXT NOT NULL DEFAULT '',
            nameOfPhysiciansReadingStudy TEXT NOT NULL DEFAULT '',
            nameOfPhysiciansReadingStudyKey TEXT NOT NULL DEFAULT '',
            admittingDiagnosesDescription TEXT NOT NULL DEFAULT '', patientAge TEXT NOT NULL DEFAULT '',
            patientSize TEXT NOT NULL DEFAULT '', patientWeight TEXT NOT NULL DEFAULT '',
            occupation TEXT NOT NULL DEFAULT '', additionalPatientHistory TEXT NOT NULL DEFAULT ''
        );
        CREATE INDEX study_by_patient ON study (patient);
        CREATE INDEX study_by_date ON study (studyDate, studyTimeKey);
        CREATE INDEX study_by_accession ON study (accessionNumber);
        CREATE INDEX study_by_study_id ON study (studyID);

        -- Since v0001: one row per series of a study. The UID alone is not the key: two studies may wrongly share it.
        CREATE TABLE series (
            id INTEGER PRIMARY KEY,
            uid TEXT NOT NULL,
            study INTEGER NOT NULL REFERENCES study (id),
            receivedAt INTEGER NOT NULL, volume INTEGER NOT NULL, entryOffset INTEGER NOT NULL,
            -- What the earliest instance claims; NULL only inside the transaction that makes the row.
            claim INTEGER,
            instances INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
            modality TEXT NOT NULL DEFAULT '', seriesNumber INTEGER, seriesDescription TEXT NOT NULL DEFAULT '',
            seriesDate TEXT NOT NULL DEFAULT '', seriesTime TEXT NOT NULL DEFAULT '',
            bodyPartExamined TEXT NOT NULL DEFAULT '', protocolName TEXT NOT NULL DEFAULT '',
            laterality TEXT NOT NULL DEFAULT '', patientPosition TEXT NOT NULL DEFAULT '',
            manufacturer TEXT NOT NULL DEFAULT '', manufacturerModelName TEXT NOT NULL DEFAULT '',
            stationName TEXT NOT NULL DEFAULT '', institutionName TEXT NOT NULL DEFAULT '',
            institutionalDepartmentName TEXT NOT NULL DEFAULT '',
            performingPhysicianName TEXT NOT NULL DEFAULT '', performingPhysicianNameKey TEXT NOT NULL DEFAULT '',
            operatorsName TEXT NOT NULL DEFAULT '', operatorsNameKey TEXT NOT NULL DEFAULT '',
            performedProcedureStepStartDate TEXT NOT NULL DEFAULT '',
            performedProcedureStepStartTime TEXT NOT NULL DEFAULT '',
            frameOfReferenceUID TEXT NOT NULL DEFAULT '',
            UNIQUE (uid, study)
        );
        CREATE INDEX series_by_study ON series (study, seriesNumber);

        -- Since v0001: what instances claim about patient, study and series, each distinct claim of a series once. Kept
        -- because the earliest instance may leave, and the next one must be able to speak for them.
        CREATE TABLE claim (
            id INTEGER PRIMARY KEY,
            series INTEGER NOT NULL REFERENCES series (id),
            hash INTEGER NOT NULL,
            patientID TEXT NOT NULL, issuerOfPatientID TEXT NOT NULL,
            body TEXT NOT NULL
        );
        CREATE INDEX claim_by_series ON claim (series, hash);

        -- Since v0001: one row per SOP Instance UID, its primary copy.
        CREATE TABLE instance (
            id INTEGER PRIMARY KEY,
            uid TEXT NOT NULL UNIQUE,
            series INTEGER NOT NULL REFERENCES series (id),
            claim INTEGER NOT NULL,
            sopClassUID TEXT NOT NULL, transferSyntaxUID TEXT NOT NULL,
            instanceNumber INTEGER,
            contentDate TEXT NOT NULL DEFAULT '', contentTime TEXT NOT NULL DEFAULT '',
            acquisitionDate TEXT NOT NULL DEFAULT '', acquisitionTime TEXT NOT NULL DEFAULT '',
            acquisitionDateTime TEXT NOT NULL DEFAULT '',
            rows INTEGER, columns INTEGER, bitsAllocated INTEGER, numberOfFrames INTEGER,
            photometricInterpretation TEXT NOT NULL DEFAULT '', imageType TEXT NOT NULL DEFAULT '',
            volume INTEGER NOT NULL, entryOffset INTEGER NOT NULL, bodyOffset INTEGER NOT NULL, length INTEGER NOT NULL,
            dataSetOffset INTEGER NOT NULL, digest BLOB NOT NULL,
            receivedAt INTEGER NOT NULL, source TEXT NOT NULL, flaws INTEGER NOT NULL,
            -- 1: a person chose this copy in a conflict.
            chosen INTEGER NOT NULL DEFAULT 0
        );
        CREATE INDEX instance_by_series ON instance (series, instanceNumber);
        CREATE UNIQUE INDEX instance_by_place ON instance (volume, entryOffset);

        -- Since v0001: other contents that came under the SOP Instance UID of a primary. They keep all their facts, for
        -- one of them becomes the primary when the primary leaves or a person decides so.
        CREATE TABLE secondary (
            id INTEGER PRIMARY KEY,
            uid TEXT NOT NULL, studyUID TEXT NOT NULL, seriesUID TEXT NOT NULL,
            volume INTEGER NOT NULL, entryOffset INTEGER NOT NULL, bodyOffset INTEGER NOT NULL, length INTEGER NOT NULL,
            dataSetOffset INTEGER NOT NULL, digest BLOB NOT NULL,
            receivedAt INTEGER NOT NULL, source TEXT NOT NULL, flaws INTEGER NOT NULL,
            facts TEXT NOT NULL,
            -- 1: a person has decided; no longer listed as a conflict.
            settled INTEGER NOT NULL DEFAULT 0
        );
        CREATE INDEX secondary_by_uid ON secondary (uid);
        CREATE INDEX secondary_by_study ON secondary (studyUID);
        CREATE UNIQUE INDEX secondary_by_place ON secondary (volume, entryOffset);
        """

    private static let v0004Upkeep = """
        -- Since v0004: places that left the catalogue but not yet their volume.
        CREATE TABLE erasure (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            uid TEXT NOT NULL,
            volume INTEGER NOT NULL, entryOffset INTEGER NOT NULL, bodyOffset INTEGER NOT NULL, length INTEGER NOT NULL,
            begunAt INTEGER NOT NULL,
            UNIQUE (volume, entryOffset)
        );

        -- Since v0004: how far each volume is enrolled; written with the rows, so start-up replays from there.
        CREATE TABLE volume (
            number INTEGER PRIMARY KEY,
            enrolledTo INTEGER NOT NULL
        );

        -- Since v0004: what changed, for forwarding and live viewers. One row per series and batch.
        CREATE TABLE change (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            kind TEXT NOT NULL,
            studyUID TEXT NOT NULL, seriesUID TEXT NOT NULL,
            instances INTEGER NOT NULL,
            at INTEGER NOT NULL
        );
        """

    private static let v0005Counting = """
        -- Since v0005: a batch counts its instances once per series (EnrollmentBatch), not once per instance, and what
        -- a series counts is carried up from there.
        DROP TRIGGER instance_added;
        DROP TRIGGER instance_removed;
        CREATE TRIGGER instance_removed AFTER DELETE ON instance BEGIN
            UPDATE series SET instances = instances - 1, bytes = bytes - old.length WHERE id = old.series;
        END;
        CREATE TRIGGER series_counted AFTER UPDATE OF instances, bytes ON series BEGIN
            UPDATE study SET instances = instances + new.instances - old.instances,
                bytes = bytes + new.bytes - old.bytes WHERE id = new.study;
        END;
        CREATE TRIGGER study_counted AFTER UPDATE OF instances, bytes ON study BEGIN
            UPDATE patient SET instances = instances + new.instances - old.instances,
                bytes = bytes + new.bytes - old.bytes WHERE id = new.patient;
            UPDATE total SET instances = instances + new.instances - old.instances,
                bytes = bytes + new.bytes - old.bytes;
        END;

        -- Since v0005: without AUTOINCREMENT, whose table is one page more in every transaction. The newest entry is
        -- never deleted, so numbers only grow all the same.
        ALTER TABLE change RENAME TO change_before;
        CREATE TABLE change (
            seq INTEGER PRIMARY KEY,
            kind TEXT NOT NULL,
            studyUID TEXT NOT NULL, seriesUID TEXT NOT NULL,
            instances INTEGER NOT NULL,
            at INTEGER NOT NULL
        );
        INSERT INTO change SELECT * FROM change_before;
        DROP TABLE change_before;

        -- Since v0005: with what a walk over the newest studies asks most, so that it reads no row of a study in vain.
        DROP INDEX study_by_date;
        CREATE INDEX study_by_date ON study (studyDate, studyTimeKey, id, patient, modalities);
        """

    private static let v0006Requests = """
        -- Since v0006: what an order asked for, one value per item of Request Attributes Sequence, and the time zone.
        -- Of instances enrolled before, a rebuild of the index brings them in.
        ALTER TABLE series ADD COLUMN scheduledProcedureStepID TEXT NOT NULL DEFAULT '';
        ALTER TABLE series ADD COLUMN requestedProcedureID TEXT NOT NULL DEFAULT '';
        ALTER TABLE study ADD COLUMN timezoneOffsetFromUTC TEXT NOT NULL DEFAULT '';
        """

    private static let v0007Corrections = """
        -- Since v0007: what the records know better than a study's images, by tag, for the study's row and for every way
        -- out. Kept while the study is not here, for its images may come again.
        CREATE TABLE correction (
            studyUID TEXT PRIMARY KEY,
            revision INTEGER NOT NULL,
            -- The revision, where it gives the patient's name: then it speaks for the patient before any image does.
            naming INTEGER,
            correctedAt INTEGER NOT NULL, isByHand INTEGER NOT NULL,
            attributes TEXT NOT NULL
        ) WITHOUT ROWID;

        -- Since v0007: how far the records' revisions are in here; written with the rows.
        CREATE TABLE projection (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            correctedThrough INTEGER NOT NULL
        );
        INSERT INTO projection VALUES (1, 0);
        """

    private static let v0002Counters = """
        -- Since v0002: totals, so that a status page costs one row whatever the archive holds.
        CREATE TABLE total (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            patients INTEGER NOT NULL, studies INTEGER NOT NULL, series INTEGER NOT NULL,
            instances INTEGER NOT NULL, bytes INTEGER NOT NULL
        );
        INSERT INTO total VALUES (1, 0, 0, 0, 0, 0);

        -- Since v0002: counters follow the rows by triggers, so no path can forget them.
        CREATE TRIGGER instance_added AFTER INSERT ON instance BEGIN
            UPDATE series SET instances = instances + 1, bytes = bytes + new.length WHERE id = new.series;
            UPDATE study SET instances = instances + 1, bytes = bytes + new.length
                WHERE id = (SELECT study FROM series WHERE id = new.series);
            UPDATE patient SET instances = instances + 1, bytes = bytes + new.length
                WHERE id = (SELECT patient FROM study WHERE id = (SELECT study FROM series WHERE id = new.series));
            UPDATE total SET instances = instances + 1, bytes = bytes + new.length;
        END;
        CREATE TRIGGER instance_removed AFTER DELETE ON instance BEGIN
            UPDATE series SET instances = instances - 1, bytes = bytes - old.length WHERE id = old.series;
            UPDATE study SET instances = instances - 1, bytes = bytes - old.length
                WHERE id = (SELECT study FROM series WHERE id = old.series);
            UPDATE patient SET instances = instances - 1, bytes = bytes - old.length
                WHERE id = (SELECT patient FROM study WHERE id = (SELECT study FROM series WHERE id = old.series));
            UPDATE total SET instances = instances - 1, bytes = bytes - old.length;
        END;
        CREATE TRIGGER series_added AFTER INSERT ON series BEGIN
            UPDATE study SET series = series + 1 WHERE id = new.study;
            UPDATE patient SET series = series + 1 WHERE id = (SELECT patient FROM study WHERE id = new.study);
            UPDATE total SET series = series + 1;
        END;
        CREATE TRIGGER series_removed AFTER DELETE ON series BEGIN
            UPDATE study SET series = series - 1 WHERE id = old.study;
            UPDATE patient SET series = series - 1 WHERE id = (SELECT patient FROM study WHERE id = old.study);
            UPDATE total SET series = series - 1;
        END;
        CREATE TRIGGER study_added AFTER INSERT ON study BEGIN
            UPDATE patient SET studies = studies + 1 WHERE id = new.patient;
            UPDATE total SET studies = studies + 1;
        END;
        CREATE TRIGGER study_removed AFTER DELETE ON study BEGIN
            UPDATE patient SET studies = studies - 1 WHERE id = old.patient;
            UPDATE total SET studies = studies - 1;
        END;
        CREATE TRIGGER study_moved AFTER UPDATE OF patient ON study WHEN old.patient <> new.patient BEGIN
            UPDATE patient SET studies = studies - 1, series = series - old.series,
                instances = instances - old.instances, bytes = bytes - old.bytes WHERE id = old.patient;
            UPDATE patient SET studies = studies + 1, series = series + new.series,
                instances = instances + new.instances, bytes = bytes + new.bytes WHERE id = new.patient;
        END;
        CREATE TRIGGER patient_added AFTER INSERT ON patient BEGIN
            UPDATE total SET patients = patients + 1;
        END;
        CREATE TRIGGER patient_removed AFTER DELETE ON patient BEGIN
            UPDATE total SET patients = patients - 1;
        END;
        """

    private static let v0003Search = """
        -- Since v0003: trigrams for substring search; a study list sends *name* with wildcards at both ends. External
        -- content: the words themselves stay in patient and study only.
        CREATE VIRTUAL TABLE patient_text USING fts5 (
            patientNameKey, patientID, content = 'patient', content_rowid = 'id', tokenize = 'trigram'
        );
        CREATE TRIGGER patient_text_added AFTER INSERT ON patient BEGIN
            INSERT INTO patient_text (rowid, patientNameKey, patientID)
                VALUES (new.id, new.patientNameKey, new.patientID);
        END;
        CREATE TRIGGER patient_text_removed AFTER DELETE ON patient BEGIN
            INSERT INTO patient_text (patient_text, rowid, patientNameKey, patientID)
                VALUES ('delete', old.id, old.patientNameKey, old.patientID);
        END;
        CREATE TRIGGER patient_text_changed AFTER UPDATE OF patientNameKey, patientID ON patient
        WHEN old.patientNameKey <> new.patientNameKey OR old.patientID <> new.patientID BEGIN
            INSERT INTO patient_text (patient_text, rowid, patientNameKey, patientID)
                VALUES ('delete', old.id, old.patientNameKey, old.patientID);
            INSERT INTO patient_text (rowid, patientNameKey, patientID)
                VALUES (new.id, new.patientNameKey, new.patientID);
        END;

        CREATE VIRTUAL TABLE study_text USING fts5 (
            accessionNumber, studyDescription, referringPhysicianNameKey,
            content = 'study', content_rowid = 'id', tokenize = 'trigram'
        );
        CREATE TRIGGER study_text_added AFTER INSERT ON study BEGIN
            INSERT INTO study_text (rowid, accessionNumber, studyDescription, referringPhysicianNameKey)
                VALUES (new.id, new.accessionNumber, new.studyDescription, new.referringPhysicianNameKey);
        END;
        CREATE TRIGGER study_text_removed AFTER DELETE ON study BEGIN
            INSERT INTO study_text (study_text, rowid, accessionNumber, studyDescription, referringPhysicianNameKey)
                VALUES ('delete', old.id, old.accessionNumber, old.studyDescription, old.referringPhysicianNameKey);
        END;
        CREATE TRIGGER study_text_changed
        AFTER UPDATE OF accessionNumber, studyDescription, referringPhysicianNameKey ON study
        WHEN old.accessionNumber <> new.accessionNumber OR old.studyDescription <> new.studyDescription
            OR old.referringPhysicianNameKey <> new.referringPhysicianNameKey BEGIN
            INSERT INTO study_text (study_text, rowid, accessionNumber, studyDescription, referringPhysicianNameKey)
                VALUES ('delete', old.id, old.accessionNumber, old.studyDescription, old.referringPhysicianNameKey);
            INSERT INTO study_text (rowid, accessionNumber, studyDescription, referringPhysicianNameKey)
                VALUES (new.id, new.accessionNumber, new.studyDescription, new.referringPhysicianNameKey);
        END;
        """
}
