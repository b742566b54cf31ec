// The straight line: Arrival ─▶ Inspected ─▶ admitted ─▶ volume ─▶ catalogue ─▶ Receipt.

package import Catalog
import Crypto
import DICOMCore
import Dispatch
import Glibc
package import Logging
package import Volumes

/// Takes objects in: durable on a volume and enrolled in the catalogue before anyone is told of success.
///
/// Blocking calls throughout; callers bring their own threads.
package final class IngestPipeline: Sendable {
    let volumes: VolumeStore
    let catalog: CatalogStore
    let limits: IngestLimits
    private let lookup: CopyLookup
    private let memory: BufferPool
    private let line: CommitLine
    private let logger: Logger

    package init(volumes: VolumeStore, catalog: CatalogStore, limits: IngestLimits = .init(), logger: Logger) {
        self.volumes = volumes
        self.catalog = catalog
        self.limits = limits
        self.logger = logger
        lookup = CopyLookup(catalog)
        memory = BufferPool(limit: limits.memoryBudget)
        line = CommitLine(volumes: volumes, catalog: catalog, limits: limits, logger: logger)
    }

    /// Takes the memory of the first objects ahead of them, for sixteen senders: 2 MiB each, some 100 ms of processor time.
    package func warm() { memory.warm(16) }

    /// Opens the way in for one object.
    package func begin(_ origin: Origin) -> Arrival {
        // Looked up now, while the sender is busy sending: it waits for our answer when it has sent all.
        let known = origin.announced.flatMap { try? lookup.copies(sopInstanceUID: $0.sopInstanceUID) }
        return Arrival(origin: origin, known: known, memory: memory, limits: limits) {
            [volumes] () throws(VolumeFailure) in try volumes.beginStream()
        }
    }

    /// Carries an object to its end. Success means durable and enrolled.
    /// - Parameter admit: is told what the header says before anything is kept; what it throws refuses the object.
    package func accept(
        _ arrival: consuming Arrival,
        admitting admit: (InstanceFacts) throws(IngestFailure) -> Void = { _ throws(IngestFailure) in }
    ) throws(IngestFailure) -> Receipt {
        let source = arrival.origin.source
        do throws(IngestFailure) { return try store(arrival, admitting: admit) } catch {
            IngestMetrics.refused(error, source: source)
            throw error
        }
    }

    /// Counts an object that an edge refused before it began to arrive.
    package func noteRefusal(_ failure: IngestFailure, from source: String) {
        IngestMetrics.refused(failure, source: source)
    }

    private func store(
        _ arrival: consuming Arrival, admitting admitted: (InstanceFacts) throws(IngestFailure) -> Void
    ) throws(IngestFailure) -> Receipt {
        let started = DispatchTime.now()
        let source = arrival.origin.source
        try arrival.flush()
        let reading = try arrival.reading()
        let inspected = Inspected(
            facts: reading.facts, dataSetOffset: reading.dataSetOffset, digest: Array(arrival.hash.finalize()),
            length: arrival.length)
        try admitted(inspected.facts)
        try admit(inspected)
        let outcome: Receipt.Outcome
        var storedDigest: [UInt8]?
        switch try copies(of: inspected, arrival) {
        case .sound(let digest): (outcome, storedDigest) = (.duplicate, digest)
        case .none(let rotten): outcome = try commit(inspected, arrival, replacing: rotten)
        }
        IngestMetrics.finished(outcome, source: source, bytes: inspected.length, since: started)
        return Receipt(
            outcome: outcome, studyInstanceUID: reading.facts.studyInstanceUID,
            sopClassUID: reading.facts.sopClassUID, sopInstanceUID: reading.facts.sopInstanceUID, flaws: reading.flaws,
            storedDigest: storedDigest)
    }

    /// Whether an object of this SOP Instance UID is here; false also while the catalogue cannot be read.
    package func holds(sopInstanceUID uid: String) -> Bool {
        (try? lookup.copies(sopInstanceUID: uid))?.isEmpty == false
    }

    /// Finishes what waits, then ends both threads of the pipeline.
    /// - Returns: false when it did not end in time. What is on its volume but not enrolled is replayed at the next start.
    package func stop(within seconds: Double = 60) -> Bool {
        let isInTime = line.stop(within: seconds)
        lookup.close()
        return isInTime
    }

    /// Objects of a priority that wait for the writer.
    package func waiting(_ priority: IngestPriority) -> Int { line.waiting(priority) }

    /// Bytes of an object that is taken, at most.
    package var longestObject: Int64 { limits.maximumObjectSize }

    /// Bytes of arriving objects in memory.
    package var bytesInMemory: Int { memory.bytes }

    private func admit(_ inspected: Inspected) throws(IngestFailure) {
        guard limits.acceptsUnknownSOPClasses || SOPClass.isStorage(inspected.facts.sopClassUID) else {
            throw .refused(reason: "SOP class not on the list")
        }
    }

    private func commit(
        _ inspected: Inspected, _ arrival: consuming Arrival, replacing rotten: [Place]
    ) throws(IngestFailure) -> Receipt.Outcome {
        let now = Self.microsecondsNow()
        if let stream = arrival.stream {
            let facts = EntryFacts(inspected, receivedAt: now, source: arrival.origin.source)
            return try commit(stream, facts, inspected, replacing: rotten)
        }
        let entry = NewEntry(inspected, receivedAt: now, source: arrival.origin.source, body: arrival.buffer)
        return try line.commit(entry, inspected, replacing: rotten, arrival.origin.priority)
    }

    /// A streamed object is durable in a volume of its own first; only then, and only if it is enrolled, is it kept.
    private func commit(
        _ stream: StreamedEntry, _ facts: EntryFacts, _ inspected: Inspected, replacing rotten: [Place]
    ) throws(IngestFailure) -> Receipt.Outcome {
        let place: Place
        do throws(VolumeFailure) { place = try stream.commit(facts) } catch { throw IngestFailure(error) }
        let outcome: Receipt.Outcome
        do throws(IngestFailure) {
            outcome = try line.enroll(Enrollment(inspected, place, of: facts, replacing: rotten))
        } catch {
            stream.abort()
            throw error
        }
        if outcome == .duplicate { stream.abort() } else { stream.keep() }
        return outcome
    }

    /// What is here of an object that has come.
    private enum Copies {
        /// A copy whose bytes, or whose data set, are still what came; the digest of its file.
        case sound(digest: [UInt8])
        /// None but, perhaps, copies that have rotted.
        case none(rotten: [Place])
    }

    /// Looks for a copy of these very bytes, or of this very data set.
    ///
    /// The stored bytes are digested again before success is promised on their account. A copy that has rotted makes way
    /// for the good one that has just come, once that one is safe.
    private func copies(of inspected: Inspected, _ arrival: borrowing Arrival) throws(IngestFailure) -> Copies {
        // What came in the meantime is met by the enrolment.
        if let known = arrival.known, known.isEmpty { return .none(rotten: []) }
        let copies: [StoredCopy]
        do throws(CatalogError) { copies = try lookup.copies(sopInstanceUID: inspected.facts.sopInstanceUID) } catch {
            throw IngestFailure(error)
        }
        var rotten: [Place] = []
        for copy in copies {
            if copy.digest == inspected.digest {
                if try isSound(copy) { return .sound(digest: copy.digest) }
                logger.error(
                    "a stored copy has rotted; a good one takes its place",
                    metadata: ["volume": "\(copy.place.volume)"])
                rotten.append(copy.place)
                // A streamed object is not in memory any more; it is then told from its copy by its digest alone.
            } else if arrival.stream == nil, DataSetComparison.mayBeEqual(copy.place.length, inspected.length),
                let kept = try? volumes.read(copy.place, count: Int(copy.place.length)),
                DataSetComparison.areEqual(kept, arrival.buffer.prefix(.max))
            {
                return .sound(digest: copy.digest)
            }
        }
        return .none(rotten: rotten)
    }

    private func isSound(_ copy: StoredCopy) throws(IngestFailure) -> Bool {
        do throws(VolumeFailure) { return try volumes.isSound(copy.place, digest: copy.digest) } catch {
            throw IngestFailure(error)
        }
    }

    static func microsecondsNow() -> Int64 {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000
    }
}
