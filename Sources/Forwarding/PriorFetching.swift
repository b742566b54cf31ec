// Earlier studies of a patient who is expected: when an order comes, they are fetched from another archive ahead of need.

import DICOMCore
import Dispatch
package import Encounters
import Foundation
package import Logging
import Records

/// Which earlier studies are fetched, and from where.
package struct PriorRules: Hashable, Sendable {
    /// What an earlier study must share with the order.
    package enum Match: String, CaseIterable, Sendable {
        case any
        case modality
        /// The modality, and the part of the body where both sides say one.
        case bodyPart = "body-part"
    }

    /// Name of a destination or peer.
    package var from: String
    package var match = Match.modality
    /// Of one order, at most.
    package var studies = 5
    package var years = 5

    package init(from: String) { self.from = from }
}

/// What fetching for orders asks of the rest of the archive.
package struct PriorDoors: Sendable {
    /// Whether patients may be asked about now: not while the audit trail cannot be written.
    package let isOpen: @Sendable () -> Bool
    /// The way to the source; throws what is wrong with its settings.
    package let pull: @Sendable () throws -> StudyPull
    /// Something of a study came.
    package let fetched: @Sendable (_ studyInstanceUID: String, PullTally) -> Void

    package init(
        isOpen: @escaping @Sendable () -> Bool, pull: @escaping @Sendable () throws -> StudyPull,
        fetched: @escaping @Sendable (_ studyInstanceUID: String, PullTally) -> Void
    ) {
        self.isOpen = isOpen
        self.pull = pull
        self.fetched = fetched
    }
}

