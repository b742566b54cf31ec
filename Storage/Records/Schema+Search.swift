// Indexes for those who search the hospital's records by dates.

extension RecordStore {
    static let v0005Search = """
        -- Since v0005: what is searched by day. Times are as precise as they came, so the text is what is compared.
        CREATE INDEX patient_by_birth ON patient (birthDate);
        CREATE INDEX encounter_by_date ON encounter (body ->> '$.startedAt');
        CREATE INDEX requestedProcedure_by_order ON requestedProcedure (body ->> '$.orderedAt');
        CREATE INDEX requestedProcedure_by_time ON requestedProcedure (scheduledAt);
        """
}
