// Two threads: one appends batches to the volume; the other enrolls each meanwhile, and commits after the sync.

import Catalog
import Dispatch
import Foundation
import Logging
import Synchronization
import Volumes

/// The part of the pipeline that all senders share.
///
/// A sender that waits stands in line with its object; the writer takes everything that waits, settles where it will lie,
/// writes it and syncs once; meanwhile the enroller puts the batch into the catalogue in one transaction, which it commits
/// when the sync has succeeded and takes back when it has failed; then it lets all the senders of the batch go.
final class CommitLine: Sendable {
    /// One object in line and the sender waiting for it.
    private struct Waiting: Sendable {
        let entry: NewEntry
        let inspected: Inspected
        /// Copies of this object whose bytes are no longer those that came: it takes their place.
        let rotten: [Place]
        let answer: Answer<Outcome>
    }

    private struct Placed: Sendable {
        let enrollments: [Enrollment]
        let answers: [Answer<Outcome>]
        /// Tells when and whether the bytes are on stable storage.
        let durability: Answer<Void>
        /// In a volume of its own: its sender removes it when it is not wanted.
        var isStreamed = false
    }

    private typealias Outcome = Receipt.Outcome

    private let volumes: VolumeStore
    private let catalog: CatalogStore
    private let limits: IngestLimits
    private let logger: Logger
    private let line: WaitingLine<Waiting>
    private let placed = BoundedQueue<Placed>(capacity: 2)
    private let ended = DispatchGroup()

    init(volumes: VolumeStore, catalog: CatalogStore, limits: IngestLimits, logger: Logger) {
        self.volumes = volumes
        self.catalog = catalog
        self.limits = limits
        self.logger = logger
        line = WaitingLine(capacity: limits.queueCapacity)
        start("phim-writer") { $0.writeLoop() }
        start("phim-enroller") { $0.enrollLoop() }
    }

    func waiting(_ priority: IngestPriority) -> Int { line.count(priority) }

    /// Waits until the object is on its volume and in the catalogue.
    func commit(
        _ entry: NewEntry, _ inspected: Inspected, replacing rotten: [Place], _ priority: IngestPriority
    ) throws(IngestFailure) -> Receipt.Outcome {
        let answer = Answer<Outcome>()
        let isIn = line.put(
            Waiting(entry: entry, inspected: inspected, rotten: rotten, answer: answer), priority,
            source: entry.facts.receipt.source, timeout: .seconds(limits.patience))
        guard isIn else { throw line.isClosed ? .stopped : .busy }
        return try answer.wait().get()
    }

    /// Enrolls an object that is durable already, in a volume of its own, which the caller removes if this fails.
    func enroll(_ enrollment: Enrollment) throws(IngestFailure) -> Receipt.Outcome {
        let (answer, durability) = (Answer<Outcome>(), Answer<Void>())
        durability.give(.success(()))
        let isIn = placed.put(
            Placed(enrollments: [enrollment], answers: [answer], durability: durability, isStreamed: true),
            timeout: .seconds(limits.patience))
        guard isIn else { throw line.isClosed ? .stopped : .busy }
        return try answer.wait().get()
    }

    func stop(within seconds: Double) -> Bool {
        line.close()
        return ended.wait(timeout: .now() + seconds) == .success
    }

    private func start(_ name: String, _ body: @escaping @Sendable (CommitLine) -> Void) {
        ended.enter()
        let thread = Thread { [self] in
            body(self)
            ended.leave()
        }
        thread.name = name
        thread.start()
    }

    private func writeLoop() {
        while true {
            var bytes = 0
            let batch = line.take { count, next in
                bytes += Int(next.inspected.length)
                return count < limits.batchCount && bytes <= limits.batchBytes
            }
            guard let batch else { break }
            write(batch)
        }
        placed.close()
    }

    private func write(_ batch: [Waiting]) {
        let started = DispatchTime.now()
        var written = started
        var handed: Placed?
        let places: [Place]
        // Before the volumes are locked: others may ask them something while the enroller waits for the catalogue.
        placed.reserve()
        do throws(VolumeFailure) {
            places = try volumes.append(
                batch.map { $0.entry },
                placed: { places in
                    let enrollments = zip(batch, places).map {
                        Enrollment($0.inspected, $1, of: $0.entry, replacing: $0.rotten)
                    }
                    let mark = Placed(
                        enrollments: enrollments, answers: batch.map { $0.answer }, durability: Answer<Void>())
                    // The belt is closed by this thread alone, and never in the middle of a batch.
                    _ = self.placed.put(reserved: mark)
                    handed = mark
                }, written: { written = .now() })
        } catch {
            logger.error("append failed", metadata: ["failure": "\(error)", "objects": "\(batch.count)"])
            let failure = IngestFailure(error)
            if let handed {
                handed.durability.give(.failure(failure))
            } else {
                placed.giveBack()
                for one in batch { one.answer.give(.failure(failure)) }
            }
            return
        }
        handed?.durability.give(.success(()))
        IngestMetrics.synchronized(since: written)
        IngestMetrics.appended(count: batch.count, bytes: places.reduce(0) { $0 + $1.length }, since: started)
    }

    private func enrollLoop() {
        while let batches = placed.take(while: { count, _ in count < 8 }) {
            for batch in batches { enroll(batch) }
        }
    }

