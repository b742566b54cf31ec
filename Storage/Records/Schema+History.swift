// What people and orders were known by before.

extension RecordStore {
    static let v0010History = """
        -- Since v0010: what was known of a person before a change, as JSON.
        ALTER TABLE patientEvent ADD COLUMN before TEXT;

        -- Since v0010: accession numbers that an order had before; images and people still use them.
        CREATE TABLE formerAccession (
            accessionNumber TEXT NOT NULL,
            procedure INTEGER NOT NULL REFERENCES requestedProcedure (id),
            PRIMARY KEY (accessionNumber, procedure)
        ) WITHOUT ROWID;
        CREATE INDEX formerAccession_by_procedure ON formerAccession (procedure);
        """
}
