// Studies that have settled: procedures are completed, and whoever asked for it is told.

package import Catalog
import DICOMCore
import Records

/// Looks at studies whose time has come. Calls block: make them on a plain thread. Several processes may look at once.
package struct StudySettling: Sendable {
    private static let batch = 100

    let catalog: CatalogStore
    let encounters: Encounters
    let rules: SettlingRules

    package init(catalog: CatalogStore, encounters: Encounters, rules: SettlingRules) {
        self.catalog = catalog
        self.encounters = encounters
        self.rules = rules
    }

    /// A study whose time has come, and what its modality says is in it.
    private struct Due {
        let item: SettlingRecord
        /// SOP Instance UIDs; empty while the modality is not done.
        let named: Set<String>
    }

    /// Looks at every study that is due. Each batch is one transaction: what is decided is written with the decision.
    /// - Returns: How many were looked at.
    @discardableResult
    package func judge() throws(EncounterFailure) -> Int {
        var studies = 0
        while true {
            let due = try encounters.look { records in
                try records.dueStudies(limit: Self.batch).map {
                    Due(item: $0, named: try Self.named(records.performedSteps(ofStudy: $0.studyInstanceUID)))
                }
            }
            if due.isEmpty { return studies }
            let states = try StudyFollower.states(of: due.map(\.item.studyInstanceUID), in: catalog)
            var whole: Set<String> = []
            for study in due where !study.named.isEmpty {
                let uid = study.item.studyInstanceUID
                let present = try StudyFollower.read { () throws(CatalogError) in
                    try catalog.instances(Scope(studyUIDs: [uid]))
                }
                if study.named.isSubset(of: present.lazy.map(\.sopInstanceUID)) { whole.insert(uid) }
            }
            try encounters.change(by: "rule") { [whole] desk in
                for study in due {
                    let uid = study.item.studyInstanceUID
                    // What came meanwhile is looked at next.
                    guard try desk.records.settling(study: uid) == study.item else { continue }
                    try judge(study.item, states[uid], isWhole: whole.contains(uid), desk)
                }
            }
            studies += due.count
        }
    }

    private func judge(
        _ item: SettlingRecord, _ state: StudyState?, isWhole: Bool, _ desk: Desk
    ) throws {
        let (uid, now) = (item.studyInstanceUID, desk.records.now)
        let link = try desk.records.link(ofStudy: uid)
        let steps = try desk.records.performedSteps(ofStudy: uid)
        let notices = NoticeDesk(desk.records)
        var readiness = Readiness(quietAt: item.quietAt)
        readiness.isGone = state == nil
        readiness.isWhole = isWhole
        readiness.isUnderWay = steps.contains { $0.status == PerformedStepStatus.inProgress.rawValue }
        for destination in rules.destinations {
            if try notices.isTold(destination, study: uid) { readiness.isTold = true }
            if try notices.hasMoved(destination, study: uid, now: link) { readiness.hasMoved = true }
        }
        if case .later(let at) = readiness.answer(now: now, rules) {
            return try desk.records.postponeSettling(study: uid, until: at)
        }
        let isQuiet = now >= item.quietAt
        if isQuiet, steps.isEmpty, rules.completesProcedures, state != nil { try complete(link, desk) }
        for destination in rules.destinations { try notices.tell(destination, study: uid, state) }
        // Put right while images still come: they are waited for.
        if readiness.hasMoved, !isQuiet {
            try desk.records.postponeSettling(study: uid, until: item.quietAt)
        } else {
            try desk.records.removeSettling(study: uid)
        }
    }

    /// A modality that reports nothing: it is done when no more images come.
    private func complete(_ link: StudyLinkRecord?, _ desk: Desk) throws {
        guard let id = link?.target.procedure else { return }
        let procedure = try desk.records.procedure(id: id)
        guard ProcedureState(word: procedure.state) == .inProgress else { return }
        _ = try desk.orders.step(.complete, procedure, reason: OrderDesk.noMoreImagesCame)
    }

    /// The objects that a modality says it made, once it is done with all of its steps.
    private static func named(_ steps: [PerformedStepRecord]) throws -> Set<String> {
        let statuses = steps.compactMap { PerformedStepStatus(rawValue: $0.status) }
        guard statuses.contains(.completed), statuses.allSatisfy(\.isFinal) else { return [] }
        return Set(
            steps.flatMap { step in
                ((try? PerformedStep(stored: step.dataSet))?.series ?? []).flatMap(\.instances)
            })
    }
}
