// Takes objects out of the archive for good: out of the catalogue first, then out of their volumes.

package import Catalog
package import Volumes

/// Why nothing, or not all, was deleted.
package enum DeletionFailure: Error, Sendable {
    /// The index is being made anew from the volumes; what leaves them meanwhile could come back.
    case rebuilding
    case catalog(CatalogError)
    case volume(VolumeFailure)
}

/// What left the archive.
package struct Deleted: Sendable {
    package let instances: Int
    package let bytes: Int64
    /// Why the bytes are still in a volume, out of sight: the next start erases them. Nil when they are gone.
    package let pending: DeletionFailure?
}

/// The deletion of instances, restartable between its two steps.
package struct Deletion: Sendable {
    /// Runs a body while no index is being rebuilt; false, and nothing was run, while one is. Deletions do not exclude each
    /// other: each takes its own rows out in one transaction, and erasing twice does no harm.
    package typealias Exclusion = @Sendable (_ body: () -> Void) -> Bool

    /// Is told of each series that lost instances, and of which, so that nothing made from them is kept.
    package typealias Forgetting = @Sendable (_ study: String, _ series: String, _ instances: [String]) -> Void

    private struct SeriesName: Hashable {
        let study: String
        let series: String
    }

    private let catalog: CatalogStore
    private let volumes: VolumeStore
    private let exclusion: Exclusion
    private let forget: Forgetting

    package init(
        catalog: CatalogStore, volumes: VolumeStore, forget: @escaping Forgetting, exclusion: @escaping Exclusion
    ) {
        self.catalog = catalog
        self.volumes = volumes
        self.forget = forget
        self.exclusion = exclusion
    }

    /// Deletes every copy in scope; what this throws has left everything as it was.
    package func delete(_ scope: Scope) throws(DeletionFailure) -> Deleted {
        try exclusively { () throws(DeletionFailure) in
            let instances: [StoredInstance]
            do throws(CatalogError) { instances = try catalog.instances(scope) } catch { throw .catalog(error) }
            return try erase(instances) { () throws(CatalogError) in try catalog.beginErasure(scope) }
        }
    }

    /// Deletes these very copies, as far as they are still what is shown of their UIDs; other contents of the same UIDs stay.
    package func delete(copies: [StoredInstance]) throws(DeletionFailure) -> Deleted {
        try exclusively { () throws(DeletionFailure) in
            try erase(copies) { () throws(CatalogError) in try catalog.beginErasure(ofCopies: copies) }
        }
    }

    private func exclusively(
        _ body: () throws(DeletionFailure) -> Deleted
    ) throws(DeletionFailure) -> Deleted {
        var outcome: Result<Deleted, DeletionFailure>?
        let ran = exclusion {
            outcome = Result { () throws(DeletionFailure) in try body() }
        }
        guard ran, let outcome else { throw .rebuilding }
        return try outcome.get()
    }

    private func erase(
        _ instances: [StoredInstance], begin: () throws(CatalogError) -> [Erasure]
    ) throws(DeletionFailure) -> Deleted {
        let erasures: [Erasure]
        let series = Dictionary(grouping: instances) {
            SeriesName(study: $0.studyInstanceUID, series: $0.seriesInstanceUID)
        }
        do throws(CatalogError) { erasures = try begin() } catch { throw .catalog(error) }
        for (one, instances) in series { forget(one.study, one.series, instances.map(\.sopInstanceUID)) }
        var pending: DeletionFailure?
        if !erasures.isEmpty { do throws(DeletionFailure) { try finish() } catch { pending = error } }
        return Deleted(
            instances: erasures.count, bytes: erasures.reduce(0) { $0 + $1.place.length }, pending: pending)
    }

    /// Erases from the volumes what has left the catalogue; a crash in between is made good here. Sealed volumes are listed
    /// anew in background, since that reads them whole.
    package func finish() throws(DeletionFailure) {
        var failure: VolumeFailure?
        do throws(CatalogError) {
            let pending = try catalog.pendingErasures()
            guard !pending.isEmpty else { return }
            for (volume, erasures) in Dictionary(grouping: pending, by: \.place.volume) {
                do throws(VolumeFailure) { try volumes.erase(erasures.map(\.place)) } catch {
                    // A volume that is gone took its bytes along; others are not held up by one that fails.
                    guard error == .notFound(volume: volume) else {
                        failure = failure ?? error
                        continue
                    }
                }
                try catalog.finishErasure(erasures.map(\.id))
            }
        } catch { throw .catalog(error) }
        if let failure { throw .volume(failure) }
    }
}
