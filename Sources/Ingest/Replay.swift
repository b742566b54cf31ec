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
            guard let recovery = try volumes.recover(volume: info.number, from: positions[info.number] ?? 0) else {
                continue
            }
            if let flaw = recovery.flaw { summary.flaws.append(flaw) }
            for start in stride(from: 0, to: recovery.entries.count, by: Self.batch) {
                let part = recovery.entries[start..<min(start + Self.batch, recovery.entries.count)]
                try enroll(Array(part), &summary)
            }
            if recovery.flaw == nil { _ = try catalog.enroll([], enrolledTo: [info.number: recovery.tail]) }
        }
        return summary
    }

    /// Enrolls every entry of every volume, whoever writes it, from the position given for each.
    package func everything(
        after positions: [Int: Int64] = [:], progress: (Int) -> Void = { _ in }
    ) throws -> Summary {
        var summary = Summary()
        for info in try volumes.volumes() {
            var waiting: [VolumeEntry] = []
            var failure: (any Error)?
            let scan = try volumes.entries(volume: info.number, from: positions[info.number] ?? 0) { entry in
                if !entry.isErased { waiting.append(entry) }
                guard waiting.count >= Self.batch else { return true }
                do { try enroll(waiting, &summary) } catch { failure = error }
                waiting.removeAll(keepingCapacity: true)
                progress(summary.enrolled)
                return failure == nil
            }
            if let failure { throw failure }
            try enroll(waiting, &summary)
            progress(summary.enrolled)
            _ = try catalog.enroll([], enrolledTo: [info.number: scan.end])
            summary.flaws.append(contentsOf: scan.flaws)
        }
        return summary
    }

    private func enroll(_ entries: [VolumeEntry], _ summary: inout Summary) throws {
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
            }
        }
        let surplus = try catalog.enroll(batch, enrolledTo: CommitLine.ends(batch)).compactMap { outcome -> Place? in
            if case .duplicate(let place) = outcome { place } else { nil }
        }
        if !surplus.isEmpty { try volumes.erase(surplus) }
        summary.enrolled += batch.count - surplus.count
    }

    /// Reads as much of an entry as its header takes.
    private func reading(of entry: VolumeEntry) throws -> Inspected.Reading {
        let most = entry.place.length > limits.streamThreshold ? limits.inspectedPrefix : Int(entry.place.length)
        var count = min(64 << 10, most)
        while true {
            let bytes = try volumes.read(entry.place, count: count)
            let isWhole = Int64(count) == entry.place.length
            let reading = try Inspected.reading(of: bytes, isWhole: isWhole, announced: nil)
            if reading.reachedPixelData || count >= most { return reading }
            count = min(count * 8, most)
        }
    }
}
