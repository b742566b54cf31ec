// Taking over a volume whose writer is gone: find the true tail, return what was not enrolled, clear what was torn.

/// What a recovery found.
package struct Recovery: Equatable, Sendable {
    /// Whole entries at or after the position that the caller knew, in order; their bodies have their digests, where
    /// these were looked at.
    package let entries: [VolumeEntry]
    /// End of the last entry.
    package let tail: Int64
    /// Set when entries that a sync had confirmed are damaged or missing. Such a volume is neither cleared nor
    /// appended to: what can be read of it stays.
    package let flaw: VolumeFailure?
    /// Whether this store now appends to the volume.
    package let isAdopted: Bool
}

/// The recovery of one unsealed volume that this process has locked.
struct TailSearch {
    var scan: VolumeScan
    let number: Int

    /// Walks from the caller's position over all whole entries. Before `enrolledTo` only headers are read, to be
    /// sure that the chain leads there; after it each body must have its digest.
    mutating func run(enrolledTo: Int64) throws(VolumeFailure) -> (
        entries: [VolumeEntry], tail: Int64, flaw: VolumeFailure?
    ) {
        var position: Int64 = 0
        while position < enrolledTo, case .entry(let entry) = try scan.header(at: position) {
            position = entry.place.end
        }
        if position != enrolledTo {
            let flaw = VolumeFailure.corrupt(volume: number, offset: position, reason: "chain of headers is broken")
            return (try survivors(from: min(enrolledTo, scan.size)), max(position, enrolledTo), flaw)
        }
        var entries: [VolumeEntry] = []
        // Bodies behind whole headers are not searched: whatever stands there is the sender's, not ours.
        var searchFrom = position
        while case .entry(var entry) = try scan.header(at: position) {
            searchFrom = entry.place.end
            if !entry.isErased {
                guard try scan.isIntact(entry) else { break }
                entry.isIntact = true
                entries.append(entry)
            }
            position = entry.place.end
        }
        // Each batch was synced before the next one began. An entry of a later batch therefore proves that what is
        // bad here was good once: that is rot, not a torn tail, and nothing may be cleared.
        var later: [VolumeEntry] = []
        for entry in try found(from: searchFrom) where entry.batchOffset > position {
            if try isProof(entry) { later.append(entry) }
        }
        guard later.isEmpty else {
            let flaw = VolumeFailure.corrupt(volume: number, offset: position, reason: "damaged between whole entries")
            return (entries + later.filter { $0.isIntact == true }, position, flaw)
        }
        return (entries, position, nil)
    }

    /// Whether an entry proves that its batch was begun. Its nonce does, even when its body is torn. In a volume
    /// without nonces the whole batch up to it must stand where it says.
    private mutating func isProof(_ entry: VolumeEntry) throws(VolumeFailure) -> Bool {
        if try scan.isMarked() { return true }
        guard entry.isErased || entry.isIntact == true else { return false }
        var position = entry.batchOffset
        while position < entry.place.entryOffset, case .entry(let earlier) = try scan.header(at: position),
            earlier.batchOffset == entry.batchOffset
        {
            position = earlier.place.end
        }
        return position == entry.place.entryOffset
    }

    /// Whole entries anywhere at or after `offset`.
    private mutating func survivors(from offset: Int64) throws(VolumeFailure) -> [VolumeEntry] {
        try found(from: offset).filter { $0.isIntact == true }
    }

    /// Entries anywhere at or after `offset`, torn and erased ones too.
    private mutating func found(from offset: Int64) throws(VolumeFailure) -> [VolumeEntry] {
        var entries: [VolumeEntry] = []
        var position = offset
        while let next = try scan.nextHeader(after: position), case .entry(var entry) = try scan.header(at: next) {
            if !entry.isErased { entry.isIntact = try scan.isIntact(entry) }
            entries.append(entry)
            // A header that may be forged must not hide what follows it behind its length.
            var isCertain = entry.isErased || entry.isIntact == true
            if !isCertain { isCertain = try scan.isMarked() }
            position = isCertain ? entry.place.end : next + 512
        }
        return entries
    }
}
