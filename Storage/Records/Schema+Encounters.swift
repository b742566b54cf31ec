// Tables of the hospital's side: who the patients are, why they came, what was ordered, and which study belongs to it.
//
// Every row holds the columns that are searched, and `body`: everything known of it, as JSON.

extension RecordStore {
    static let v0004Encounters = """
        -- Since v0004: hospitals, stations and their points. Codes change at mergers, so they are true for a time only.
        CREATE TABLE facility (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            code TEXT NOT NULL,
            name TEXT NOT NULL,
            parent TEXT,  -- code of the facility that a point belongs to
            validFrom TEXT NOT NULL DEFAULT '', validUntil TEXT NOT NULL DEFAULT '',  -- yyyymmdd; empty: open
            UNIQUE (code, validFrom)
        );

        -- Since v0004: people. A merged patient keeps its row; `root` is the one it is seen as.
        CREATE TABLE patient (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            root INTEGER NOT NULL,
            mergedInto INTEGER REFERENCES patient (id),
            nameKey TEXT NOT NULL, birthDate TEXT NOT NULL,
            body TEXT NOT NULL,
            -- When what the body says was true: an older message does not overwrite it.
            asOf INTEGER NOT NULL,
            createdAt INTEGER NOT NULL, updatedAt INTEGER NOT NULL
        );
        CREATE INDEX patient_by_name ON patient (nameKey, birthDate);
        CREATE INDEX patient_by_root ON patient (root);
        CREATE INDEX patient_by_merge ON patient (mergedInto) WHERE mergedInto IS NOT NULL;

        -- Since v0004: what a person is known by. Citizen numbers may be cancelled and established anew, so that only
        -- one active row exists for each, and ended ones are kept.
        CREATE TABLE identifier (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            patient INTEGER NOT NULL REFERENCES patient (id),
            type TEXT NOT NULL, issuer TEXT NOT NULL, value TEXT NOT NULL,
            validFrom TEXT NOT NULL DEFAULT '', validUntil TEXT NOT NULL DEFAULT '',
            createdAt INTEGER NOT NULL,
            endedAt INTEGER
        );
        CREATE UNIQUE INDEX identifier_active ON identifier (type, issuer, value) WHERE endedAt IS NULL;
        CREATE INDEX identifier_by_value ON identifier (value);
        CREATE INDEX identifier_by_patient ON identifier (patient);

        -- Since v0004: what was done to patients' identities, and by whom; merges can be taken back.
        CREATE TABLE patientEvent (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            kind TEXT NOT NULL,
            patient INTEGER NOT NULL REFERENCES patient (id),
            other INTEGER REFERENCES patient (id),
            at INTEGER NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL,
            undoneAt INTEGER, undoneBy TEXT
        );
        CREATE INDEX patientEvent_by_patient ON patientEvent (patient);
        CREATE INDEX patientEvent_by_other ON patientEvent (other);

        -- Since v0004: visits. `number` is the visit's code (MA_LK), up to 100 characters, never used twice.
        CREATE TABLE encounter (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            patient INTEGER NOT NULL REFERENCES patient (id),
            issuer TEXT NOT NULL, number TEXT NOT NULL,
            status TEXT NOT NULL,
            startedAt INTEGER,
            body TEXT NOT NULL,
            asOf INTEGER NOT NULL,
            createdAt INTEGER NOT NULL, updatedAt INTEGER NOT NULL,
            UNIQUE (issuer, number)
        );
        CREATE INDEX encounter_by_patient ON encounter (patient);
        CREATE INDEX encounter_by_number ON encounter (number);
        CREATE INDEX encounter_by_start ON encounter (startedAt);

        -- Since v0004: requested procedures, each with its one scheduled step and the UID its study will have.
        CREATE TABLE requestedProcedure (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            patient INTEGER NOT NULL REFERENCES patient (id),
            encounter INTEGER REFERENCES encounter (id),
            placerIssuer TEXT NOT NULL, placerNumber TEXT NOT NULL,
            accessionIssuer TEXT NOT NULL, accessionNumber TEXT NOT NULL,
            studyInstanceUID TEXT NOT NULL UNIQUE,
            state TEXT NOT NULL,
            -- 1 while a modality may ask for it.
            isOpen INTEGER NOT NULL,
            modality TEXT NOT NULL, stationAETitle TEXT NOT NULL,
            scheduledAt TEXT NOT NULL,  -- yyyymmddHHMMSS, local
            nameKey TEXT NOT NULL,  -- of the patient it is shown under
            body TEXT NOT NULL,
            asOf INTEGER NOT NULL,
            createdAt INTEGER NOT NULL, updatedAt INTEGER NOT NULL
        );
        CREATE UNIQUE INDEX requestedProcedure_by_placer ON requestedProcedure (placerNumber, placerIssuer);
        CREATE INDEX requestedProcedure_by_accession ON requestedProcedure (accessionNumber);
        CREATE INDEX requestedProcedure_by_patient ON requestedProcedure (patient, scheduledAt);
        CREATE INDEX requestedProcedure_by_encounter ON requestedProcedure (encounter);
        -- The order of time, and beside it what a worklist is narrowed by: rows that do not match are not even read.
        CREATE INDEX requestedProcedure_open
            ON requestedProcedure (scheduledAt, id, modality, stationAETitle, nameKey, accessionNumber) WHERE isOpen;
        CREATE INDEX requestedProcedure_open_by_performer ON requestedProcedure (body ->> '$.performingPhysician')
            WHERE isOpen;
        CREATE INDEX requestedProcedure_by_requested_id ON requestedProcedure (body ->> '$.requestedProcedureID');
        CREATE INDEX requestedProcedure_by_step_id ON requestedProcedure (body ->> '$.scheduledProcedureStepID');

        -- Since v0004: trigrams of the names of open procedures, for a name with a wild card in front. External content:
        -- the triggers keep it true.
        CREATE VIRTUAL TABLE openProcedure_text USING fts5 (
            nameKey, content = 'requestedProcedure', content_rowid = 'id', tokenize = 'trigram'
        );
        CREATE TRIGGER requestedProcedure_text_insert AFTER INSERT ON requestedProcedure WHEN new.isOpen BEGIN
            INSERT INTO openProcedure_text (rowid, nameKey) VALUES (new.id, new.nameKey);
        END;
        CREATE TRIGGER requestedProcedure_text_update AFTER UPDATE OF nameKey, isOpen ON requestedProcedure
            WHEN old.isOpen <> new.isOpen OR old.nameKey <> new.nameKey BEGIN
            INSERT INTO openProcedure_text (openProcedure_text, rowid, nameKey)
                SELECT 'delete', old.id, old.nameKey WHERE old.isOpen;
            INSERT INTO openProcedure_text (rowid, nameKey) SELECT new.id, new.nameKey WHERE new.isOpen;
        END;

        -- Since v0004: accession numbers count per day.
        CREATE TABLE accessionCounter (
            day TEXT PRIMARY KEY,
            last INTEGER NOT NULL
        ) WITHOUT ROWID;

        -- Since v0004: every step of every procedure.
        CREATE TABLE procedureEvent (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            procedure INTEGER NOT NULL REFERENCES requestedProcedure (id),
            fromState TEXT NOT NULL, toState TEXT NOT NULL,
            at INTEGER NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL
        );
        CREATE INDEX procedureEvent_by_procedure ON procedureEvent (procedure);

        -- Since v0004: what modalities reported of their work (PS3.4 Annex F.7), as they said it.
        CREATE TABLE performedStep (
            sopInstanceUID TEXT PRIMARY KEY,
            studyInstanceUID TEXT NOT NULL,
            status TEXT NOT NULL,
            peer TEXT NOT NULL,
            dataSet BLOB NOT NULL,  -- Explicit VR Little Endian, all N-SETs applied
            createdAt INTEGER NOT NULL, updatedAt INTEGER NOT NULL
        );
        -- One step may be the work of several procedures (PS3.4 F.7.1).
        CREATE TABLE performedStepProcedure (
            procedure INTEGER NOT NULL REFERENCES requestedProcedure (id),
            performedStep TEXT NOT NULL REFERENCES performedStep (sopInstanceUID),
            PRIMARY KEY (procedure, performedStep)
        ) WITHOUT ROWID;
        CREATE INDEX performedStep_by_study ON performedStep (studyInstanceUID);

        -- Since v0004: every message as it came, with what was answered.
        CREATE TABLE message (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            source TEXT NOT NULL, controlID TEXT NOT NULL, type TEXT NOT NULL,
            bytes BLOB NOT NULL, digest BLOB NOT NULL,
            characterSet TEXT NOT NULL,
            code TEXT NOT NULL,  -- AA, AE or AR
            reason TEXT NOT NULL,
            receivedAt INTEGER NOT NULL,
            replayedAt INTEGER
        );
        CREATE INDEX message_by_control ON message (source, controlID);
        CREATE INDEX message_refused ON message (code, id) WHERE code <> 'AA';

        -- Since v0004: which procedure, visit and patient a study belongs to. At most one row of a study holds.
        CREATE TABLE studyLink (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            studyInstanceUID TEXT NOT NULL,
            procedure INTEGER REFERENCES requestedProcedure (id),
            encounter INTEGER REFERENCES encounter (id),
            patient INTEGER NOT NULL REFERENCES patient (id),
            method TEXT NOT NULL, score REAL NOT NULL, reason TEXT NOT NULL,
            at INTEGER NOT NULL, actor TEXT NOT NULL,
            undoneAt INTEGER, undoneBy TEXT
        );
        CREATE UNIQUE INDEX studyLink_holding ON studyLink (studyInstanceUID) WHERE undoneAt IS NULL;
        CREATE INDEX studyLink_by_study ON studyLink (studyInstanceUID, id);
        CREATE INDEX studyLink_by_procedure ON studyLink (procedure);
        CREATE INDEX studyLink_by_encounter ON studyLink (encounter);
        CREATE INDEX studyLink_by_patient ON studyLink (patient);

        -- Since v0004: studies that no rule could place: for a person to decide.
        CREATE TABLE inbox (
            studyInstanceUID TEXT PRIMARY KEY,
            -- Keys by which a late order or a late admission finds it again.
            accessionNumber TEXT NOT NULL, patientID TEXT NOT NULL, nameKey TEXT NOT NULL,
            body TEXT NOT NULL,
            since INTEGER NOT NULL,
            -- A person took the link away: rules keep their hands off.
            isHeld INTEGER NOT NULL DEFAULT 0
        );
        CREATE INDEX inbox_by_accession ON inbox (accessionNumber);
        CREATE INDEX inbox_by_patient ON inbox (patientID);
        CREATE INDEX inbox_by_name ON inbox (nameKey);
        CREATE INDEX inbox_by_time ON inbox (since);

        -- Since v0004: how far followers have read the catalogue's change feed.
        CREATE TABLE follower (
            name TEXT PRIMARY KEY,
            sequence INTEGER NOT NULL
        ) WITHOUT ROWID;
        """
}
