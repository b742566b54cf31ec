// Makes the catalogue anew from the volumes alone, beside the old one, and swaps it in at the end.

import Catalog
import Encounters
import Foundation
import Ingest
import Logging
import Records
import Volumes

/// The outcome of a rebuild.
package struct RebuildResult: Sendable, Equatable {
    package let instances: Int
    /// Entries whose header cannot be read.
    package let unreadable: Int
    /// Damage met in the volumes, for a person to read.
    package let damages: [String]
}

/// One rebuild of one archive's index. Works while a server runs, which meanwhile goes on with the old index.
package struct IndexRebuild {
    private let folder: ArchiveFolder
    private let configuration: Configuration

    package init(_ folder: ArchiveFolder, configuration: Configuration) {
        self.folder = folder
        self.configuration = configuration
    }

    package func run(progress: (Int) -> Void) throws -> RebuildResult {
        guard folder.exists else { throw ArchiveError.noArchive(folder.path) }
        guard let lock = try FolderLock(folder.maintenanceLock) else {
            throw ArchiveError.inUse("\(folder.path): another rebuild or deletion is running")
        }
        defer { withExtendedLifetime(lock) {} }
        let volumes = try VolumeStore(
            directory: folder.volumes,
            options: VolumeOptions(
                volumeSize: configuration.storage.volumeSize.bytes, reserve: configuration.storage.reserve.bytes))
        defer { volumes.close() }
        try setDamagedAside()
        let live = try CatalogStore(path: folder.catalog)
        let ends = try endsAtFirst(volumes, live)
        let fresh = folder.catalog + ".rebuilding"
        removeDatabase(fresh)
        defer { removeDatabase(fresh) }
        let rebuilt = try CatalogStore(path: fresh)
        try rebuilt.adoptErasures(of: live)
        // No volume knows what was corrected. First, so that every study is shown right from its first instance on.
        try restoreCorrections(in: rebuilt)
        let limits = IngestLimits(configuration)
        let summary = try Replay(volumes: volumes, catalog: rebuilt, limits: limits)
            .everything(upTo: ends, progress: progress)
        try restoreDecisions(in: rebuilt)
        try restoreCorrections(in: rebuilt)
        let positions = try rebuilt.enrolledPositions()
        try live.replace(with: rebuilt)
        try rebuilt.close()
        // What was received while we read lies behind the positions read then. The live ones may have moved on already.
        let late = try Replay(volumes: volumes, catalog: live, limits: limits)
            .everything(after: positions, upTo: try endsAtLast(volumes, after: positions))
        try restoreDecisions(in: live)
        let instances = try live.statistics().instances
        try live.close()
        return RebuildResult(
            instances: instances, unreadable: summary.unreadable + late.unreadable,
            damages: Set((summary.flaws + late.flaws).map { "\($0)" }).sorted())
    }

    /// Clears the torn tail of every volume that nobody writes: a batch of a dead process must not be taken for one that
    /// was acknowledged. Of the others only what their writers have enrolled is read. Volumes that come into being after
    /// this are left to the last look.
    private func endsAtFirst(_ volumes: VolumeStore, _ live: CatalogStore) throws -> [Int: Int64] {
        let known = try live.enrolledPositions()
        var ends: [Int: Int64] = [:]
        for info in try volumes.volumes() {
            ends[info.number] = .max
            do throws(VolumeFailure) {
                if info.isSealed {
                    // Nothing of it is enrolled: a streamed object that its owner may be about to remove.
                    guard known[info.number] == nil else { continue }
                    if try !volumes.isKept(volume: info.number) { ends[info.number] = nil }
                } else if try volumes.recover(volume: info.number, from: known[info.number] ?? 0) == nil {
                    ends[info.number] = known[info.number] ?? 0
                }
            } catch {
                // What is wrong with it shows again when it is read.
            }
        }
        return ends
    }

    /// Where what has been written to living volumes meanwhile ends, on stable storage: a batch that its writer is still
    /// syncing must not be enrolled on hope.
    private func endsAtLast(_ volumes: VolumeStore, after positions: [Int: Int64]) throws -> [Int: Int64] {
        var ends: [Int: Int64] = [:]
        for info in try volumes.volumes() {
            let known = positions[info.number]
            do throws(VolumeFailure) {
                if !info.isSealed {
                    ends[info.number] = try volumes.confirm(volume: info.number, from: known ?? 0)
                } else if known != nil {
                    ends[info.number] = .max
                } else if try volumes.isKept(volume: info.number) {
                    ends[info.number] = .max
                }
            } catch {
                // Removed meanwhile, or it cannot be read: then nothing of it is enrolled now.
                ends[info.number] = known ?? 0
            }
        }
        return ends
    }

    /// A catalogue that cannot even be opened is kept for whoever wants to know why, under another name.
    private func setDamagedAside() throws {
        do {
            let catalog = try CatalogStore(path: folder.catalog)
            let complaints = try catalog.integrityCheck()
            try catalog.close()
            if complaints.isEmpty { return }
        } catch CatalogError.newerSchema(let version) {
            throw CatalogError.newerSchema(version: version)
        } catch {
            // Cannot be opened or read: the reason does not matter for what follows.
        }
        guard let lock = try FolderLock(folder.serverLock) else {
            throw ArchiveError.inUse("the catalogue is damaged; stop the server, then rebuild")
        }
        defer { withExtendedLifetime(lock) {} }
        let stamp = Int(Date().timeIntervalSince1970)
        for suffix in ["", "-wal", "-shm"] where FileManager.default.fileExists(atPath: folder.catalog + suffix) {
            try FileManager.default.moveItem(
                atPath: folder.catalog + suffix, toPath: folder.catalog + ".damaged-\(stamp)" + suffix)
        }
    }

    /// People's choices between conflicting copies are in the records, since no volume knows them.
    private func restoreDecisions(in catalog: CatalogStore) throws {
        let records = try RecordStore(path: folder.records)
        for decision in try records.decisions() {
            do {
                _ = try catalog.resolveConflict(sopInstanceUID: decision.sopInstanceUID, keep: decision.digest)
            } catch CatalogError.notFound {
                // The copy was deleted since.
            }
        }
    }

    private func restoreCorrections(in catalog: CatalogStore) throws {
        let encounters = Encounters(
            records: try RecordStore(path: folder.records), settings: OrderSettings(configuration.hospital))
        try Corrections(catalog: catalog, encounters: encounters).project()
        try encounters.records.close()
    }

    private func removeDatabase(_ path: String) {
        for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) }
    }
}

extension IngestLimits {
    package init(_ configuration: Configuration) {
        self.init()
        streamThreshold = Int(configuration.storage.streamThreshold.bytes)
        acceptsUnknownSOPClasses = configuration.dicom.acceptUnknownSOPClasses
    }
}
