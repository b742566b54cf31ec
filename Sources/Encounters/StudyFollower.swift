// Studies as they come: read from the catalogue's change feed, linked, or put before a person.

package import Catalog
import DICOMCore
import Dispatch
import Foundation
package import Logging
package import Records
import Synchronization

/// Follows the change feed. Calls block: make them on a plain thread. Several processes may follow at once: what is done
/// twice is the same.
package final class StudyFollower: Sendable {
    private static let beat = DispatchTimeInterval.milliseconds(250)
    private static let name = "links"
    private static let batch = 500
    /// Images of a modality that is done come in quick succession: they are counted so often, in microseconds.
    private static let glance: Int64 = 1_000_000

    private let catalog: CatalogStore
    private let encounters: Encounters
    package let corrections: Corrections
    private let settling: StudySettling
    private let logger: Logger
    private let stopping = DispatchSemaphore(value: 0)
    /// The end of the feed when this archive first looked, until that is written down.
    private let origin = Mutex<Int64?>(nil)

    package init(
        catalog: CatalogStore, encounters: Encounters, settling rules: SettlingRules = SettlingRules(), logger: Logger
    ) {
        self.catalog = catalog
        self.encounters = encounters
        corrections = Corrections(catalog: catalog, encounters: encounters)
        settling = StudySettling(catalog: catalog, encounters: encounters, rules: rules)
        self.logger = logger
    }

    /// Marks the place from which an archive knows of orders: what it was filled with before is left alone. To be called
    /// before the first image can come.
    package func begin() throws(EncounterFailure) {
        guard try encounters.look({ try $0.position(ofFollower: Self.name) }) == nil else { return }
        // Tried again until it is written: what came since the first time is not skipped.
        let end = try Self.read { () throws(CatalogError) in try catalog.changeBounds() }.last
        let first = origin.withLock { origin in
            let first = origin ?? end
            origin = first
            return first
        }
        try encounters.change(by: "rule") { desk in
            guard try desk.records.position(ofFollower: Self.name) == nil else { return }
            try desk.records.setPosition(first, ofFollower: Self.name)
        }
    }

    /// Up to which entry the feed was read; nil before the first start.
    package func position() throws(EncounterFailure) -> Int64? {
        try encounters.look { try $0.position(ofFollower: Self.name) }
    }

    /// Follows on a thread of its own until `stop`.
    package func start() {
        let thread = Thread { [self] in
            var isFailing = false
            while stopping.wait(timeout: .now() + Self.beat) == .timedOut {
                do throws(EncounterFailure) {
                    try catchUp()
                    try settling.judge()
                    isFailing = false
                } catch {
                    // What cannot be read or written now may be later; nothing is skipped. It is said once.
                    if !isFailing {
                        logger.error("studies cannot be linked now", metadata: ["why": "\(error.sentence)"])
                    }
                    isFailing = true
                }
            }
        }
        thread.name = "links"
        thread.start()
    }

    /// Ends the thread, after the batch that it is at.
    package func stop() { stopping.signal() }

    /// Links what came since the last time. Each batch and the place up to which it reads are one transaction: after a
    /// crash nothing is skipped, and what is done twice is the same.
    ///
    /// A catalogue that was made anew counts its changes anew; then everything is looked at again.
    /// - Returns: How many studies were looked at.
    @discardableResult
    package func catchUp() throws(EncounterFailure) -> Int {
        var studies = 0
        while true {
            guard let known = try encounters.look({ try $0.position(ofFollower: Self.name) }) else {
                try begin()
                continue
            }
            // After the position: another process that follows may carry both on meanwhile.
            let end = try Self.read { () throws(CatalogError) in try catalog.changeBounds() }.last
            let position = known > end ? 0 : known
            let changes = try Self.read { () throws(CatalogError) in
                try catalog.changes(after: position, limit: Self.batch)
            }
            guard let last = changes.last else { break }
            studies += try take(changes, through: last.sequence)
        }
        try corrections.settle()
        return studies
    }

    private func take(_ changes: [Change], through sequence: Int64) throws(EncounterFailure) -> Int {
        let stored = Set(changes.lazy.filter { $0.kind == .stored }.map(\.studyInstanceUID)).sorted()
        let changed = Set(changes.map(\.studyInstanceUID)).sorted()
        let claims = Dictionary(
            try corrections.claims(of: changed).map { ($0.studyInstanceUID, $0) },
            uniquingKeysWith: { first, _ in first })
        let facts = claims.mapValues(StudyFacts.init)
        try encounters.change(by: "rule") { desk in
            for uid in stored {
                if let study = facts[uid] {
                    // Given up here once, and back: it may go again, by a proof of its own.
                    try desk.records.forgetPurge(study: uid)
                    try desk.links.arrived(study)
                }
                // More images may say something else of the patient than those before.
                if let study = claims[uid] { try desk.corrections.derive(study) }
            }
            // What was given up here is elsewhere: it belongs where it did, and nobody is told that it is gone.
            let purged = Set(try changed.filter { try facts[$0] == nil && desk.records.isPurged(study: $0) })
            // What was deleted waits for nobody.
            for uid in changed where facts[uid] == nil && !purged.contains(uid) { try desk.links.deleted(study: uid) }
            for uid in changed where !purged.contains(uid) {
                try settle(uid, desk.records)
                try desk.records.markForwarding(study: uid)
            }
            try desk.records.setPosition(sequence, ofFollower: Self.name)
        }
        return stored.count
    }

    /// Images came or went: the study is looked at once nothing more comes, or once what its modality named is here.
    private func settle(_ uid: String, _ records: RecordTransaction) throws {
        let quietAt = records.now + settling.rules.quiet
        let isDone = try records.performedSteps(ofStudy: uid).contains {
            $0.status == PerformedStepStatus.completed.rawValue
        }
        let dueAt = isDone ? min(quietAt, records.now + Self.glance) : quietAt
        try records.settle(study: uid, quietAt: quietAt, dueAt: dueAt)
    }

    /// What studies say of themselves, whatever they are corrected to; those that are not here any more are left out.
    package func facts(of uids: [String]) throws(EncounterFailure) -> [String: StudyFacts] {
        let claims = try corrections.claims(of: uids)
        return Dictionary(
            claims.map { ($0.studyInstanceUID, StudyFacts($0)) }, uniquingKeysWith: { first, _ in first })
    }

    /// Studies as they are shown, corrected; those that are not here any more are left out.
    static func states(of uids: [String], in catalog: CatalogStore) throws(EncounterFailure) -> [String: StudyState] {
        if uids.isEmpty { return [:] }
        let matches = try read { () throws(CatalogError) in
            try catalog.find(Query(level: .study, filters: [.studyInstanceUID: .list(uids)]))
        }
        return Dictionary(
            matches.map { match in
                func count(_ tag: Tag) -> Int { Int(match.values[tag] ?? "") ?? 0 }
                let modalities = (match.values[.modalitiesInStudy] ?? "").split(separator: "\\").map(String.init)
                let facts = StudyFacts(
                    match.values, studyInstanceUID: match.values[.studyInstanceUID] ?? "", modalities: modalities)
                let state = StudyState(
                    facts: facts, series: count(.numberOfStudyRelatedSeries),
                    instances: count(.numberOfStudyRelatedInstances))
                return (state.facts.studyInstanceUID, state)
            }, uniquingKeysWith: { first, _ in first })
    }

    static func read<Value>(_ body: () throws(CatalogError) -> Value) throws(EncounterFailure) -> Value {
        do throws(CatalogError) { return try body() } catch { throw .records(error == .busy ? .busy : .corrupt) }
    }
}

extension StudyFacts {
    /// From what a study's images say.
    init(_ study: StudyClaims) {
        self.init(study.values, studyInstanceUID: study.studyInstanceUID, modalities: study.modalities)
    }

    /// From the attributes of a study and its patient.
    init(_ values: [Tag: String], studyInstanceUID: String, modalities: [String]) {
        func value(_ tag: Tag) -> String { values[tag] ?? "" }
        let (date, time) = (value(.studyDate), String(value(.studyTime).prefix { $0.isNumber }.prefix(6)))
        self.init(studyInstanceUID: studyInstanceUID)
        accessionNumber = value(.accessionNumber)
        patientID = value(.patientID)
        issuerOfPatientID = value(.issuerOfPatientID)
        patientName = value(.patientName)
        patientBirthDate = value(.patientBirthDate)
        patientSex = value(.patientSex)
        self.modalities = modalities
        startedAt = date.count == 8 ? date + String((time + "000000").prefix(6)) : ""
        description = value(.studyDescription)
    }
}