/// Follows the orders on a thread of its own, one after the other. What is to be fetched is in the records: a line that is
/// down is tried again, also after a restart.
package final class PriorFetching: Sendable {
    private static let beat = DispatchTimeInterval.seconds(1)
    private static let follower = "priors"
    private static let batch = 500
    /// An order for which nothing came in so long is done with: 30 days.
    private static let patience: Int64 = 30 * 86_400_000_000
    /// How often objects that do not come are asked for.
    private static let mostFailures = 5
    /// How an answer begins that tells of them.
    private static let withheld = "not given: "
    /// Identifiers of a patient that are asked for, and studies that are looked into.
    private static let mostIdentifiers = 4
    private static let mostLooks = 20

    private let rules: PriorRules
    private let encounters: Encounters
    private let doors: PriorDoors
    private let logger: Logger
    private let stopping = DispatchSemaphore(value: 0)

    package init(rules: PriorRules, encounters: Encounters, doors: PriorDoors, logger: Logger) {
        self.rules = rules
        self.encounters = encounters
        self.doors = doors
        self.logger = logger
    }

    package func start() {
        let thread = Thread { [self] in
            var isFailing = false
            while stopping.wait(timeout: .now() + Self.beat) == .timedOut {
                do {
                    try follow()
                    try fetchDue()
                    isFailing = false
                } catch {
                    // What cannot be read or written now may be later; nothing is skipped. It is said once.
                    if !isFailing {
                        logger.error("earlier studies cannot be fetched now", metadata: ["why": "\(error)"])
                    }
                    isFailing = true
                }
            }
        }
        thread.name = "priors"
        thread.start()
    }

    /// Ends the thread, after the study that it is at.
    package func stop() { stopping.signal() }

    /// Orders that came are written down, each once. An archive that begins to fetch does not do so for what it has already.
    package func follow() throws(EncounterFailure) {
        let known = try encounters.look { try $0.position(ofFollower: Self.follower) }
        if let known, try encounters.look({ try $0.procedures(after: known, limit: 1) }).isEmpty { return }
        try encounters.change(by: "rule") { desk in
            guard let known = try desk.records.position(ofFollower: Self.follower) else {
                return try desk.records.setPosition(desk.records.lastProcedure(), ofFollower: Self.follower)
            }
            let orders = try desk.records.procedures(after: known, limit: Self.batch)
            for order in orders { try desk.records.askPriors(of: order, from: rules.from) }
            if let last = orders.last { try desk.records.setPosition(last, ofFollower: Self.follower) }
        }
    }

    /// Looks for what is due.
    package func fetchDue() throws(EncounterFailure) {
        guard doors.isOpen() else { return }
        for record in try encounters.look({ try $0.duePriors(limit: 8) }) {
            let step = step(for: record)
            try encounters.change(by: "rule") { desk in
                try desk.records.notePriors(
                    of: record.procedure, step.state, studies: step.studies, instances: step.instances,
                    failures: step.failures, answer: step.answer, dueAt: desk.records.now + step.wait)
            }
        }
    }

    /// What one attempt came to.
    private struct Step {
        var state = PriorFetchRecord.State.done
        var studies = 0
        var instances = 0
        var failures = 0
        var answer = ""
        /// Microseconds.
        var wait: Int64 = 0

        /// A source that has objects and does not give them is asked a few times, counted from when it answers or gives
        /// some; one that cannot be asked, for as long as the order waits.
        mutating func withhold(after record: PriorFetchRecord, _ words: String) {
            let isFirst = instances > 0 || !record.answer.hasPrefix(PriorFetching.withheld)
            postpone(after: isFirst ? 0 : record.failures, PriorFetching.withheld + words)
            if failures >= PriorFetching.mostFailures { state = .done }
        }

        mutating func postpone(after failures: Int, _ words: String) {
            var delivery = DeliveryState(refusals: 0, failures: failures)
            if case .postponeLine(let time) = delivery.step(after: .failed(words), chance: Double.random(in: 0...1)) {
                wait = time
            }
            state = .waiting
            self.failures = delivery.failures
            answer = words
        }
    }

    private func step(for record: PriorFetchRecord) -> Step {
        var step = Step()
        do {
            let expected = try encounters.look { try Expected($0, record.procedure) }
            let isOld = encounters.records.now() - record.createdAt > Self.patience
            if expected.isCancelled || isOld {
                step.state = .dropped
                step.answer = expected.isCancelled ? "the order was cancelled" : "the source could not be asked in time"
                return step
            }
            try fetch(expected, record, with: try doors.pull(), into: &step)
            if step.answer.isEmpty { step.answer = "\(step.instances) objects of \(step.studies) studies came" }
        } catch let failure as PullFailure {
            step.postpone(after: step.instances > 0 ? 0 : record.failures, failure.words)
        } catch {
            step.postpone(after: record.failures, (error as? EncounterFailure)?.sentence ?? "\(error)")
        }
        return step
    }

    private func fetch(
        _ expected: Expected, _ record: PriorFetchRecord, with pull: StudyPull, into step: inout Step
    ) throws {
        var chosen = 0
        var reason = ""
        for study in try candidates(expected, pull).prefix(Self.mostLooks) where chosen < rules.studies {
            let plan = try pull.plan(study)
            guard rules.match != .bodyPart || expected.matches(bodyParts: plan.listing.bodyParts) else { continue }
            chosen += 1
            guard !plan.missing.isEmpty else { continue }
            let tally = try pull.fetch(plan)
            if tally.received > 0 {
                step.studies += 1
                step.instances += tally.received
                doors.fetched(study.studyInstanceUID, tally)
            }
            if let failure = tally.failure { throw failure }
            if tally.failed > 0, reason.isEmpty { reason = "\(tally.failed) objects: \(tally.reason)" }
        }
        if !reason.isEmpty { step.withhold(after: record, reason) }
    }

    /// The patient's studies at the source that are worth it, the newest first.
    private func candidates(_ expected: Expected, _ pull: StudyPull) throws(PullFailure) -> [RemoteStudy] {
        var found: [String: RemoteStudy] = [:]
        for identifier in expected.identifiers.prefix(Self.mostIdentifiers) {
            let question = RemoteQuestion.patient(id: identifier.value, issuer: identifier.issuer)
            guard question.isExact else { continue }
            for study in try pull.studies(question) { found[study.studyInstanceUID] = study }
        }
        let today = LocalTime.text(encounters.records.now())
        let oldest = (Int(today.prefix(4)) ?? 0) - rules.years
        let since = String("000\(oldest)".suffix(4)) + today.dropFirst(4).prefix(4)
        return found.values.filter { study in
            study.studyInstanceUID != expected.studyInstanceUID && study.date >= since
                && expected.isSamePerson(born: study.patientBirthDate)
                && (rules.match == .any || expected.matches(modalities: study.modalities))
        }.sorted { ($0.date, $0.studyInstanceUID) > ($1.date, $1.studyInstanceUID) }
    }
}

/// Who is expected, and for what.
private struct Expected {
    let studyInstanceUID: String
    let isCancelled: Bool
    let identifiers: [PatientIdentifier]
    private let birthDate: String
    private let modality: String
    private let bodySite: String

    init(_ records: RecordTransaction, _ procedure: Int64) throws {
        let order = try records.procedure(id: procedure)
        let patient = try records.root(of: order.patient)
        studyInstanceUID = order.studyInstanceUID
        isCancelled = ProcedureState(word: order.state) == .cancelled
        identifiers = try records.identifiers(of: patient)
        birthDate = patient.demographics.dicomBirthDate
        modality = order.details.modality
        bodySite = Fold.fold(order.details.bodySite)
    }

    /// A number means another person elsewhere where it comes with another birth date.
    func isSamePerson(born date: String) -> Bool { date.isEmpty || birthDate.isEmpty || date == birthDate }

    func matches(modalities: [String]) -> Bool { modality.isEmpty || modalities.contains(modality) }

    func matches(bodyParts: Set<String>) -> Bool {
        if bodySite.isEmpty || bodyParts.isEmpty { return true }
        return bodyParts.map { Fold.fold($0) }.contains { $0.contains(bodySite) || bodySite.contains($0) }
    }
}
