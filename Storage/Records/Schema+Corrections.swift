// Tables of what was found out about studies after their images came, and of what has to be looked at again.

extension RecordStore {
    static let v0008Corrections = """
        -- Since v0008: what is true of a study where its images say otherwise. Rows are only added; the newest of a study
        -- holds. Attributes are JSON, tag to value.
        CREATE TABLE correction (
            revision INTEGER PRIMARY KEY AUTOINCREMENT,
            studyInstanceUID TEXT NOT NULL,
            cause TEXT NOT NULL,
            derived TEXT NOT NULL,  -- from whom the study belongs to
            byHand TEXT NOT NULL,   -- wins over what is derived
            ownPatientID TEXT NOT NULL,  -- of the images, to find the study again
            reason TEXT NOT NULL, actor TEXT NOT NULL, at INTEGER NOT NULL
        );
        CREATE INDEX correction_by_study ON correction (studyInstanceUID, revision);
        CREATE INDEX correction_by_patient ON correction (ownPatientID) WHERE ownPatientID <> '';

        -- Since v0008: studies, or whatever came under a Patient ID, whose corrections have to be derived anew. Written by
        -- triggers, in the transaction that changes what they are derived from, so that no way in can forget it.
        -- Numbers are not used twice: several processes may take from it.
        CREATE TABLE correctionDue (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            studyInstanceUID TEXT NOT NULL DEFAULT '',
            patientID TEXT NOT NULL DEFAULT ''
        );

        -- What was linked and merged before.
        INSERT INTO correctionDue (studyInstanceUID) SELECT studyInstanceUID FROM studyLink WHERE undoneAt IS NULL;
        INSERT INTO correctionDue (patientID)
            SELECT identifier.value FROM patient JOIN identifier ON identifier.patient = patient.id
            WHERE patient.root <> patient.id OR identifier.endedAt IS NOT NULL;

        CREATE TRIGGER studyLink_made AFTER INSERT ON studyLink BEGIN
            INSERT INTO correctionDue (studyInstanceUID) VALUES (new.studyInstanceUID);
        END;
        CREATE TRIGGER studyLink_changed AFTER UPDATE ON studyLink BEGIN
            INSERT INTO correctionDue (studyInstanceUID) VALUES (new.studyInstanceUID);
        END;

        CREATE TRIGGER patient_renamed AFTER UPDATE OF body ON patient WHEN old.body <> new.body BEGIN
            INSERT INTO correctionDue (studyInstanceUID)
                SELECT studyLink.studyInstanceUID FROM patient JOIN studyLink ON studyLink.patient = patient.id
                WHERE patient.root = new.root AND studyLink.undoneAt IS NULL;
            INSERT INTO correctionDue (patientID)
                SELECT identifier.value FROM patient JOIN identifier ON identifier.patient = patient.id
                WHERE patient.root = new.root AND (patient.id <> patient.root OR identifier.endedAt IS NOT NULL);
        END;
        -- A row that is made has no root before.
        CREATE TRIGGER patient_merged AFTER UPDATE OF root ON patient WHEN old.root NOT IN (0, new.root) BEGIN
            INSERT INTO correctionDue (studyInstanceUID)
                SELECT studyInstanceUID FROM studyLink WHERE patient = new.id AND undoneAt IS NULL;
            INSERT INTO correctionDue (patientID) SELECT value FROM identifier WHERE patient = new.id;
        END;

        CREATE TRIGGER identifier_added AFTER INSERT ON identifier BEGIN
            INSERT INTO correctionDue (studyInstanceUID)
                SELECT studyLink.studyInstanceUID FROM patient JOIN studyLink ON studyLink.patient = patient.id
                WHERE patient.root = (SELECT root FROM patient WHERE id = new.patient) AND studyLink.undoneAt IS NULL;
            INSERT INTO correctionDue (patientID)
                SELECT new.value FROM patient WHERE id = new.patient AND root <> id;
        END;
        CREATE TRIGGER identifier_ended AFTER UPDATE OF endedAt ON identifier BEGIN
            INSERT INTO correctionDue (studyInstanceUID)
                SELECT studyLink.studyInstanceUID FROM patient JOIN studyLink ON studyLink.patient = patient.id
                WHERE patient.root = (SELECT root FROM patient WHERE id = new.patient) AND studyLink.undoneAt IS NULL;
            INSERT INTO correctionDue (patientID) VALUES (new.value);
        END;

        CREATE TRIGGER procedure_renumbered AFTER UPDATE OF accessionNumber ON requestedProcedure
        WHEN old.accessionNumber <> new.accessionNumber BEGIN
            INSERT INTO correctionDue (studyInstanceUID)
                SELECT studyInstanceUID FROM studyLink WHERE procedure = new.id AND undoneAt IS NULL;
        END;
        """
}
