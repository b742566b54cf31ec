// Reading a volume from its headers: the walk that rebuilds a catalogue, finds a tail and counts entries.

import Crypto

/// Where a walk through a volume ended, and what it stumbled over.
package struct ScanSummary: Equatable, Sendable {
    /// End of the last entry seen.
    package let end: Int64
    /// Damage that the walk passed by; each is `.corrupt`.
    package let flaws: [VolumeFailure]
}

/// An entry met on a walk, and as much of its body's beginning as was read along with its header.
package struct MetEntry: Sendable {
    package let entry: VolumeEntry
    /// Shares its memory with other entries of the walk; empty when nothing of the body was read.
    package let beginning: ArraySlice<UInt8>

    package init(entry: VolumeEntry, beginning: ArraySlice<UInt8> = []) {
        self.entry = entry
        self.beginning = beginning
    }
}

/// A walk from header to header. Bodies are skipped over unless asked for.
struct VolumeScan {
    private static let chunk = 1 << 20
    /// Bytes read for a header alone, and for one with the beginning of its body: all that stands before the pixel data
    /// of most images, and so few that the operating system does not begin to read ahead.
    private static let nearby = (header: 4_096, beginning: 16 << 10)
    /// Entries with shorter bodies share reads, which double as long as such entries follow each other.
    private static let small = 32 << 10
    private static let farAhead = 1 << 20

    let file: VolumeFile
    let size: Int64
    private let nonce: VolumeNonce
    /// The nonce of the entry at offset 0, once it was looked for.
    private var firstNonce: String??
    private var window: [UInt8] = []
    private var windowStart: Int64 = 0
    private let least: Int
    private var readAhead: Int

    /// - Parameter withBeginnings: whether bodies' beginnings are worth reading.
    init(file: VolumeFile, size: Int64, nonce: VolumeNonce, withBeginnings: Bool = false) {
        least = withBeginnings ? Self.nearby.beginning : Self.nearby.header
        readAhead = least
        self.file = file
        self.size = size
        self.nonce = nonce
    }

    private mutating func bytes(at offset: Int64, count: Int) throws(VolumeFailure) -> ArraySlice<UInt8> {
        if offset < windowStart || offset + Int64(count) > windowStart + Int64(window.count) {
            let rest = max(0, size - offset)
            let needed = Int(min(Int64(count), rest))
            window = try readWindow(at: offset, count: Int(min(Int64(max(count, readAhead)), rest)), needed: needed)
            windowStart = offset
            readAhead = min(readAhead * 2, Self.farAhead)
        }
        let start = Int(offset - windowStart)
        return window[start..<min(start + count, window.count)]
    }

    private func readWindow(at offset: Int64, count: Int, needed: Int) throws(VolumeFailure) -> [UInt8] {
        guard count > 0 else { return [] }
        do throws(VolumeFailure) { return try file.read(at: offset, count: count) } catch {
            // A bad spot further on is not the header's: what it spoils shows when it is read itself.
            guard needed < count else { throw error }
            return try file.read(at: offset, count: needed)
        }
    }

    /// What stands at `offset`; an entry that runs past the end of the file is bad.
    mutating func header(at offset: Int64) throws(VolumeFailure) -> HeaderReading {
        let reading = try EntryHeader.read(volume: file.number, at: offset) { (position, count) throws(VolumeFailure) in
            try bytes(at: position, count: count)
        }
        guard case .entry(let entry) = reading else { return reading }
        if entry.place.end > size { return .bad(reason: "cut off") }
        // Large ones do not drag their bodies in.
        if entry.place.length >= Self.small { readAhead = least }
        return reading
    }

    /// What was read of a body along with headers.
    private func beginning(of place: Place) -> ArraySlice<UInt8> {
        let start = place.bodyOffset - windowStart
        guard start >= 0, start < Int64(window.count) else { return [] }
        return window[Int(start)..<Int(min(start + place.length, Int64(window.count)))]
    }

    /// Whether the body of an entry has the digest that its header says.
    func isIntact(_ entry: VolumeEntry) throws(VolumeFailure) -> Bool {
        try digest(of: entry.place) == entry.facts.digest
    }

    /// SHA-256 of a body.
    func digest(of place: Place) throws(VolumeFailure) -> [UInt8] {
        var digest = SHA256()
        let known = beginning(of: place)
        if known.count == place.length {
            digest.update(data: known)
            return Array(digest.finalize())
        }
        var done: Int64 = 0
        while done < place.length {
            let bytes = try file.read(
                at: place.bodyOffset + done, count: Int(min(Int64(Self.chunk), place.length - done)))
            if bytes.isEmpty { break }
            digest.update(data: bytes)
            done += Int64(bytes.count)
        }
        return Array(digest.finalize())
    }

