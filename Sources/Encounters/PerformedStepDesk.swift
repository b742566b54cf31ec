// Performed steps: kept whole, and carried on to the procedures that they belong to.

import DICOMCore
package import Records

/// What came of a report.
package struct PerformedStepOutcome: Sendable {
    package let sopInstanceUID: String
    package let studyInstanceUID: String
    /// Procedures that it belongs to; none for unscheduled work.
    package let procedures: [ProcedureRecord]
    /// Procedures whose state does not allow the step, such as cancelled ones: the report is kept all the same.
    package let unmoved: [ProcedureRecord]
    /// Procedures that it names and that are of another patient: it does not belong to them.
    package let ofOthers: [ProcedureRecord]
}

/// The performed steps of one transaction.
package struct PerformedStepDesk {
    let records: RecordTransaction
    let orders: OrderDesk

    package init(_ records: RecordTransaction, orders: OrderDesk) {
        self.records = records
        self.orders = orders
    }

    /// A modality began (N-CREATE). A refusal has changed nothing.
    package func create(
        _ uid: String, _ step: PerformedStep, peer: String
    ) throws -> Result<PerformedStepOutcome, PerformedStepFault> {
        guard try records.performedStep(uid) == nil else { return .failure(.duplicate) }
        do throws(PerformedStepFault) { try step.checkNew() } catch { return .failure(error) }
        let matches = try matches(of: step)
        let study = step.scheduled.first?.studyInstanceUID ?? ""
        try records.addPerformedStep(
            sopInstanceUID: uid, studyInstanceUID: study, status: PerformedStepStatus.inProgress.rawValue, peer: peer,
            dataSet: step.encoded())
        try records.addProcedures(matches.own.map(\.id), toPerformedStep: uid)
        return .success(try carryOn(uid, study, matches, .inProgress, reason: "the modality began"))
    }

    /// A modality went on or ended (N-SET). A refusal has changed nothing.
    package func set(
        _ uid: String, _ change: PerformedStep
    ) throws -> Result<PerformedStepOutcome, PerformedStepFault> {
        guard let known = try records.performedStep(uid) else { return .failure(.unknown) }
        guard PerformedStepStatus(rawValue: known.status) == .inProgress else { return .failure(.final) }
        let (step, status): (PerformedStep, PerformedStepStatus)
        do throws(PerformedStepFault) {
            status = try change.status() ?? .inProgress
            step = try PerformedStep(stored: try PerformedStep(stored: known.dataSet).encoded(changedBy: change))
        } catch { return .failure(error) }
        try records.setPerformedStep(uid, status: status.rawValue, dataSet: step.dataSet.bytes)
        let matches = try matches(of: step)
        try records.addProcedures(matches.own.map(\.id), toPerformedStep: uid)
        guard status.isFinal else {
            return .success(
                PerformedStepOutcome(
                    sopInstanceUID: uid, studyInstanceUID: known.studyInstanceUID, procedures: matches.own,
                    unmoved: [], ofOthers: matches.others))
        }
        let reason =
            status == .completed
            ? "the modality is done"
            : "the modality discontinued" + (step.discontinuationReason.map { ": \($0)" } ?? "")
        return .success(try carryOn(uid, known.studyInstanceUID, matches, status, reason: reason))
    }

    /// The procedures that a step belongs to: by Study Instance UID, by accession number, by scheduled step, whichever
    /// says it first. Unscheduled work belongs to none, and none is of another patient than the report names.
    package func procedures(of step: PerformedStep) throws -> [ProcedureRecord] { try matches(of: step).own }

    /// The procedures that a step names, and those of them that are of another patient.
    private func matches(of step: PerformedStep) throws -> (own: [ProcedureRecord], others: [ProcedureRecord]) {
        var (own, others): ([ProcedureRecord], [ProcedureRecord]) = ([], [])
        for scheduled in step.scheduled {
            guard let procedure = try procedure(of: scheduled), !own.contains(procedure), !others.contains(procedure)
            else { continue }
            if try agrees(step, procedure) { own.append(procedure) } else { others.append(procedure) }
        }
        return (own, others)
    }

    /// Whether the patient of a report is the procedure's, as far as it names one.
    private func agrees(_ step: PerformedStep, _ procedure: ProcedureRecord) throws -> Bool {
        let (code, name) = (step.patientID, Fold.fold(step.patientName))
        if code.isEmpty, name.isEmpty { return true }
        let root = try records.root(of: procedure.patient)
        if !code.isEmpty {
            if try records.identifiers(of: root).contains(where: { $0.value == code }) { return true }
            // The code of somebody else: a name that agrees is another person's of that name.
            guard try records.holders(identifierValue: code).isEmpty else { return false }
        }
        return !name.isEmpty && name == Fold.fold(root.demographics.name)
    }

    private func procedure(of step: PerformedStep.Scheduled) throws -> ProcedureRecord? {
        if let procedure = try records.procedure(studyInstanceUID: step.studyInstanceUID) { return procedure }
        let stepID = step.scheduledProcedureStepID
        guard step.accessionNumber.isEmpty else {
            let procedures = try records.procedures(accessionNumber: step.accessionNumber)
            let named = procedures.filter { $0.details.scheduledProcedureStepID == stepID }
            // One request may hold several procedures: then the scheduled step must say which.
            return procedures.count == 1 || named.count == 1 ? named.first ?? procedures.first : nil
        }
        guard !stepID.isEmpty else { return nil }
        let procedures = try records.procedures(scheduledProcedureStepID: stepID)
        return procedures.count == 1 ? procedures.first : nil
    }

    private func carryOn(
        _ uid: String, _ study: String, _ matches: (own: [ProcedureRecord], others: [ProcedureRecord]),
        _ status: PerformedStepStatus, reason: String
    ) throws -> PerformedStepOutcome {
        var unmoved: [ProcedureRecord] = []
        for procedure in matches.own {
            let others = try records.performedSteps(procedure: procedure.id).filter { $0.sopInstanceUID != uid }
                .compactMap { PerformedStepStatus(rawValue: $0.status) }
            guard let step = status.step(beside: others) else { continue }
            if ProcedureState(word: procedure.state).after(step) == nil {
                unmoved.append(procedure)
            } else {
                _ = try orders.step(step, procedure, reason: reason)
            }
        }
        return PerformedStepOutcome(
            sopInstanceUID: uid, studyInstanceUID: study, procedures: matches.own, unmoved: unmoved,
            ofOthers: matches.others)
    }
}
