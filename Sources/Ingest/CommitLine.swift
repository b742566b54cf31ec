// Two threads: one appends batches to the volume, the other enrolls them while the next batch is written.

import Catalog
import Dispatch
import Foundation
import Logging
import Synchronization
import Volumes

/// The part of the pipeline that all senders share.
///
/// A sender that waits stands in line with its object; the writer takes everything that waits, appends it and syncs
/// once; the enroller puts the batch into the catalogue in one transaction and then lets all its senders go.
final class CommitLine: Sendable {
    /// One object in line and the sender waiting for it.
    private struct Waiting: Sendable {
        let entry: NewEntry
        let inspected: Inspected
        let answer: Answer
    }

    private struct Written: Sendable {
        let enrollments: [Enrollment]
        let answers: [Answer]
        /// In a volume of its own: its sender removes it when it is not wanted.
        var isStreamed = false
    }

    private let volumes: VolumeStore
    private let catalog: CatalogStore
    private let limits: IngestLimits
    private let logger: Logger
    private let waiting: BoundedQueue<Waiting>
    private let written = BoundedQueue<Written>(capacity: 2)
    private let ended = DispatchGroup()

    init(volumes: VolumeStore, catalog: CatalogStore, limits: IngestLimits, logger: Logger) {
        self.volumes = volumes
        self.catalog = catalog
        self.limits = limits
        self.logger = logger
        waiting = BoundedQueue(capacity: limits.queueCapacity)
        start("phim-writer") { $0.writeLoop() }
        start("phim-enroller") { $0.enrollLoop() }
    }

    var depth: Int { waiting.count }

    /// Waits until the object is on its volume and in the catalogue.
    func commit(_ entry: NewEntry, _ inspected: Inspected) throws(IngestFailure) -> Receipt.Outcome {
        let answer = Answer()
        let isIn = waiting.put(
            Waiting(entry: entry, inspected: inspected, answer: answer), timeout: .seconds(limits.patience))
        guard isIn else { throw .busy }
        return try answer.wait()
    }

    /// Enrolls an object that is durable already, in a volume of its own, which the caller removes if this fails.
    func enroll(_ enrollment: Enrollment) throws(IngestFailure) -> Receipt.Outcome {
        let answer = Answer()
        let isIn = written.put(
            Written(enrollments: [enrollment], answers: [answer], isStreamed: true), timeout: .seconds(limits.patience))
        guard isIn else { throw .busy }
        return try answer.wait()
    }

    func stop(within seconds: Double) -> Bool {
        waiting.close()
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
            let batch = waiting.take { count, next in
                if count == 0 { bytes = 0 }
                bytes += Int(next.inspected.length)
                return count < limits.batchCount && bytes <= limits.batchBytes
            }
            guard let batch else { break }
            write(batch)
        }
        written.close()
    }

    private func write(_ batch: [Waiting]) {
        let started = DispatchTime.now()
        let places: [Place]
        do throws(VolumeFailure) {
            places = try volumes.append(batch.map(\.entry))
        } catch {
            logger.error("append failed", metadata: ["failure": "\(error)", "objects": "\(batch.count)"])
            let failure = IngestFailure(error)
            for one in batch { one.answer.give(.failure(failure)) }
            return
        }
        IngestMetrics.appended(count: batch.count, since: started)
        let enrollments = zip(batch, places).map { Enrollment($0.inspected, $1, of: $0.entry) }
        let isIn = written.put(Written(enrollments: enrollments, answers: batch.map(\.answer)), timeout: .never)
        guard !isIn else { return }
        erase(places)
        for one in batch { one.answer.give(.failure(.stopped)) }
    }

    private func enrollLoop() {
        while let batches = written.take(while: { count, _ in count < 8 }) {
            for batch in batches { enroll(batch) }
        }
    }

    private func enroll(_ batch: Written) {
        let started = DispatchTime.now()
        let outcomes: [EnrollmentOutcome]
        do throws(CatalogError) {
            outcomes = try catalog.enroll(
                batch.enrollments, enrolledTo: Self.ends(batch.enrollments), from: Self.starts(batch.enrollments))
        } catch {
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
        for (index, outcome) in outcomes.enumerated() {
            let enrollment = batch.enrollments[index]
            var told = Receipt.Outcome(outcome, of: enrollment.place)
            if told == .conflict, !batch.isStreamed, settle(enrollment) { told = .duplicate }
            batch.answers[index].give(.success(told))
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

/// Where a sender waits for the end of its object's way.
final class Answer: Sendable {
    private let result = Mutex<Result<Receipt.Outcome, IngestFailure>?>(nil)
    private let given = DispatchSemaphore(value: 0)

    func give(_ outcome: Result<Receipt.Outcome, IngestFailure>) {
        result.withLock { $0 = outcome }
        given.signal()
    }

    func wait() throws(IngestFailure) -> Receipt.Outcome {
        given.wait()
        guard let result = result.withLock({ $0 }) else { throw .stopped }
        return try result.get()
    }
}
