// Builds the answer for a study, and keeps what it was built from: the second viewer, and the next event, wait for less.

import Catalog
import Crypto
import DICOMCore
import Dispatch
import Foundation
import Records
import Retrieval
import Synchronization
import Volumes

/// The studies as viewers see them. Calls block.
final class ViewerStudies: Sendable {
    private struct Entry {
        /// What the study was when the answer was built.
        let state: [UInt8]
        let answer: Asset
        /// By SHA-256 of the stored object: contents never change.
        let facts: [[UInt8]: ViewerFacts]
        var lastUse: UInt64
    }

    private struct Cache {
        var entries: [String: Entry] = [:]
        var uses: UInt64 = 0
        var instances = 0
        var bytes = 0
    }

    /// Instances whose facts are kept, about a kilobyte each, and bytes of answers.
    private static let mostInstances = 60_000
    private static let mostBytes = 64 << 20
    private static let threads = 4

    private let catalog: CatalogStore
    private let retrieval: InstanceRetrieval
    private let origin: @Sendable (String) throws -> ExternalStudyRecord?
    private let cache = Mutex(Cache())

    /// - Parameter origin: where a study was fetched from; nil for one that was taken in here.
    init(
        catalog: CatalogStore, retrieval: InstanceRetrieval,
        origin: @escaping @Sendable (String) throws -> ExternalStudyRecord?
    ) {
        self.origin = origin
        self.catalog = catalog
        self.retrieval = retrieval
    }

    /// The answer for a study; nil when it is not here.
    func answer(for uid: String) throws -> Asset? {
        let series = try catalog.find(Query(level: .series, filters: [.studyInstanceUID: .single(uid)]))
        let stored = try catalog.instances(Scope(studyUIDs: [uid], seriesUIDs: [], sopUIDs: []))
        guard let first = series.first, !stored.isEmpty else { return nil }
        let origin = try origin(uid).map(ViewerStudyAnswer.Origin.init)
        let state = Self.state(series, stored, origin)
        let known = cache.withLock { cache in
            cache.uses += 1
            cache.entries[uid]?.lastUse = cache.uses
            return cache.entries[uid]
        }
        if let known, known.state == state { return known.answer }
        let facts = facts(of: stored, known: known?.facts ?? [:])
        let encoder = JSONEncoder()
        // In order of keys, so that equal answers are equal bytes.
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let json = try encoder.encode(Self.answer(uid, first.values, series, stored, facts, origin))
        let answer = Asset([UInt8](json), mediaType: "application/json")
        // A header that could not be read is tried again the next time.
        let isWhole = stored.allSatisfy { facts[$0.digest] != nil }
        keep(Entry(state: isWhole ? state : [], answer: answer, facts: facts, lastUse: 0), for: uid)
        return answer
    }

    // MARK: State

    /// Of everything that the answer is made from: rows of the catalogue, and contents by their digests.
    private static func state(
        _ series: [Match], _ stored: [StoredInstance], _ origin: ViewerStudyAnswer.Origin?
    ) -> [UInt8] {
        var hash = SHA256()
        if let origin { hash.update(data: Array("\(origin.source)\u{1F}\(origin.at)\u{1F}".utf8)) }
        for match in series {
            for (tag, value) in match.values.sorted(by: { $0.key < $1.key }) {
                hash.update(data: Array("\(tag.hexadecimal)=\(value)\u{1F}".utf8))
            }
        }
        for instance in stored {
            hash.update(data: Array("\(instance.seriesInstanceUID)/\(instance.sopInstanceUID)\u{1F}".utf8))
            hash.update(data: instance.digest)
        }
        return Array(hash.finalize())
    }

    private func keep(_ entry: Entry, for uid: String) {
        cache.withLock { cache in
            func drop(_ uid: String) {
                guard let old = cache.entries.removeValue(forKey: uid) else { return }
                cache.instances -= old.facts.count
                cache.bytes -= old.answer.size
            }
            drop(uid)
            guard entry.facts.count <= Self.mostInstances, entry.answer.size <= Self.mostBytes else { return }
            cache.uses += 1
            var entry = entry
            entry.lastUse = cache.uses
            cache.entries[uid] = entry
            cache.instances += entry.facts.count
            cache.bytes += entry.answer.size
            while cache.instances > Self.mostInstances || cache.bytes > Self.mostBytes,
                let oldest = cache.entries.min(by: { $0.value.lastUse < $1.value.lastUse })
            {
                drop(oldest.key)
            }
        }
    }

    // MARK: Headers

