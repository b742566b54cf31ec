// Brings the catalogue up to the volumes: at start-up the little that a crash left behind, in a rebuild everything.

package import Catalog
import DICOMCore
package import Volumes

/// Enrolls entries that lie in volumes already.
package struct Replay {
    private let volumes: VolumeStore
    private let catalog: CatalogStore
    private let limits: IngestLimits

    /// What a replay came to.
    package struct Summary: Sendable, Equatable {
        package var enrolled = 0
        /// Whole entries whose header cannot be read any more.
        package var unreadable = 0
        /// Damage met on the way, for the log.
        package var flaws: [VolumeFailure] = []
    }

    private static let batch = 512

    package init(volumes: VolumeStore, catalog: CatalogStore, limits: IngestLimits = .init()) {
        self.volumes = volumes
        self.catalog = catalog
        self.limits = limits
    }

    /// Takes over volumes that no living process holds and enrolls what lies behind the position known for each.
    package func catchUp() throws -> Summary {
        var summary = Summary()
        let positions = try catalog.enrolledPositions()
        for info in try volumes.volumes() {
            try tolerant(info, &summary) { summary in
                let start = positions[info.number] ?? 0
                guard let recovery = try volumes.recover(volume: info.number, from: start) else { return }
                if let flaw = recovery.flaw { summary.flaws.append(flaw) }
                for start in stride(from: 0, to: recovery.entries.count, by: Self.batch) {
                    let part = recovery.entries[start..<min(start + Self.batch, recovery.entries.count)]
                    try enroll(part, &summary)
                }
                // A damaged volume keeps its position, so that every start tells of it again.
                if recovery.flaw == nil { _ = try catalog.enroll([], enrolledTo: [info.number: recovery.tail]) }
            }
        }
        return summary
    }

    /// Enrolls every entry of every volume, whoever writes it.
    /// - Parameters:
    ///   - positions: where to begin in each volume.
    ///   - ends: where to stop in volumes that a living process writes: what lies behind is not acknowledged yet.
    package func everything(
        after positions: [Int: Int64] = [:], upTo ends: [Int: Int64] = [:], progress: (Int) -> Void = { _ in }
    ) throws -> Summary {
        var summary = Summary()
        for info in try volumes.volumes() {
            try tolerant(info, &summary) { summary in
                let range = (positions[info.number] ?? 0)..<max(positions[info.number] ?? 0, ends[info.number] ?? .max)
                try enrollAll(of: info.number, in: range, &summary, progress)
            }
        }
        return summary
    }

    private func enrollAll(
        of volume: Int, in range: Range<Int64>, _ summary: inout Summary, _ progress: (Int) -> Void
    ) throws {
        var waiting: [VolumeEntry] = []
        var failure: (any Error)?
        var reached = range.lowerBound
        let scan = try volumes.entries(volume: volume, from: range.lowerBound) { entry in
            guard entry.place.end <= range.upperBound else { return false }
            reached = entry.place.end
            if !entry.isErased { waiting.append(entry) }
            guard waiting.count >= Self.batch else { return true }
            do { try enroll(waiting[...], &summary) } catch { failure = error }
            waiting.removeAll(keepingCapacity: true)
            progress(summary.enrolled)
            return failure == nil
        }
        if let failure { throw failure }
        try enroll(waiting[...], &summary)
        progress(summary.enrolled)
        _ = try catalog.enroll([], enrolledTo: [volume: reached])
        summary.flaws.append(contentsOf: scan.flaws)
    }

    /// What is wrong with one volume does not keep the others from being read. Another process may also remove an empty
    /// volume, or one whose object it did not want, between two looks.
    private func tolerant(
        _ info: VolumeInfo, _ summary: inout Summary, _ work: (inout Summary) throws -> Void
    ) throws {
        do { try work(&summary) } catch let failure as VolumeFailure {
            if failure != .notFound(volume: info.number) { summary.flaws.append(failure) }
        }
    }

    private func enroll(_ entries: ArraySlice<VolumeEntry>, _ summary: inout Summary) throws {
        var batch: [Enrollment] = []
        for entry in entries {
            do {
                let reading = try reading(of: entry)
                let receipt = entry.facts.receipt
                batch.append(
                    Enrollment(
                        facts: reading.facts, place: entry.place, dataSetOffset: reading.dataSetOffset,
                        digest: entry.facts.digest, receivedAt: receipt.receivedAt, source: receipt.source))
            } catch is IngestFailure {
                summary.unreadable += 1
            } catch VolumeFailure.erased {
                // Deleted between the scan and the reading.
            } catch is VolumeFailure {
                summary.unreadable += 1
            }
        }
        let surplus = try catalog.enroll(batch, enrolledTo: [:]).compactMap { outcome -> Place? in
            if case .duplicate(let place) = outcome { place } else { nil }
        }
        if !surplus.isEmpty { try volumes.erase(surplus) }
        summary.enrolled += batch.count - surplus.count
    }

    /// Reads as much of an entry as its header takes: what cannot be read from its beginning may be readable from more.
    private func reading(of entry: VolumeEntry) throws -> Inspected.Reading {
        let most = entry.place.length > limits.streamThreshold ? limits.inspectedPrefix : Int(entry.place.length)
        var count = min(64 << 10, most)
        while true {
            let bytes = try volumes.read(entry.place, count: count)
            let isWhole = Int64(count) == entry.place.length
            do throws(IngestFailure) {
                let reading = try Inspected.reading(
                    of: bytes, isWhole: isWhole, dataSetOffset: entry.facts.receipt.dataSetOffset, announced: nil)
                if reading.reachedPixelData || count >= most { return reading }
            } catch {
                if count >= most { throw error }
            }
            count = min(count * 8, most)
        }
    }
}
