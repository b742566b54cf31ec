// Tables of access: accounts, what proves them, what they were granted, and the trail of what was done.

extension RecordStore {
    static let v0003Access = """
        -- Since v0003: people and programs. Numbers are never used twice, so that the audit trail stays true.
        CREATE TABLE account (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL UNIQUE COLLATE NOCASE,
            roles TEXT NOT NULL,  -- words, separated by commas
            -- scrypt (RFC 7914) with its own parameters; null for accounts that sign in elsewhere or by token alone
            passwordHash BLOB, passwordSalt BLOB, passwordCost TEXT,
            mustChangePassword INTEGER NOT NULL DEFAULT 0,
            isDisabled INTEGER NOT NULL DEFAULT 0,
            failedAttempts INTEGER NOT NULL DEFAULT 0,
            lockedUntil INTEGER,
            -- who it is at the identity provider
            issuer TEXT, subject TEXT,
            createdAt INTEGER NOT NULL,
            UNIQUE (issuer, subject)
        );

        -- Since v0003: secrets are kept as SHA-256 only; they are random, so nothing slower is needed.
        CREATE TABLE token (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            digest BLOB NOT NULL UNIQUE,
            account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            roles TEXT,  -- null: those of the account
            createdAt INTEGER NOT NULL,
            expiresAt INTEGER,
            revokedAt INTEGER
        );
        CREATE INDEX token_by_account ON token (account);

        -- Since v0003: a link opens exactly one study.
        CREATE TABLE link (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            digest BLOB NOT NULL UNIQUE,
            studyInstanceUID TEXT NOT NULL,
            account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
            createdAt INTEGER NOT NULL,
            expiresAt INTEGER NOT NULL,
            revokedAt INTEGER,
            useCount INTEGER NOT NULL DEFAULT 0,
            mostUses INTEGER,
            lastUsedAt INTEGER
        );
        CREATE INDEX link_by_study ON link (studyInstanceUID);
        CREATE INDEX link_by_account ON link (account);

        -- Since v0003: browsers that are signed in, by an account or by a link.
        CREATE TABLE session (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            digest BLOB NOT NULL UNIQUE,
            account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
            link INTEGER REFERENCES link (id) ON DELETE CASCADE,
            address TEXT NOT NULL,
            createdAt INTEGER NOT NULL,
            lastUsedAt INTEGER NOT NULL,
            expiresAt INTEGER NOT NULL
        );
        CREATE INDEX session_by_account ON session (account);
        CREATE INDEX session_by_link ON session (link);

        -- Since v0003: studies that accounts may see beside what their roles show them.
        CREATE TABLE studyGrant (
            account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
            studyInstanceUID TEXT NOT NULL,
            grantedBy TEXT NOT NULL,
            createdAt INTEGER NOT NULL,
            expiresAt INTEGER,
            PRIMARY KEY (account, studyInstanceUID)
        ) WITHOUT ROWID;
        CREATE INDEX studyGrant_by_study ON studyGrant (studyInstanceUID);

        -- Since v0003: the audit trail. Each digest is over the one before and all fields of its own row.
        CREATE TABLE audit (
            number INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            until INTEGER NOT NULL,  -- of several alike the last
            count INTEGER NOT NULL,
            kind TEXT NOT NULL,
            account TEXT NOT NULL,
            credential TEXT NOT NULL,
            address TEXT NOT NULL,
            studyInstanceUID TEXT,
            detail TEXT NOT NULL,
            digest BLOB NOT NULL
        );
        CREATE INDEX audit_by_account ON audit (account, number);
        CREATE INDEX audit_by_study ON audit (studyInstanceUID, number);
        CREATE INDEX audit_by_time ON audit (at);
        """
}