    /// Facts by digest, without those of headers that cannot be read now. What is not known yet is read on a few threads.
    private func facts(of stored: [StoredInstance], known: [[UInt8]: ViewerFacts]) -> [[UInt8]: ViewerFacts] {
        let missing = stored.filter { known[$0.digest] == nil }
        let share = (missing.count + Self.threads - 1) / Self.threads
        let read = Mutex<[[UInt8]: ViewerFacts]>([:])
        if share > 0 {
            DispatchQueue.concurrentPerform(iterations: Self.threads) { thread in
                let part = missing.dropFirst(thread * share).prefix(share)
                let facts = part.map { ($0.digest, self.facts(of: $0)) }
                read.withLock { read in for (digest, facts) in facts { read[digest] = facts } }
            }
        }
        let found = read.withLock { $0 }
        return stored.reduce(into: [:]) { facts, instance in
            facts[instance.digest] = found[instance.digest] ?? known[instance.digest]
        }
    }

    private func facts(of instance: StoredInstance) -> ViewerFacts? {
        let kind = ViewerKind(sopClassUID: instance.sopClassUID)
        guard kind.needsHeader else { return ViewerFacts() }
        return (try? retrieval.header(of: instance)).map { ViewerFacts($0, kind: kind) }
    }

    // MARK: Answer

    private static func answer(
        _ uid: String, _ study: [Tag: String], _ series: [Match], _ stored: [StoredInstance],
        _ facts: [[UInt8]: ViewerFacts], _ origin: ViewerStudyAnswer.Origin?
    ) -> ViewerStudyAnswer {
        let addresses = ViewerAddresses(studyInstanceUID: uid)
        let bySeries = Dictionary(grouping: stored, by: \.seriesInstanceUID)
        let answers = series.compactMap { match -> ViewerSeriesAnswer? in
            guard let instances = bySeries[match.values[.seriesInstanceUID] ?? ""] else { return nil }
            return ViewerSeriesAnswer(
                match.values,
                instances: instances.map {
                    ViewerInstance(
                        stored: $0, kind: ViewerKind(sopClassUID: $0.sopClassUID), facts: facts[$0.digest])
                }, addresses: addresses)
        }
        let ordered = answers.enumerated().sorted { left, right in
            let (a, b) = (left.element, right.element)
            return (a.displayRank, a.number ?? .max, left.offset) < (b.displayRank, b.number ?? .max, right.offset)
        }.map(\.element)
        return ViewerStudyAnswer(
            uid, study, origin: origin, series: ordered, bytes: stored.reduce(0) { $0 + $1.place.length },
            instances: stored.count,
            addresses: addresses)
    }
}

extension ViewerSeriesAnswer {
    /// What is looked at first stands first; within a rank by series number.
    fileprivate var displayRank: Int {
        switch kind {
        case .image, .video: 0
        case .keyObjects: 1
        case .report, .document: 2
        case .presentation, .segmentation, .structureSet, .registration, .measurement, .waveform, .other: 3
        }
    }
}

extension ViewerStudyAnswer.Origin {
    init(_ record: ExternalStudyRecord) {
        source = record.source
        at = Date(timeIntervalSince1970: Double(record.at) / 1_000_000).ISO8601Format()
    }
}

extension ViewerStudyAnswer {
    fileprivate init(
        _ uid: String, _ values: [Tag: String], origin: Origin?, series: [ViewerSeriesAnswer], bytes: Int64,
        instances: Int, addresses: ViewerAddresses
    ) {
        self.origin = origin
        func value(_ tag: Tag) -> String? { ViewerValues.text(values[tag]) }
        studyInstanceUID = uid
        patient = Patient(
            name: value(.patientName), displayName: ViewerValues.displayName(values[.patientName]),
            id: value(.patientID), issuer: value(.issuerOfPatientID),
            birthDate: ViewerValues.date(values[.patientBirthDate]), sex: value(.patientSex), age: value(.patientAge))
        date = ViewerValues.date(values[.studyDate])
        time = ViewerValues.time(values[.studyTime])
        description = value(.studyDescription)
        accessionNumber = value(.accessionNumber)
        studyID = value(.studyID)
        referringPhysician = ViewerValues.displayName(values[.referringPhysicianName])
        modalities = ViewerValues.list(values[.modalitiesInStudy])
        self.instances = instances
        self.bytes = bytes
        self.series = series
        keyImages = series.filter { $0.kind == .keyObjects }.flatMap { series in
            series.items.flatMap { item in
                (item.document?.references ?? []).map {
                    KeyImage(
                        sopInstanceUID: $0.sopInstanceUID, frames: $0.frames, title: item.document?.title,
                        markedBy: item.sopInstanceUID)
                }
            }
        }
        self.addresses = Addresses(
            study: addresses.study, metadata: addresses.metadata, priors: addresses.priors, events: addresses.events)
    }
}
