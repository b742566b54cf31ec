// The door of this room: one store per process and archive, over a folder of tar volumes.

import Synchronization

/// A volume in the folder.
package struct VolumeInfo: Equatable, Sendable {
    package let number: Int
    /// Size of the file, reserved space included.
    package let size: Int64
    /// End of the last entry, known for the volumes that this store appends to.
    package let tail: Int64?
    package let isSealed: Bool

    /// Whether this store holds the volume.
    package var isOwn: Bool { tail != nil }
}

/// Appends to, reads and deletes from the volumes of one folder. Several processes may each have a store on the
/// same folder: every one appends to volumes of its own and reads them all.
package final class VolumeStore: Sendable {
    let directory: VolumeDirectory
    let options: VolumeOptions
    private let sealer: Sealer
    private let readers: Readers
    private let writer: Mutex<Writer>

    /// Opens the folder, making it when it is not there, and removes streams that died unfinished. Volumes left by
    /// a process that is gone are not touched before `recover`.
    /// - Parameter tell: told what goes wrong where no caller waits, from any thread; it must not call the store.
    package init(
        directory path: String, fileSystem: any FileSystem = POSIXFileSystem(),
        options: VolumeOptions = VolumeOptions(), tell: @escaping @Sendable (VolumeTrouble) -> Void = { _ in }
    ) throws(VolumeFailure) {
        directory = VolumeDirectory(path: path, fileSystem: fileSystem)
        self.options = options
        try fileSystem.makeDirectory(path)
        try directory.removeAbandonedParts()
        sealer = Sealer(directory: directory, tell: tell)
        readers = Readers(directory: directory)
        writer = Mutex(Writer(directory: directory, options: options, sealer: sealer, tell: tell))
    }

    deinit { close() }

    /// Stops background work and releases all volumes. Sealing that is not done is done by a later store.
    package func close() {
        let isFirst = writer.withLock { writer in
            guard !writer.isClosed else { return false }
            writer.close()
            return true
        }
        if isFirst { sealer.cancel() }
    }

    // MARK: Appending

    /// Appends a batch, all or nothing; when it returns, all of it is on stable storage. On failure the tail is
    /// cleared again and nothing of the batch can be seen. Call from one thread.
    /// - Parameters:
    ///   - placed: called as soon as it is known where everything will lie and before anything is written, for work beside
    ///     the writing that does not count until this function has returned. Not called when there is no room.
    ///   - written: called when all is handed to the operating system, before the sync.
    package func append(
        _ batch: [NewEntry], placed: ([Place]) -> Void = { _ in }, written: () -> Void = {}
    ) throws(VolumeFailure) -> [Place] {
        try writer.withLock { (writer) throws(VolumeFailure) in
            try writer.append(batch, placed: placed, written: written)
        }
    }

    /// Makes a volume ready in background, so that the first object to come does not wait for one.
    package func prepare() { writer.withLock { $0.prepare() } }

    /// Begins an object that does not fit into memory. From any thread.
    package func beginStream(announcedLength: Int64? = nil) throws(VolumeFailure) -> StreamedEntry {
        guard !writer.withLock({ $0.isClosed }) else { throw .closed }
        return try StreamedEntry(directory: directory, options: options, sealer: sealer, announced: announcedLength)
    }

    // MARK: Reading

    /// `count` bytes of a Part 10 file from `offset` in it, fewer where it ends; `.erased` when it was deleted.
    package func read(_ place: Place, from offset: Int64 = 0, count: Int) throws(VolumeFailure) -> [UInt8] {
        let wanted = max(0, min(Int64(count), place.length - max(0, offset)))
        let file = try readers.file(place.volume)
        let bytes = wanted > 0 ? try file.read(at: place.bodyOffset + max(0, offset), count: Int(wanted)) : []
        try confirm(file, place)
        guard bytes.count == Int(wanted) else {
            throw .corrupt(volume: place.volume, offset: place.bodyOffset, reason: "body is cut off")
        }
        return bytes
    }

    /// The same, appended to memory of the caller without a copy in between; the range lies inside the file.
    package func read(
        _ place: Place, from offset: Int64, count: Int, into buffer: inout OutputRawSpan
    ) throws(VolumeFailure) {
        guard offset >= 0, count >= 0, offset + Int64(count) <= place.length, count <= buffer.freeCapacity else {
            throw .corrupt(volume: place.volume, offset: place.bodyOffset, reason: "range outside the body")
        }
        let file = try readers.file(place.volume)
        let done = try file.read(at: place.bodyOffset + offset, count: count, into: &buffer)
        try confirm(file, place)
        guard done == count else {
            throw .corrupt(volume: place.volume, offset: place.bodyOffset, reason: "body is cut off")
        }
    }

    /// That the entry was not erased. Looked at after the body: an erasure marks the name before it empties the body.
    private func confirm(_ file: VolumeFile, _ place: Place) throws(VolumeFailure) {
        let headerOffset = place.bodyOffset - Int64(TarBlock.size)
        guard let block = TarBlock(try file.read(at: headerOffset, count: TarBlock.size)[...]) else {
            throw .corrupt(volume: place.volume, offset: headerOffset, reason: "no file header")
        }
        if block.prefix.hasPrefix(EntryHeader.erasedPrefix) { throw .erased }
    }

    /// Whether the whole Part 10 file at `place` has this SHA-256; `.erased` when it was deleted.
    package func verify(_ place: Place, digest: [UInt8]) throws(VolumeFailure) -> Bool {
        let scan = VolumeScan(file: try readers.file(place.volume), size: place.end, nonce: .unknown)
        let found = try scan.digest(of: place)
        _ = try read(place, count: 0)
        return found == digest
    }

    /// All volumes, by number.
    package func volumes() throws(VolumeFailure) -> [VolumeInfo] {
        let tails = writer.withLock { $0.tails }
        var volumes: [VolumeInfo] = []
        for number in try directory.numbers() {
            do throws(VolumeFailure) {
                let file = try directory.open(number, .read)
                let size = try file.status().size
                let isSealed = try directory.isSealed(file)
                volumes.append(VolumeInfo(number: number, size: size, tail: tails[number], isSealed: isSealed))
            } catch {
                // An empty volume that its owner removed meanwhile.
                if error != .notFound(volume: number) { throw error }
            }
        }
        return volumes
    }

    /// Walks the entries of a volume from `start`, whoever writes it, until `visit` returns false. Damage is passed
    /// by and reported. An unsealed volume without a living writer should be recovered first: its last batch may
    /// be torn. `.notFound` when the volume is gone, as an empty or revoked one may be at any moment: skip it.
    package func entries(
        volume number: Int, from start: Int64 = 0, verifyBodies: Bool = false, visit: (VolumeEntry) -> Bool
    ) throws(VolumeFailure) -> ScanSummary {
        let file = try directory.open(number, .read)
        var scan = try directory.scan(file, size: try file.status().size)
        return try scan.run(
            from: start, verifyBodies: verifyBodies, isSealed: try directory.isSealed(file), visit: visit)
    }

    /// End of the entries from `start` on that are whole, on stable storage when this returns, whoever writes the volume:
    /// what another process has written but not synced yet must not be counted on.
    package func confirm(volume number: Int, from start: Int64) throws(VolumeFailure) -> Int64 {
        let file = try directory.open(number, .readWrite)
        var scan = try directory.scan(file, size: try file.status().size)
        var end = start
        _ = try scan.run(from: start, verifyBodies: true, isSealed: false) { entry in
            guard entry.isErased || entry.isIntact == true else { return false }
            end = entry.place.end
            return true
        }
        try file.synchronize()
        return end
    }

    /// Whether a sealed volume is there for good: waits while somebody has it locked, for a streamed object may be taken
    /// back until it is enrolled.
    package func isKept(volume number: Int) throws(VolumeFailure) -> Bool {
        do throws(VolumeFailure) {
            let file = try directory.open(number, .read)
            _ = try directory.fileSystem.lock(file.descriptor, waiting: true)
            defer { directory.fileSystem.unlock(file.descriptor) }
            return try file.status().links > 0
        } catch {
            if error == .notFound(volume: number) { return false }
            throw error
        }
    }

    // MARK: Deleting

    /// Deletes entries: names marked, bodies emptied, both durable on return. Repeating it does no harm. From any
    /// thread and on any volume; sealed ones are listed anew in background (`finishSealing` waits for that). What
    /// fails does not save the rest: all is erased that can be, then the first failure is thrown.
    package func erase(_ places: [Place]) throws(VolumeFailure) {
        var failure: VolumeFailure?
        for (number, places) in Dictionary(grouping: places, by: \.volume).sorted(by: { $0.key < $1.key }) {
            sealer.beginErasing(number)
            defer { sealer.endErasing(number) }
            do throws(VolumeFailure) {
                try Erasure(directory: directory, number: number).erase(places)
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }

    /// Writes the manifests that are missing. Reads those volumes whole: for a thread that may take its time.
    package func refreshSeals() throws(VolumeFailure) { try sealer.refresh() }

    /// Waits until all handed-over volumes are sealed; throws what went wrong with one of them.
    package func finishSealing() throws(VolumeFailure) { try sealer.wait() }

    // MARK: Recovery

    /// Takes over a volume after a crash or a restart: finds the entries at and after `enrolledTo` (0 when nothing
    /// is known), clears a torn tail, and appends here from now on. Sealed volumes are only looked through; where nothing
    /// is known of one, by its headers alone: it was whole when it was sealed, and an archive is not digested before it
    /// answers. Nil when another process holds the volume or has removed it.
    package func recover(volume number: Int, from enrolledTo: Int64) throws(VolumeFailure) -> Recovery? {
        do throws(VolumeFailure) {
            return try recoverPresent(number, from: enrolledTo)
        } catch {
            if error == .notFound(volume: number) { return nil }
            throw error
        }
    }

    private func recoverPresent(_ number: Int, from enrolledTo: Int64) throws(VolumeFailure) -> Recovery? {
        let probe = try directory.open(number, .read)
        if writer.withLock({ $0.tails[number] != nil }) {
            return try lookThrough(probe, from: enrolledTo, isSealed: false)
        }
        if try directory.isSealed(probe) { return try lookThroughSealed(probe, from: enrolledTo) }
        return try writer.withLock { (writer) throws(VolumeFailure) in
            guard !writer.isClosed else { throw .closed }
            let file = try directory.open(number, .readWrite)
            guard try file.tryLock() else { return nil }
            // Its owner may have sealed it between the two looks.
            if try directory.isSealed(file) { return try lookThrough(file, from: enrolledTo, isSealed: true) }
            return try takeOver(file, from: enrolledTo, &writer)
        }
    }

    private func lookThroughSealed(_ file: VolumeFile, from enrolledTo: Int64) throws(VolumeFailure) -> Recovery {
        let size = try file.status().size
        guard enrolledTo <= size else {
            let flaw = VolumeFailure.corrupt(volume: file.number, offset: size, reason: "shorter than enrolled")
            return Recovery(entries: [], tail: size, flaw: flaw, isAdopted: false)
        }
        var scan = try directory.scan(file, size: size)
        if TarBlock.archiveSize(tail: enrolledTo) == size, case .end = try scan.header(at: enrolledTo) {
            return Recovery(entries: [], tail: enrolledTo, flaw: nil, isAdopted: false)
        }
        // The lock tells apart what a dead process left and what a living one is about to enroll or to remove.
        _ = try directory.fileSystem.lock(file.descriptor, waiting: true)
        defer { directory.fileSystem.unlock(file.descriptor) }
        guard try file.status().links > 0 else { throw .notFound(volume: file.number) }
        return try lookThrough(file, from: enrolledTo, isSealed: true)
    }

    private func lookThrough(
        _ file: VolumeFile, from enrolledTo: Int64, isSealed: Bool
    ) throws(VolumeFailure) -> Recovery {
        var entries: [VolumeEntry] = []
        var scan = try directory.scan(file, size: try file.status().size)
        let digests = !isSealed || enrolledTo > 0
        let summary = try scan.run(from: enrolledTo, verifyBodies: digests, isSealed: isSealed) { entry in
            if !entry.isErased, entry.isIntact != false { entries.append(entry) }
            return true
        }
        return Recovery(entries: entries, tail: summary.end, flaw: summary.flaws.first, isAdopted: false)
    }

    private func takeOver(
        _ file: VolumeFile, from enrolledTo: Int64, _ writer: inout Writer
    ) throws(VolumeFailure) -> Recovery {
        let size = try file.status().size
        var search = TailSearch(scan: try directory.scan(file, size: size), number: file.number)
        let found = try search.run(enrolledTo: enrolledTo)
        if let flaw = found.flaw {
            try file.synchronize()
            return Recovery(entries: found.entries, tail: found.tail, flaw: flaw, isAdopted: false)
        }
        let carried = found.tail > 0 ? try search.scan.nonceOfFirst() : nil
        let nonce = if let carried { carried } else { try directory.nonceForAppending(to: file.number) }
        let least = TarBlock.archiveSize(tail: found.tail)
        if size > found.tail, try directory.fileSystem.nextData(file.descriptor, from: found.tail) != nil {
            try file.zero(from: found.tail, size: size)
        }
        if size < least { try directory.fileSystem.truncate(file.descriptor, to: least) }
        // What the dead process wrote may have been in memory only: it is enrolled after this.
        try file.synchronize()
        // A full disk keeps the volume from being appended to, not what it holds from being enrolled.
        let isAdopted = (try? writer.adopt(file, nonce: nonce, tail: found.tail, size: max(size, least))) != nil
        return Recovery(entries: found.entries, tail: found.tail, flaw: nil, isAdopted: isAdopted)
    }
}

/// Open volumes for reading, a bounded number of them.
final class Readers: Sendable {
    private static let limit = 128

    private let directory: VolumeDirectory
    private let files = Mutex<[Int: VolumeFile]>([:])

    init(directory: VolumeDirectory) {
        self.directory = directory
    }

    func file(_ number: Int) throws(VolumeFailure) -> VolumeFile {
        if let file = files.withLock({ $0[number] }) {
            // One that lost its name was taken back, or replaced by a restored copy.
            if try file.status().links > 0 { return file }
            files.withLock { if $0[number] === file { $0[number] = nil } }
        }
        let file = try directory.open(number, .read)
        files.withLock { files in
            // Those in use stay open for their users; which one is closed matters little at this number.
            if files.count >= Self.limit, let some = files.keys.first { files[some] = nil }
            files[number] = file
        }
        return file
    }
}
