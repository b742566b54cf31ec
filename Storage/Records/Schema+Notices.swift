// Tables of what others are told: when a study has settled, what was written for whom, and whether it got there.

extension RecordStore {
    static let v0009Notices = """
        -- Since v0009: studies whose images came, or whose link changed: looked at when due, and told of.
        CREATE TABLE settling (
            studyInstanceUID TEXT PRIMARY KEY,
            quietAt INTEGER NOT NULL,  -- when nothing comes until then the images are all there
            dueAt INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX settling_due ON settling (dueAt);
        CREATE INDEX performedStepProcedure_by_step ON performedStepProcedure (performedStep);

        -- Since v0009: what destinations are told: written with the decision, gone from the line only when it was taken.
        CREATE TABLE notice (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            destination TEXT NOT NULL, kind TEXT NOT NULL, studyInstanceUID TEXT NOT NULL,
            revision INTEGER NOT NULL,
            messageID TEXT NOT NULL UNIQUE,  -- the same in every attempt
            body TEXT NOT NULL,  -- what was true when it was decided
            state TEXT NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0, refusals INTEGER NOT NULL DEFAULT 0,
            answer TEXT NOT NULL DEFAULT '',
            createdAt INTEGER NOT NULL, dueAt INTEGER NOT NULL, endedAt INTEGER,
            UNIQUE (destination, kind, studyInstanceUID, revision)
        );
        CREATE INDEX notice_due ON notice (destination, dueAt, id) WHERE state = 'waiting';
        CREATE INDEX notice_in_order ON notice (destination, studyInstanceUID, id) WHERE state = 'waiting';
        CREATE INDEX notice_by_study ON notice (studyInstanceUID, id);

        -- Since v0009: destinations that cannot be reached now, or want nothing any more.
        CREATE TABLE noticeLine (
            destination TEXT PRIMARY KEY,
            failures INTEGER NOT NULL,
            dueAt INTEGER NOT NULL,
            isStopped INTEGER NOT NULL,
            reason TEXT NOT NULL,
            since INTEGER NOT NULL
        ) WITHOUT ROWID;
        """
}
