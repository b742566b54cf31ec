// Brings the catalogue up to the volumes: at start-up the little that a crash left behind, in a rebuild everything.

package import Catalog
import DICOMCore
package import Volumes

/// Enrolls entries that lie in volumes already.
package struct Replay: Sendable {
    private let volumes: VolumeStore
    private let catalog: CatalogStore
    private let limits: IngestLimits
    private let batch: Int

    /// What a replay came to.
    package struct Summary: Sendable, Equatable {
        package var enrolled = 0
        /// Whole entries whose header cannot be read any more.
        package var unreadable = 0
        /// Damage met on the way, for the log.
        package var flaws: [VolumeFailure] = []

        package init(enrolled: Int = 0, unreadable: Int = 0, flaws: [VolumeFailure] = []) {
            self.enrolled = enrolled
            self.unreadable = unreadable
            self.flaws = flaws
        }
    }

    /// Bytes of one batch that are in memory before they are read.
    private static let batchBytes = 8 << 20
    /// Bytes that are read where those that came along with an entry do not reach as far as its header.
    private static let first = 64 << 10

    /// - Parameter batch: how many entries are enrolled together at most.
    package init(volumes: VolumeStore, catalog: CatalogStore, limits: IngestLimits = .init(), batch: Int = 512) {
        self.volumes = volumes
        self.catalog = catalog
        self.limits = limits
        self.batch = batch
    }

    /// Takes over volumes that no living process holds and enrolls what lies behind the position known for each.
    package func catchUp() throws -> Summary {
        var summary = Summary()
        let positions = try catalog.enrolledPositions()
        for info in try volumes.volumes() {
            do {
                // Taken over only when all before it is enrolled: an erasure meanwhile could look like a torn tail.
                guard let recovery = try volumes.recover(volume: info.number, from: positions[info.number] ?? 0)
                else { continue }
                if let flaw = recovery.flaw { summary.flaws.append(flaw) }
                try enroll(recovery, of: info.number, &summary)
            } catch let failure as VolumeFailure {
                note(failure, of: info.number, &summary)
            }
        }
        return summary
    }

    private func enroll(_ recovery: Recovery, of volume: Int, _ summary: inout Summary) throws {
        if !recovery.entries.isEmpty {
            try ReplayLine.run(
                walk: { line in
                    let entries = recovery.entries
                    for start in stride(from: 0, to: entries.count, by: batch) where line.isOpen {
                        let part = entries[start..<min(start + batch, entries.count)]
                        line.put(.batch(ReplayBatch(volume: volume, part.map { MetEntry(entry: $0) })))
                    }
                }, read: readings(of:)
            ) { step in
                if case .batch(let batch) = step { try enroll(batch.reading(), &summary) }
            }
        }
        // A damaged volume keeps its position, so that every start tells of it again.
        if recovery.flaw == nil { _ = try catalog.enroll([], enrolledTo: [volume: recovery.tail]) }
    }

    /// Enrolls every entry of every volume, whoever writes it.
    /// - Parameters:
    ///   - positions: where to begin in each volume.
    ///   - ends: where to stop in each volume: what a living process writes behind is not acknowledged yet. Volumes that
    ///     are not named are passed over. Nil where nobody writes: everything is read.
    ///   - progress: told how many are enrolled, on the caller's thread.
    package func everything(
        after positions: [Int: Int64] = [:], upTo ends: [Int: Int64]? = nil, progress: (Int) -> Void = { _ in }
    ) throws -> Summary {
        var summary = Summary()
        // A volume whose surplus could not be erased: the rest of it is passed over, and its position stays.
        var abandoned: Int?
        try ReplayLine.run(
            walk: { line in
                do throws(VolumeFailure) {
                    for info in try volumes.volumes() where line.isOpen {
                        guard let end = ends == nil ? Int64.max : ends?[info.number] else { continue }
                        let start = positions[info.number] ?? 0
                        walk(info.number, in: start..<max(start, end), line)
                    }
                } catch {
                    line.put(.failed(error))
                }
            }, read: readings(of:)
        ) { step in
            switch step {
            case .batch(let batch) where batch.volume != abandoned:
                do {
                    try enroll(batch.reading(), &summary)
                } catch let failure as VolumeFailure {
                    abandoned = batch.volume
                    note(failure, of: batch.volume, &summary)
                }
                progress(summary.enrolled)
            case .ended(let volume, let reached, let flaws) where volume != abandoned:
                _ = try catalog.enroll([], enrolledTo: [volume: reached])
                summary.flaws.append(contentsOf: flaws)
            case .broken(let volume, let failure): note(failure, of: volume, &summary)
            case .failed(let failure): throw failure
            case .batch, .ended: break
            }
        }
        return summary
    }

    /// Sends the entries of one volume down the line.
    private func walk(_ volume: Int, in range: Range<Int64>, _ line: ReplayLine) {
        var waiting: [MetEntry] = []
        var bytes = 0
        var reached = range.lowerBound
        func hand() {
            if !waiting.isEmpty { line.put(.batch(ReplayBatch(volume: volume, waiting))) }
            waiting = []
            bytes = 0
        }
        do throws(VolumeFailure) {
            let scan = try volumes.met(volume: volume, from: range.lowerBound) { met in
                guard met.entry.place.end <= range.upperBound else { return false }
                reached = met.entry.place.end
                if !met.entry.isErased {
                    waiting.append(met)
                    bytes += met.beginning.count
                }
                if waiting.count >= batch || bytes >= Self.batchBytes { hand() }
                return line.isOpen
            }
            hand()
            line.put(.ended(volume: volume, reached: reached, flaws: scan.flaws))
        } catch {
            hand()
            line.put(.broken(volume: volume, error))
        }
    }

    /// What is wrong with one volume does not keep the others from being read. Another process may also remove an empty
    /// volume, or one whose object it did not want, between two looks.
    private func note(_ failure: VolumeFailure, of volume: Int, _ summary: inout Summary) {
        if failure != .notFound(volume: volume) { summary.flaws.append(failure) }
    }

    private func enroll(_ reading: ReplayBatch.Reading, _ summary: inout Summary) throws {
        summary.unreadable += reading.unreadable
        summary.enrolled += reading.enrollments.count
        var spare: [Place] = []
        for (enrollment, outcome) in zip(
            reading.enrollments, try catalog.enroll(reading.enrollments, enrolledTo: [:]))
        {
            guard case .duplicate(let surplus) = outcome else { continue }
            summary.enrolled -= 1
            if try isSpare(surplus, of: enrollment, &summary) { spare.append(surplus) }
        }
        if !spare.isEmpty { try volumes.erase(spare) }
    }

    // MARK: - What is there twice

    /// Whether a surplus may be erased: the copy that is kept instead is read and whole. One that has rotted, or that has
    /// been replaced and erased since it was enrolled, makes way for the surplus; where both have rotted, both stay.
    private func isSpare(_ surplus: Place, of enrollment: Enrollment, _ summary: inout Summary) throws -> Bool {
        let (uid, digest) = (enrollment.facts.sopInstanceUID, enrollment.digest)
        let copies = try catalog.copies(sopInstanceUID: uid)
        // Deleted by somebody just now, and then all of it.
        guard let kept = copies.first(where: { $0.digest == digest })?.place else { return true }
        if kept == surplus { return false }
        if try volumes.isSound(kept, digest: digest) { return true }
        guard try volumes.isSound(surplus, digest: digest), var heir = try self.enrollment(at: surplus) else {
            let reason = "body has another digest"
            summary.flaws.append(.corrupt(volume: kept.volume, offset: kept.entryOffset, reason: reason))
            return false
        }
        heir.replaced = [kept]
        _ = try catalog.enroll([heir], enrolledTo: [:])
        do throws(VolumeFailure) { try volumes.erase([kept]) } catch {
            // What cannot be erased now stays on the list for the next start; a volume that is gone took its bytes along.
            guard error == .notFound(volume: kept.volume) else { return false }
        }
        try catalog.finishErasure(at: kept)
        return false
    }

    /// What the entry at a place says; nil when there is none, or its header cannot be read.
    private func enrollment(at place: Place) throws -> Enrollment? {
        var found: VolumeEntry?
        _ = try volumes.entries(volume: place.volume, from: place.entryOffset) {
            found = $0
            return false
        }
        guard let found, found.place == place, !found.isErased else { return nil }
        return readings(of: [MetEntry(entry: found)]).enrollments.first
    }

    // MARK: - Reading headers, on several threads

    private func readings(of entries: [MetEntry]) -> ReplayBatch.Reading {
        var result = ReplayBatch.Reading()
        result.enrollments.reserveCapacity(entries.count)
        for met in entries {
            do {
                let reading = try reading(of: met)
                let entry = met.entry
                let receipt = entry.facts.receipt
                result.enrollments.append(
                    Enrollment(
                        facts: reading.facts, place: entry.place, dataSetOffset: reading.dataSetOffset,
                        digest: entry.facts.digest, receivedAt: receipt.receivedAt, source: receipt.source))
            } catch VolumeFailure.erased {
                // Deleted between the walk and the reading.
            } catch {
                result.unreadable += 1
            }
        }
        return result
    }

    /// Reads as much of an entry as its header takes: what cannot be read from its beginning may be readable from more.
    private func reading(of met: MetEntry) throws -> Inspected.Reading {
        let entry = met.entry
        let most = entry.place.length > limits.streamThreshold ? limits.inspectedPrefix : Int(entry.place.length)
        if let reading = try glance(at: met, most: most) { return reading }
        var count = min(Self.first, most)
        while true {
            let bytes = try volumes.read(entry.place, count: count)
            do throws(IngestFailure) {
                let reading = try inspect(bytes, of: entry)
                if reading.reachedPixelData || count >= most { return reading }
            } catch {
                if count >= most { throw error }
            }
            count = min(count * 8, most)
        }
    }

    /// The header by what came along with the entry, when that is all of it; nil when more should be read. What looks
    /// damaged may look so because it is cut off.
    private func glance(at met: MetEntry, most: Int) throws -> Inspected.Reading? {
        guard !met.beginning.isEmpty, let reading = try? inspect(Array(met.beginning.prefix(most)), of: met.entry)
        else { return nil }
        let isEnough = reading.reachedPixelData && !reading.facts.flaws.contains(.header)
        guard isEnough || met.beginning.count >= most else { return nil }
        // It may have been deleted, and its body emptied, just when it was read.
        _ = try volumes.read(met.entry.place, count: 0)
        return reading
    }

    private func inspect(_ bytes: [UInt8], of entry: VolumeEntry) throws(IngestFailure) -> Inspected.Reading {
        try Inspected.reading(
            of: bytes, isWhole: Int64(bytes.count) == entry.place.length,
            dataSetOffset: entry.facts.receipt.dataSetOffset, announced: nil)
    }
}
