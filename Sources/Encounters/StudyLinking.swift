// Which procedure a study belongs to: decided by rules that say why, or left to a person.

import DICOMCore
package import Records

/// Where a study could belong, how sure that is, and why.
package struct LinkCandidate: Hashable, Sendable {
    package let target: LinkTarget
    package let method: LinkMethod
    /// 0 to 1; from `StudyLinking.certain` on it is linked without asking.
    package let score: Double
    /// One sentence, without patient data.
    package let reason: String
}

/// The rules. Candidates are found by index only: the cost does not grow with the number of orders.
package struct StudyLinking {
    /// From here on nobody is asked.
    package static let certain = 0.9
    /// A study may be taken so long before and after its scheduled time, in microseconds.
    static let window: (before: Int64, after: Int64) = (12 * 3_600_000_000, 48 * 3_600_000_000)

    let records: RecordTransaction
    /// Of this site's patient codes.
    let issuer: String

    package init(_ records: RecordTransaction, issuer: String) {
        self.records = records
        self.issuer = issuer
    }

    /// Where a study could belong, the best first.
    package func candidates(_ study: StudyFacts) throws -> [LinkCandidate] {
        let people = try people(of: study)
        let numbered = try byNumber(study, people)
        return Self.ordered(try numbered + byPatient(study, people, numbered))
    }

    /// The candidate that needs nobody's decision; it is what `decided` says of all candidates.
    package func decision(_ study: StudyFacts) throws -> LinkCandidate? {
        let people = try people(of: study)
        let numbered = try byNumber(study, people)
        // What the patient's orders say is never as sure: they are not looked at.
        if let sure = Self.decided(Self.ordered(numbered)), sure.score > Self.surestByPatient { return sure }
        return Self.decided(Self.ordered(try numbered + byPatient(study, people, numbered)))
    }

    private static func ordered(_ found: [LinkCandidate]) -> [LinkCandidate] {
        var seen = Set<LinkTarget>()
        return found.sorted { $0.score > $1.score }.filter { seen.insert($0.target).inserted }
    }

    /// By the UID and the number that the study names.
    private func byNumber(_ study: StudyFacts, _ people: People) throws -> [LinkCandidate] {
        var found: [LinkCandidate] = []
        if let procedure = try records.procedure(studyInstanceUID: study.studyInstanceUID) {
            found.append(try judge(procedure, study, people, .studyInstanceUID, alone: true))
        }
        if !study.accessionNumber.isEmpty {
            let procedures = try records.procedures(accessionNumber: study.accessionNumber)
            let fitting = procedures.filter { fits($0, study) }
            for procedure in procedures {
                let isAlone = procedures.count == 1 || fitting.count == 1 && fitting[0].id == procedure.id
                found.append(try judge(procedure, study, people, .accession, alone: isAlone))
            }
        }
        return found
    }

    /// The candidate that needs nobody's decision: certain, and no other as good.
    package static func decided(_ candidates: [LinkCandidate]) -> LinkCandidate? {
        guard let best = candidates.first, best.score >= certain else { return nil }
        let rival = candidates.dropFirst().first { $0.target.procedure != nil && $0.score >= best.score }
        return rival == nil ? best : nil
    }

    // MARK: Rules

    /// Who the study may be of.
    private struct People {
        /// By the patient code; several facilities may use one code.
        var byCode: [PatientRecord] = []
        /// By name and birth date.
        var byName: [PatientRecord] = []
    }

    private func people(of study: StudyFacts) throws -> People {
        var people = People()
        if !study.patientID.isEmpty {
            let issuer = study.issuerOfPatientID.isEmpty ? nil : study.issuerOfPatientID
            people.byCode = try records.patients(
                identifierValue: study.patientID, type: PatientIdentifier.medicalRecord, issuer: issuer)
            // Modalities know nothing of issuers, and some consoles are given the citizen number. What another hospital
            // calls its patient means nobody of ours.
            if people.byCode.isEmpty, issuer == nil || issuer == self.issuer {
                people.byCode = try records.patients(identifierValue: study.patientID, type: nil, issuer: nil)
            }
        }
        let nameKey = Fold.fold(study.patientName)
        if !nameKey.isEmpty {
            let birthDate = study.patientBirthDate.isEmpty ? nil : study.patientBirthDate
            people.byName = try records.patients(nameKey: nameKey, birthDate: birthDate, limit: 20)
        }
        return people
    }

    /// Whether a study can be of a procedure by its modality.
    private func fits(_ procedure: ProcedureRecord, _ study: StudyFacts) -> Bool {
        procedure.details.modality.isEmpty || study.modalities.isEmpty
            || study.modalities.contains(procedure.details.modality)
    }

    /// What the study says of its patient, against whom the procedure is for.
    private enum Agreement { case code, name, silent, none }

    private func agreement(_ study: StudyFacts, _ root: PatientRecord, _ people: People) -> Agreement {
        if people.byCode.contains(where: { $0.root == root.root }) { return .code }
        // The code is somebody else's: a name that agrees is another person's of that name.
        if !people.byCode.isEmpty { return .none }
        let isNamed = Fold.fold(study.patientName) == Fold.fold(root.demographics.name)
        let born = study.patientBirthDate
        let isBorn = born.isEmpty || root.demographics.birthDate.isEmpty || born.hasPrefix(root.demographics.birthDate)
        if isNamed, isBorn { return .name }
        return study.patientID.isEmpty && study.patientName.isEmpty ? .silent : .none
    }

    private func judge(
        _ procedure: ProcedureRecord, _ study: StudyFacts, _ people: People, _ method: LinkMethod, alone: Bool
    ) throws -> LinkCandidate {
        let root = try records.root(of: procedure.patient)
        let what =
            method == .studyInstanceUID
            ? "The Study Instance UID was given with the order" : "The Accession Number is the order's"
        var (score, reason): (Double, String) =
            switch agreement(study, root, people) {
            case .code: (method == .studyInstanceUID ? 1 : 0.98, "\(what), and the patient code agrees.")
            case .name: (method == .studyInstanceUID ? 0.97 : 0.95, "\(what), and the patient's name agrees.")
            case .silent: (method == .studyInstanceUID ? 0.95 : 0.9, "\(what); the images name no patient.")
            case .none: (0.5, "\(what), but the images name another patient.")
            }
        if !alone {
            score = min(score, 0.7)
            reason += " Several procedures share the number."
        } else if !fits(procedure, study) {
            score -= 0.05
            reason += " The modality is another."
        }
        if procedure.state == ProcedureState.cancelled.rawValue {
            score = min(score, 0.6)
            reason += " The order was cancelled."
        }
        return LinkCandidate(
            target: LinkTarget(procedure: procedure.id, encounter: procedure.encounter, patient: procedure.patient),
            method: method, score: score, reason: reason)
    }

    private static let surestByPatient = 0.92

    /// Open procedures of the patient for the modality around the time of the study.
    /// - Parameter named: those that the study names by UID or accession number.
    private func byPatient(
        _ study: StudyFacts, _ people: People, _ named: [LinkCandidate]
    ) throws -> [LinkCandidate] {
        let numbered = named.compactMap(\.target.procedure)
        let isCoded = !people.byCode.isEmpty
        let persons = isCoded ? people.byCode : people.byName
        let at = LocalTime.instant(study.startedAt) ?? records.now
        let (from, through) = (at - Self.window.after, at + Self.window.before)
        var found: [LinkCandidate] = []
        for person in persons {
            let procedures = try records.procedures(
                of: person, from: LocalTime.text(from), through: LocalTime.text(through), limit: 50
            ).filter { ProcedureState(word: $0.state).isOpen && fits($0, study) && !$0.details.modality.isEmpty }
            // A procedure that has its study is not asked for a second one.
            let taken = try records.linked(procedures: procedures.map(\.id))
            let free = procedures.filter { !taken.contains($0.id) }
            let isOnly = isCoded && persons.count == 1 && free.count == 1 && agreesByName(study, person)
            for procedure in free {
                // What the images say of their order comes first, also while that order is on its way.
                let isSure =
                    isOnly && numbered.allSatisfy { $0 == procedure.id }
                    && (study.accessionNumber.isEmpty || study.accessionNumber == procedure.accession.value)
                let reason =
                    isSure
                    ? "The patient code and name agree, and this is the patient's only open order for the modality."
                    : isCoded
                        ? "The patient has an open order for the modality at about this time."
                        : "A patient of this name has an open order for the modality at about this time."
                found.append(
                    LinkCandidate(
                        target: LinkTarget(
                            procedure: procedure.id, encounter: procedure.encounter, patient: procedure.patient),
                        method: .patient, score: isSure ? Self.surestByPatient : isCoded ? 0.7 : 0.5,
                        reason: reason))
            }
            // Without an order the patient alone is offered, never taken.
            found.append(
                LinkCandidate(
                    target: LinkTarget(procedure: nil, encounter: nil, patient: person.id), method: .patient,
                    score: isCoded ? 0.4 : 0.3,
                    reason: isCoded ? "The patient code agrees." : "The patient's name agrees."))
        }
        return found
    }

    private func agreesByName(_ study: StudyFacts, _ person: PatientRecord) -> Bool {
        study.patientName.isEmpty || Fold.fold(study.patientName) == Fold.fold(person.demographics.name)
    }
}