    /// Visits entries from `start` until a zero block that is the end, or until `visit` returns false. Damage is
    /// passed by: the walk goes on at the next header that can be read.
    mutating func run(
        from start: Int64, verifyBodies: Bool, isSealed: Bool, visit: (VolumeEntry) -> Bool
    ) throws(VolumeFailure) -> ScanSummary {
        try walk(from: start, verifyBodies: verifyBodies, isSealed: isSealed) { visit($0.entry) }
    }

    /// The same, with the beginnings of bodies.
    mutating func walk(
        from start: Int64, verifyBodies: Bool, isSealed: Bool, visit: (MetEntry) -> Bool
    ) throws(VolumeFailure) -> ScanSummary {
        var flaws: [VolumeFailure] = []
        var position = start
        var end = start
        while true {
            switch try header(at: position) {
            case .end:
                // A sealed volume ends where its size says; zeros before that are lost entries.
                guard isSealed, TarBlock.archiveSize(tail: position) < size, let next = try nextHeader(after: position)
                else { return ScanSummary(end: end, flaws: flaws) }
                flaws.append(.corrupt(volume: file.number, offset: position, reason: "zeros between entries"))
                position = next
            case .bad(let reason):
                flaws.append(.corrupt(volume: file.number, offset: position, reason: reason))
                guard let next = try nextHeader(after: position + 512) else {
                    return ScanSummary(end: end, flaws: flaws)
                }
                position = next
            case .entry(var entry):
                if verifyBodies && !entry.isErased {
                    let isIntact = try isIntact(entry)
                    entry.isIntact = isIntact
                    if !isIntact {
                        let reason = "body has another digest"
                        flaws.append(.corrupt(volume: file.number, offset: position, reason: reason))
                    }
                }
                position = entry.place.end
                end = position
                guard visit(MetEntry(entry: entry, beginning: beginning(of: entry.place))) else {
                    return ScanSummary(end: end, flaws: flaws)
                }
            }
        }
    }

    /// Number of entries.
    mutating func count() throws(VolumeFailure) -> Int {
        var entries = 0
        _ = try walk(from: 0, verifyBodies: false, isSealed: true) { _ in
            entries += 1
            return true
        }
        return entries
    }

    /// The nonce of the entry at offset 0. No sender's bytes ever lie there: what it says is true.
    mutating func nonceOfFirst() throws(VolumeFailure) -> String? {
        if let firstNonce { return firstNonce }
        var found: String?
        if case .entry(let entry) = try header(at: 0) { found = entry.nonce }
        firstNonce = .some(found)
        return found
    }

    /// Whether entries of this volume can be told from bytes that a sender made look like one.
    mutating func isMarked() throws(VolumeFailure) -> Bool {
        if nonce.isRequired { return true }
        return try nonceOfFirst() != nil
    }

    /// Whether an entry that was searched for, not reached over a chain of headers, may be one that Phim wrote: it
    /// might lie in the body of an object whose own header is lost, and the sender chose what stands there.
    private mutating func isOurs(_ entry: VolumeEntry) throws(VolumeFailure) -> Bool {
        guard entry.batchOffset <= entry.place.entryOffset else { return false }
        guard try isMarked() else { return true }
        guard let carried = entry.nonce else { return false }
        if carried == nonce.value { return true }
        return carried == (try nonceOfFirst())
    }

    /// Offset of the next entry that can be read and may be ours, at or after `offset`; holes are skipped.
    mutating func nextHeader(after offset: Int64) throws(VolumeFailure) -> Int64? {
        var position = TarBlock.padded(offset)
        while position < size, let data = try file.fileSystem.nextData(file.descriptor, from: position) {
            position = max(position, data / 512 * 512)
            let bytes = try file.read(at: position, count: Int(min(Int64(Self.chunk), size - position)))
            if bytes.count < 512 { return nil }
            for start in stride(from: 0, through: bytes.count - 512, by: 512)
            where bytes[start + 156] == TarBlock.extendedHeader && bytes[start + 257] == UInt8(ascii: "u") {
                let candidate = position + Int64(start)
                if case .entry(let entry) = try header(at: candidate), try isOurs(entry) { return candidate }
            }
            position += Int64(bytes.count / 512 * 512)
        }
        return nil
    }
}

extension VolumeStore {
    /// Walks as `entries` does, for who reads the beginnings of bodies: small bodies come along whole, of large ones a
    /// few pages. An entry may have been deleted since: ask `read` for none of its bytes to be told.
    package func met(
        volume number: Int, from start: Int64 = 0, visit: (MetEntry) -> Bool
    ) throws(VolumeFailure) -> ScanSummary {
        let file = try directory.open(number, .read)
        let size = try file.status().size
        var scan = VolumeScan(file: file, size: size, nonce: try directory.nonce(of: number), withBeginnings: true)
        return try scan.walk(
            from: start, verifyBodies: false, isSealed: try directory.isSealed(file), visit: visit)
    }
}
