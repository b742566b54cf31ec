// The metadata of series, built once: kept in memory within bounds, and on disk beside the catalogue.

package import Catalog
import Crypto
package import DICOMCore
import Dispatch
import Synchronization

/// Gives metadata of studies, series and instances. Calls block: make them on plain threads.
package final class MetadataSource: Sendable {
    private let catalog: CatalogStore
    private let build: MetadataBuild
    private let folder: MetadataFolder?
    private let memory: Int
    private let state = Mutex(State())

    private struct Key: Hashable {
        let study: String
        let series: String
    }

    private struct Kept {
        var metadata: SeriesMetadata
        var use: UInt64
    }

    private struct State {
        var kept: [Key: Kept] = [:]
        var size = 0
        var clock: UInt64 = 0
        /// Series that some thread is building; others wait for it.
        var building: [Key: DispatchGroup] = [:]
    }

    /// - Parameters:
    ///   - folder: where metadata is kept on disk; nil keeps none.
    ///   - root: what addresses of bulk data begin with: a path, or an absolute address.
    ///   - memory: bytes kept in memory at most.
    package init(
        catalog: CatalogStore, retrieval: InstanceRetrieval, folder: String?, root: String = "/dicom-web",
        memory: Int = 192 << 20
    ) {
        self.catalog = catalog
        build = MetadataBuild(retrieval: retrieval, root: root)
        self.folder = folder.map { MetadataFolder(path: $0, root: root) }
        self.memory = memory
    }

    /// What addresses of this archive begin with.
    package var root: String { build.root }

    /// The metadata of a study's series, or of one of them, in order; `.absent` when there is none.
    package func metadata(study: String, series: String? = nil) throws(RetrievalFailure) -> [SeriesMetadata] {
        var found: [SeriesMetadata] = []
        for state in try states(study: study, series: series) {
            if let one = try metadata(Key(study: study, series: state.seriesInstanceUID), state) { found.append(one) }
        }
        guard !found.isEmpty else { throw .absent }
        return found
    }

    /// What the metadata of a study or series would be made from; equal states, equal bytes.
    package func states(study: String, series: String? = nil) throws(RetrievalFailure) -> [SeriesState] {
        do throws(CatalogError) {
            let states = try catalog.seriesStates(study: study, series: series)
            if states.isEmpty, let series { forget(study: study, series: series) }
            return states
        } catch { throw .unreadable(reason: "catalogue: \(error)") }
    }

    /// Drops what is kept of a series, also from the disk: its instances have changed or left.
    package func forget(study: String, series: String) {
        let key = Key(study: study, series: series)
        state.withLock { state in
            if let old = state.kept.removeValue(forKey: key) { state.size -= old.metadata.size }
        }
        folder?.remove(study: study, series: series)
    }

    private func metadata(_ key: Key, _ current: SeriesState) throws(RetrievalFailure) -> SeriesMetadata? {
        while true {
            enum Step { case found(SeriesMetadata), wait(DispatchGroup), build(DispatchGroup) }
            let step: Step = state.withLock { state in
                if let kept = state.kept[key], kept.metadata.fingerprint == current.fingerprint {
                    state.clock += 1
                    state.kept[key]?.use = state.clock
                    return .found(kept.metadata)
                }
                if let group = state.building[key] { return .wait(group) }
                let group = DispatchGroup()
                group.enter()
                state.building[key] = group
                return .build(group)
            }
            switch step {
            case .found(let metadata): return metadata
            case .wait(let group):
                group.wait()
            // Whoever built it may have built another state, or failed: then it is this thread's turn.
            case .build(let group):
                defer {
                    state.withLock { $0.building[key] = nil }
                    group.leave()
                }
                return try make(key, current)
            }
        }
    }

    private func make(_ key: Key, _ current: SeriesState) throws(RetrievalFailure) -> SeriesMetadata? {
        if let read = folder?.read(study: key.study, series: key.series, fingerprint: current.fingerprint) {
            keep(read, key)
            return read
        }
        let instances = try instances(key)
        guard let made = build.run(instances, series: key.series, fingerprint: current.fingerprint) else { return nil }
        // What came between the two looks belongs to the next state.
        if instances.count == current.instances {
            keep(made, key)
            try write(made, key)
        }
        return made
    }

    /// Builds the metadata of a long series and leaves it on the disk, unless it is there. Whoever asks meanwhile does not
    /// wait for this: the thread that calls may be a slow one.
    package func prepare(study: String, series: String, shortest: Int) throws(RetrievalFailure) {
        guard let folder, let current = try states(study: study, series: series).first, current.instances >= shortest,
            folder.read(study: study, series: series, fingerprint: current.fingerprint) == nil
        else { return }
        let key = Key(study: study, series: series)
        let instances = try instances(key)
        guard instances.count == current.instances,
            let made = build.run(instances, series: series, fingerprint: current.fingerprint, isAlone: true)
        else { return }
        try write(made, key)
    }

    private func write(_ metadata: SeriesMetadata, _ key: Key) throws(RetrievalFailure) {
        guard let folder else { return }
        folder.write(metadata, study: key.study)
        // Of a series that was deleted while it was being built nothing stays.
        _ = try states(study: key.study, series: key.series)
    }

    private func instances(_ key: Key) throws(RetrievalFailure) -> [StoredInstance] {
        do throws(CatalogError) {
            return try catalog.instances(Scope(studyUIDs: [key.study], seriesUIDs: [key.series]))
        } catch { throw .unreadable(reason: "catalogue: \(error)") }
    }

    private func keep(_ metadata: SeriesMetadata, _ key: Key) {
        guard metadata.size <= memory / 2 else { return }
        state.withLock { state in
            state.clock += 1
            if let old = state.kept[key] { state.size -= old.metadata.size }
            state.kept[key] = Kept(metadata: metadata, use: state.clock)
            state.size += metadata.size
            while state.size > memory, let oldest = state.kept.min(by: { $0.value.use < $1.value.use }) {
                state.kept[oldest.key] = nil
                state.size -= oldest.value.metadata.size
            }
        }
    }
}

extension SeriesMetadata {
    /// A strong validator of the answer made of these series (RFC 9110 Section 8.8.3), without quotation marks.
    package static func validator(_ fingerprints: [String], root: String) -> String {
        let text = (["metadata 1", root] + fingerprints).joined(separator: "\n")
        return SHA256.hash(data: Array(text.utf8)).prefix(12).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }
}

extension MetadataSource {
    /// What addresses of bulk data of an instance begin with.
    package func bulkDataAddress(of instance: StoredInstance) -> String {
        MetadataBuild.address(instance, root: root)
    }

    /// Which values stand in metadata, and which by their address.
    package func bulkDataPolicy(of instance: StoredInstance) -> BulkDataPolicy {
        .reference(prefix: bulkDataAddress(of: instance), above: MetadataBuild.longestInline)
    }
}