    private func enroll(_ batch: Placed) {
        var started = DispatchTime.now()
        var durability = Result<Void, IngestFailure>.failure(.stopped)
        var isAsked = false
        let outcomes: [EnrollmentOutcome]
        do throws(CatalogError) {
            outcomes = try inTurn(batch) {
                let asked = DispatchTime.now()
                if !isAsked { durability = batch.durability.wait() }
                isAsked = true
                // What enrolment itself takes is measured, not the sync that it waits for.
                started = started + .nanoseconds(Int(DispatchTime.now().uptimeNanoseconds - asked.uptimeNanoseconds))
                return (try? durability.get()) != nil
            }
        } catch {
            if !isAsked { durability = batch.durability.wait() }
            if case .failure(let failure) = durability {
                // The volume has taken the bytes back already.
                for answer in batch.answers { answer.give(.failure(failure)) }
                return
            }
            // What is wrong with one object is not the others' fault.
            if batch.answers.count > 1, error != .busy, error != .full { return enrollOneByOne(batch) }
            // Durable but not enrolled and never acknowledged: erased, so that no later rebuild shows it.
            logger.error("enrolment failed", metadata: ["failure": "\(error)", "objects": "\(batch.answers.count)"])
            if !batch.isStreamed, erase(batch.enrollments.map(\.place)) {
                // What was erased needs no replay.
                _ = try? catalog.enroll(
                    [], enrolledTo: Self.ends(batch.enrollments), from: Self.starts(batch.enrollments))
            }
            let failure = IngestFailure(error)
            for answer in batch.answers { answer.give(.failure(failure)) }
            return
        }
        IngestMetrics.enrolled(count: outcomes.count, since: started)
        let surplus = zip(outcomes, batch.enrollments).compactMap { outcome, enrollment -> Place? in
            guard case .duplicate(let place) = outcome else { return nil }
            return batch.isStreamed && place == enrollment.place ? nil : place
        }
        erase(surplus)
        // What cannot be erased now stays on the list for the next start.
        for place in batch.enrollments.flatMap(\.replaced) where erase([place]) {
            try? catalog.finishErasure(at: place)
        }
        for (index, outcome) in outcomes.enumerated() {
            let enrollment = batch.enrollments[index]
            var told = Receipt.Outcome(outcome, of: enrollment.place)
            if told == .conflict, !batch.isStreamed, settle(enrollment) { told = .duplicate }
            batch.answers[index].give(.success(told))
        }
    }

    /// Another process may hold the catalogue for long, as the end of a rebuild does. The bytes are safe meanwhile: that is
    /// no reason to refuse them.
    private func inTurn(
        _ batch: Placed, beforeCommit: () -> Bool
    ) throws(CatalogError) -> [EnrollmentOutcome] {
        let deadline = DispatchTime.now() + .seconds(limits.patience)
        while true {
            do throws(CatalogError) {
                return try catalog.enroll(
                    batch.enrollments, enrolledTo: Self.ends(batch.enrollments), from: Self.starts(batch.enrollments),
                    beforeCommit: beforeCommit)
            } catch {
                guard error == .busy, !line.isClosed, DispatchTime.now() < deadline else { throw error }
                usleep(1_000)
            }
        }
    }

    private func enrollOneByOne(_ batch: Placed) {
        for (enrollment, answer) in zip(batch.enrollments, batch.answers) {
            let durability = Answer<Void>()
            durability.give(.success(()))
            enroll(
                Placed(
                    enrollments: [enrollment], answers: [answer], durability: durability, isStreamed: batch.isStreamed))
        }
    }

    /// Two senders may bring one data set at the same moment under different file headers, so that neither met the other
    /// at admission. What came to two copies of it is brought back to one.
    private func settle(_ enrollment: Enrollment) -> Bool {
        let uid = enrollment.facts.sopInstanceUID
        do {
            let copies = try catalog.copies(sopInstanceUID: uid)
            // Only the copy that was compared leaves, whatever has come meanwhile.
            guard copies.count == 2, DataSetComparison.areEqual(copies[0].place, copies[1].place, in: volumes),
                let erasure = try catalog.beginErasure(ofCopy: copies[1].place, sopInstanceUID: uid)
            else { return false }
            if erase([erasure.place]) { try catalog.finishErasure([erasure.id]) }
            return true
        } catch {
            logger.warning("two copies of one data set are listed as a conflict", metadata: ["failure": "\(error)"])
            return false
        }
    }

    /// Where the batch begins per volume: where what lies before it is not enrolled, the position stays, and the next start
    /// replays from there.
    private static func starts(_ enrollments: [Enrollment]) -> [Int: Int64] {
        enrollments.reduce(into: [:]) { starts, one in
            starts[one.place.volume] = min(starts[one.place.volume] ?? .max, one.place.entryOffset)
        }
    }

    /// Highest end of an enrolled entry per volume.
    private static func ends(_ enrollments: [Enrollment]) -> [Int: Int64] {
        enrollments.reduce(into: [:]) { ends, one in
            ends[one.place.volume] = max(ends[one.place.volume] ?? 0, one.place.end)
        }
    }

    @discardableResult
    private func erase(_ places: [Place]) -> Bool {
        guard !places.isEmpty else { return true }
        do throws(VolumeFailure) {
            try volumes.erase(places)
            return true
        } catch {
            logger.error("cannot erase surplus entries", metadata: ["count": "\(places.count)", "failure": "\(error)"])
            return false
        }
    }
}

/// Where a thread waits for what another one brings about.
final class Answer<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, IngestFailure>>(.failure(.stopped))
    private let given = DispatchSemaphore(value: 0)

    func give(_ outcome: Result<Value, IngestFailure>) {
        result.withLock { $0 = outcome }
        given.signal()
    }

    func wait() -> Result<Value, IngestFailure> {
        given.wait()
        return result.withLock { $0 }
    }
}
