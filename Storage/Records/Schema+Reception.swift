// Links to a visit or an order, and why a study was taken away from one.

extension RecordStore {
    static let v0007Reception = """
        -- Since v0007: a link may open the images of a visit, or of an order, as they come; then it names no study.
        ALTER TABLE link ADD COLUMN encounter INTEGER REFERENCES encounter (id);
        ALTER TABLE link ADD COLUMN procedure INTEGER REFERENCES requestedProcedure (id);

        -- Since v0007: why a link between a study and an order was taken away.
        ALTER TABLE studyLink ADD COLUMN undoneReason TEXT;
        """
}
