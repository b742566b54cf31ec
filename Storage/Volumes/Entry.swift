// An entry as values: what is known of one stored Part 10 file before and after it has a place.

/// When and whence an object came, as kept beside it in the volume.
package struct EntryReceipt: Hashable, Sendable {
    /// Microseconds since 1970-01-01T00:00:00Z.
    package let receivedAt: Int64
    /// Calling AE title, or the name of the import.
    package let source: String
    /// Offset of the data set inside the Part 10 file: what follows is exactly what was received.
    package let dataSetOffset: Int
    /// Further facts, kept as `PHIM.<key>`.
    package let others: [String: String]

    package init(receivedAt: Int64, source: String, dataSetOffset: Int, others: [String: String] = [:]) {
        self.receivedAt = receivedAt
        self.source = source
        self.dataSetOffset = dataSetOffset
        self.others = others
    }
}

/// What names an entry and proves its body.
package struct EntryFacts: Hashable, Sendable {
    package let studyInstanceUID: String
    package let seriesInstanceUID: String
    package let sopInstanceUID: String
    /// SHA-256 of the whole Part 10 file, 32 bytes.
    package let digest: [UInt8]
    package let receipt: EntryReceipt

    package init(
        studyInstanceUID: String, seriesInstanceUID: String, sopInstanceUID: String, digest: [UInt8],
        receipt: EntryReceipt
    ) {
        self.studyInstanceUID = studyInstanceUID
        self.seriesInstanceUID = seriesInstanceUID
        self.sopInstanceUID = sopInstanceUID
        self.digest = digest
        self.receipt = receipt
    }
}

/// An entry to append. Its buffer belongs to the store until `append` has returned.
package struct NewEntry: Sendable {
    package let facts: EntryFacts
    package let body: EntryBuffer

    package init(facts: EntryFacts, body: EntryBuffer) {
        self.facts = facts
        self.body = body
    }

    /// Length of the Part 10 file in bytes.
    package var length: Int64 { Int64(body.count) }
}

/// An entry found in a volume.
package struct VolumeEntry: Hashable, Sendable {
    package let facts: EntryFacts
    package let place: Place
    /// Marked as deleted: the name begins with `.erased/` and the body is a hole.
    package let isErased: Bool
    /// Whether the body has its digest; nil when the body was not read.
    package var isIntact: Bool?
    /// Offset of the first entry of the batch that this entry was written with.
    let batchOffset: Int64
    /// The secret of the volume that the entry carries, as proof that Phim wrote it; nil in older volumes.
    let nonce: String?
}
