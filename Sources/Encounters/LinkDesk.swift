// Links made, decided, undone, and looked at again when the records behind them change.

import DICOMCore
package import Records

/// The links of one transaction.
package struct LinkDesk {
    let records: RecordTransaction
    let settings: OrderSettings
    /// `rule`, or the account that decides.
    let actor: String

    package init(_ records: RecordTransaction, settings: OrderSettings, actor: String) {
        self.records = records
        self.settings = settings
        self.actor = actor
    }

    /// A study came, or more of it: linked when a rule is certain, otherwise into the inbox. A link that holds stays.
    /// - Returns: The link that holds now.
    @discardableResult
    package func arrived(_ study: StudyFacts) throws -> StudyLinkRecord? {
        if let link = try records.link(ofStudy: study.studyInstanceUID) {
            try begin(link.target)
            return link
        }
        let held = try records.inbox(study: study.studyInstanceUID)?.isHeld ?? false
        let best = held ? nil : try StudyLinking(records, issuer: settings.issuer).decision(study)
        guard let best else {
            try records.putInbox(study, nameKey: Fold.fold(study.patientName), isHeld: false)
            return nil
        }
        try make(study.studyInstanceUID, best)
        return try records.link(ofStudy: study.studyInstanceUID)
    }

    /// An order or a patient came to be known, or changed: only what waits and could belong there is looked at again. A
    /// name alone links nothing, so those who share it are left alone.
    /// - Returns: How many studies were linked.
    @discardableResult
    package func reconsider(patient: PatientRecord) throws -> Int {
        let root = try records.root(of: patient.id)
        let codes = try records.identifiers(of: root).map(\.value)
        var (linked, last) = (0, "")
        while true {
            let waiting = try records.inbox(of: root, patientIDs: codes, beyond: last, limit: Self.page)
            for item in waiting where try arrived(item.facts) != nil { linked += 1 }
            guard waiting.count == Self.page, let end = waiting.last else { return linked }
            last = end.facts.studyInstanceUID
        }
    }

    private static let page = 200

    /// The Study Instance UIDs that an order gave were used before it came.
    @discardableResult
    package func reconsider(study uid: String) throws -> Bool {
        guard let item = try records.inbox(study: uid), !item.isHeld else { return false }
        return try arrived(item.facts) != nil
    }

    /// A person decides: an earlier link is undone, and kept.
    package func decide(study uid: String, target: LinkTarget, reason: String) throws {
        let target = try checked(target)
        if let link = try records.link(ofStudy: uid) {
            if link.target == target { return }
            try end(link)
        }
        try records.addLink(
            study: uid, to: target, method: .person, score: 1,
            reason: reason.isEmpty ? "Somebody decided." : reason, actor: actor)
        try begin(target)
    }

    /// A link is taken away: the study waits for a person, and no rule links it again. The link before, if a person
    /// replaced one, is not restored by itself.
    package func undo(study: StudyFacts, reason: String = "") throws {
        guard let link = try records.link(ofStudy: study.studyInstanceUID) else {
            throw EncounterFailure.conflict(reason: "This study is not linked")
        }
        try end(link, reason: reason)
        try records.putInbox(study, nameKey: Fold.fold(study.patientName), isHeld: true)
    }

    /// A study was deleted: it belongs nowhere, and waits for nobody. Sent again, it is judged anew.
    package func deleted(study uid: String) throws {
        try records.removeInbox(study: uid)
        guard let link = try records.link(ofStudy: uid) else { return }
        try end(link, reason: "the study was deleted")
    }

    /// Ends a link, and what its images alone did to the procedure.
    private func end(_ link: StudyLinkRecord, reason: String = "") throws {
        try records.undoLink(link, actor: actor, reason: reason)
        guard let id = link.target.procedure, try records.links(procedure: id).isEmpty else { return }
        try OrderDesk(records, settings: settings, actor: actor).takeBackImages(ofProcedure: id)
    }

    private func make(_ uid: String, _ candidate: LinkCandidate) throws {
        try records.addLink(
            study: uid, to: candidate.target, method: candidate.method, score: candidate.score,
            reason: candidate.reason, actor: actor)
        try begin(candidate.target)
    }

    /// Images are there: the procedure has begun. A modality that reports of its work says so itself, and also that it
    /// gave up.
    private func begin(_ target: LinkTarget) throws {
        guard let id = target.procedure else { return }
        let procedure = try records.procedure(id: id)
        let state = ProcedureState(word: procedure.state)
        guard state == .ordered || state == .scheduled || state == .arrived,
            try records.performedSteps(procedure: id).isEmpty
        else { return }
        try OrderDesk(records, settings: settings, actor: actor).carry(
            .start, procedure, reason: OrderDesk.imagesCame)
    }

    /// What a person names must be there, and belong together.
    private func checked(_ target: LinkTarget) throws -> LinkTarget {
        if let id = target.procedure {
            let procedure = try records.procedure(id: id)
            return LinkTarget(procedure: id, encounter: procedure.encounter, patient: procedure.patient)
        }
        if let id = target.encounter {
            return LinkTarget(procedure: nil, encounter: id, patient: try records.encounter(id: id).patient)
        }
        return LinkTarget(procedure: nil, encounter: nil, patient: try records.patient(id: target.patient).id)
    }
}
