// Tables of what is sent on: to whom, by which rule, how far it has come, and the proof that it arrived.

extension RecordStore {
    static let v0011Forwarding = """
        -- Since v0011: where studies are sent on to, and what is known of the line there.
        CREATE TABLE destination (
            name TEXT PRIMARY KEY COLLATE NOCASE,
            body TEXT NOT NULL,
            isPaused INTEGER NOT NULL DEFAULT 0,  -- by a person
            failures INTEGER NOT NULL DEFAULT 0,  -- in a row
            dueAt INTEGER NOT NULL DEFAULT 0,
            isStopped INTEGER NOT NULL DEFAULT 0,  -- it wants nothing any more, until a person says otherwise
            reason TEXT NOT NULL DEFAULT '',
            since INTEGER,  -- when the first failure of the row was
            reachedAt INTEGER,  -- when it last took something
            isFromFile INTEGER NOT NULL DEFAULT 0,  -- the configuration file says what it is
            addedAt INTEGER NOT NULL,
            changedAt INTEGER NOT NULL DEFAULT 0  -- since when it is this archive: older proofs are of another
        ) WITHOUT ROWID;

        -- Since v0011: which studies go where.
        CREATE TABLE route (
            name TEXT PRIMARY KEY COLLATE NOCASE,
            destination TEXT NOT NULL COLLATE NOCASE REFERENCES destination (name),
            body TEXT NOT NULL,
            isOn INTEGER NOT NULL DEFAULT 1,
            isFromFile INTEGER NOT NULL DEFAULT 0,  -- the configuration file says what it is
            addedAt INTEGER NOT NULL
        ) WITHOUT ROWID;

        -- Since v0011: a study on its way to a destination. What of it is still missing there is the catalogue's instances
        -- without those in shipped: a study of a thousand images is one row until they are sent.
        CREATE TABLE shipment (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            destination TEXT NOT NULL COLLATE NOCASE,
            studyInstanceUID TEXT NOT NULL,
            priority INTEGER NOT NULL,  -- 0 STAT, 1 normal, 2 bulk
            rank INTEGER NOT NULL DEFAULT 0,  -- by a person: lower goes first within a priority
            state TEXT NOT NULL,
            isHeld INTEGER NOT NULL DEFAULT 0,
            route TEXT NOT NULL,  -- empty: a person asked
            cause TEXT NOT NULL,  -- one sentence without patient data
            legalBasis TEXT NOT NULL,
            transform TEXT NOT NULL,
            instances INTEGER NOT NULL, octets INTEGER NOT NULL,  -- of the study, when last looked at
            sentInstances INTEGER NOT NULL DEFAULT 0, sentOctets INTEGER NOT NULL DEFAULT 0,
            lineOctets INTEGER NOT NULL DEFAULT 0,  -- what went over the line for it
            refusals INTEGER NOT NULL DEFAULT 0,
            answer TEXT NOT NULL DEFAULT '',
            createdAt INTEGER NOT NULL, dueAt INTEGER NOT NULL,
            sentAt INTEGER, committedAt INTEGER, proof TEXT NOT NULL DEFAULT '',
            doubtedAt INTEGER NOT NULL DEFAULT 0,  -- when a proof that was too old was last asked for anew
            UNIQUE (destination, studyInstanceUID)
        );
        CREATE INDEX shipment_next ON shipment (destination, priority, rank, octets, id, dueAt)
            WHERE state = 'waiting' AND isHeld = 0;
        CREATE INDEX shipment_waiting ON shipment (destination, priority) WHERE state = 'waiting';
        CREATE INDEX shipment_refused ON shipment (destination) WHERE state = 'refused';
        CREATE INDEX shipment_unproven ON shipment (destination, dueAt) WHERE state = 'sent';
        CREATE INDEX shipment_by_study ON shipment (studyInstanceUID);
        CREATE INDEX shipment_proven ON shipment (committedAt) WHERE state = 'committed';

        -- Since v0011: what was told of shipments, in order: for those who listen, and for their history.
        CREATE TABLE shipmentEvent (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            shipment INTEGER NOT NULL REFERENCES shipment (id) ON DELETE CASCADE,
            state TEXT NOT NULL,  -- sent or committed
            at INTEGER NOT NULL
        );
        CREATE INDEX shipmentEvent_by_shipment ON shipmentEvent (shipment, id);
        CREATE TRIGGER shipment_told AFTER UPDATE OF state ON shipment
        WHEN OLD.state <> NEW.state AND (NEW.state = 'committed' OR NEW.state = 'sent' AND OLD.state <> 'committed') BEGIN
            INSERT INTO shipmentEvent (shipment, state, at) VALUES (
                NEW.id, NEW.state, coalesce(CASE NEW.state WHEN 'sent' THEN NEW.sentAt ELSE NEW.committedAt END, NEW.dueAt));
        END;

        -- Since v0011: how much a destination took in each span of ten seconds of the last hour.
        CREATE TABLE linePace (
            destination TEXT NOT NULL COLLATE NOCASE,
            span INTEGER NOT NULL,  -- its first microsecond
            octets INTEGER NOT NULL,  -- as they are stored here
            lineOctets INTEGER NOT NULL,  -- as they went over the line
            PRIMARY KEY (destination, span)
        ) WITHOUT ROWID;

        -- Since v0011: studies that the rules are to look at: marked in the transaction that links them.
        CREATE TABLE forwardingLook (
            studyInstanceUID TEXT PRIMARY KEY,
            marks INTEGER NOT NULL,
            dueAt INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX forwardingLook_due ON forwardingLook (dueAt);

        -- Since v0011: what a destination has taken, as it was received here.
        CREATE TABLE shipped (
            shipment INTEGER NOT NULL REFERENCES shipment (id) ON DELETE CASCADE,
            sopInstanceUID TEXT NOT NULL,
            digest BLOB NOT NULL,
            revision INTEGER NOT NULL,  -- of the study's correction, as the destination knows it; 0: none
            octets INTEGER NOT NULL,
            at INTEGER NOT NULL,
            committedAt INTEGER,
            isExact INTEGER NOT NULL DEFAULT 0,  -- it is known to have left as it is stored here
            PRIMARY KEY (shipment, sopInstanceUID)
        ) WITHOUT ROWID;

        -- Since v0011: what a destination does not take of a study, and why; tried again with its shipment.
        CREATE TABLE unshipped (
            shipment INTEGER NOT NULL REFERENCES shipment (id) ON DELETE CASCADE,
            sopInstanceUID TEXT NOT NULL,
            answer TEXT NOT NULL,
            refusals INTEGER NOT NULL,
            dueAt INTEGER NOT NULL,
            PRIMARY KEY (shipment, sopInstanceUID)
        ) WITHOUT ROWID;

        -- Since v0011: proofs of arrival, asked for and given: a storage commitment by its transaction, or a signed receipt.
        CREATE TABLE receipt (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            shipment INTEGER NOT NULL REFERENCES shipment (id) ON DELETE CASCADE,
            kind TEXT NOT NULL,
            transactionUID TEXT NOT NULL UNIQUE,
            askedAt INTEGER NOT NULL,
            answeredAt INTEGER,
            instances INTEGER NOT NULL,
            failed INTEGER NOT NULL DEFAULT 0,
            body TEXT NOT NULL DEFAULT ''
        );
        CREATE INDEX receipt_by_shipment ON receipt (shipment, id);

        -- Since v0011: studies of which this archive has proven to others to hold objects: these may have given up theirs.
        CREATE TABLE promise (
            studyInstanceUID TEXT NOT NULL,
            kind TEXT NOT NULL,  -- as of receipts
            whom TEXT NOT NULL,  -- AE title or account of who asked
            at INTEGER NOT NULL,
            PRIMARY KEY (studyInstanceUID, kind, whom)
        ) WITHOUT ROWID;

        -- Since v0011: studies whose images were given up here, because another archive has proven to hold them. Without
        -- that proof, or before its time, no row gets in; and without a row nothing is erased.
        CREATE TABLE purge (
            studyInstanceUID TEXT PRIMARY KEY,
            shipment INTEGER NOT NULL REFERENCES shipment (id),
            instances INTEGER NOT NULL,
            retainedUntil INTEGER NOT NULL,
            at INTEGER NOT NULL,
            account TEXT NOT NULL,
            isDespitePromise INTEGER NOT NULL DEFAULT 0,  -- it may go although others were told that it is kept here
            erasedAt INTEGER  -- when the images were gone; null while that is still to be done
        ) WITHOUT ROWID;
        CREATE INDEX purge_unfinished ON purge (at) WHERE erasedAt IS NULL;
        CREATE TRIGGER purge_needs_proof BEFORE INSERT ON purge BEGIN
            SELECT RAISE(ABORT, 'purge without commitment') WHERE NOT EXISTS (
                SELECT 1 FROM shipment WHERE id = NEW.shipment AND studyInstanceUID = NEW.studyInstanceUID
                    AND state = 'committed' AND committedAt IS NOT NULL);
            SELECT RAISE(ABORT, 'purge of what is still to be sent') WHERE EXISTS (
                SELECT 1 FROM shipment WHERE studyInstanceUID = NEW.studyInstanceUID AND state = 'waiting');
            SELECT RAISE(ABORT, 'purge of an original that was changed on the way') WHERE EXISTS (
                SELECT 1 FROM shipment WHERE id = NEW.shipment
                    AND (json_extract(transform, '$.deidentification') <> ''
                        OR json_extract(transform, '$.characterSet') <> ''));
            SELECT RAISE(ABORT, 'purge of what others were told is kept here') WHERE NOT NEW.isDespitePromise
                AND EXISTS (SELECT 1 FROM promise WHERE studyInstanceUID = NEW.studyInstanceUID);
            SELECT RAISE(ABORT, 'purge without commitment') WHERE NEW.instances < 1 OR NEW.instances > (
                SELECT count(*) FROM shipped JOIN shipment ON shipment.id = shipped.shipment
                    JOIN destination ON destination.name = shipment.destination
                WHERE shipped.shipment = NEW.shipment AND shipped.isExact
                    AND shipped.committedAt > max(NEW.at - \(ProofTrust.lasting), destination.changedAt));
            SELECT RAISE(ABORT, 'purge before the end of retention') WHERE NEW.at < NEW.retainedUntil;
        END;
        CREATE TRIGGER purge_is_final
        BEFORE UPDATE OF studyInstanceUID, shipment, instances, retainedUntil, at, account, isDespitePromise ON purge BEGIN
            SELECT RAISE(ABORT, 'a purge is not altered');
        END;

        -- Since v0011: studies that were fetched from another archive; shown as such, never sent back.
        CREATE TABLE externalStudy (
            studyInstanceUID TEXT PRIMARY KEY,
            source TEXT NOT NULL,
            at INTEGER NOT NULL
        ) WITHOUT ROWID;

        -- Since v0011: orders whose patient's earlier studies are fetched from another archive, and how far that has come.
        CREATE TABLE priorFetch (
            procedure INTEGER PRIMARY KEY REFERENCES requestedProcedure (id),
            source TEXT NOT NULL,
            state TEXT NOT NULL,
            failures INTEGER NOT NULL DEFAULT 0,  -- in a row
            studies INTEGER NOT NULL DEFAULT 0, instances INTEGER NOT NULL DEFAULT 0,  -- that came
            answer TEXT NOT NULL DEFAULT '',
            createdAt INTEGER NOT NULL, dueAt INTEGER NOT NULL, endedAt INTEGER
        );
        CREATE INDEX priorFetch_due ON priorFetch (dueAt) WHERE state = 'waiting';

        -- Since v0011: whether a peer is called by TLS.
        ALTER TABLE peer ADD COLUMN isSecure INTEGER NOT NULL DEFAULT 0;

        -- Since v0011: at a centre, the archives that send to it, as they last said of themselves.
        CREATE TABLE station (
            name TEXT PRIMARY KEY COLLATE NOCASE,
            account TEXT NOT NULL,
            body TEXT NOT NULL,
            firstAt INTEGER NOT NULL, lastAt INTEGER NOT NULL
        ) WITHOUT ROWID;

        -- Since v0011: at a centre, files that a station handed over whose data set was here already under another file
        -- header: it is kept once, and the station's digest stands for it.
        CREATE TABLE heldAs (
            sopInstanceUID TEXT NOT NULL,
            digest BLOB NOT NULL,
            storedDigest BLOB NOT NULL,
            at INTEGER NOT NULL,
            PRIMARY KEY (sopInstanceUID, digest)
        ) WITHOUT ROWID;
        """

    static let v0012PeerAddress = """
        -- Since v0012: under which title and where a peer of this name was reached last, also one of the configuration file:
        -- elsewhere it is another archive.
        CREATE TABLE peerAddress (
            name TEXT PRIMARY KEY COLLATE NOCASE,
            aeTitle TEXT NOT NULL, host TEXT NOT NULL COLLATE NOCASE, port INTEGER NOT NULL
        ) WITHOUT ROWID;
        """
}
