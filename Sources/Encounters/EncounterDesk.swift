// Visits: opened, moved, closed and taken back, as the hospital's messages tell.

import Foundation
package import Records

/// What happened to a visit (HL7 v2.5.1 Section 3.3, trigger events of ADT).
package enum EncounterEvent: String, CaseIterable, Sendable {
    case admit, transfer, discharge, register, preadmit, toInpatient, toOutpatient, update
    case cancelAdmit, cancelTransfer, cancelDischarge
}

/// What a message says of a visit.
package struct EncounterFacts: Sendable {
    /// Who gave the number.
    package let issuer: String
    /// MA_LK, up to 100 characters.
    package let number: String
    /// When this was true, microseconds since 1970.
    package let asOf: Int64
    package let amend: @Sendable (inout EncounterDetails) -> Void

    package init(
        issuer: String, number: String, asOf: Int64, amend: @escaping @Sendable (inout EncounterDetails) -> Void
    ) {
        self.issuer = issuer
        self.number = number
        self.asOf = asOf
        self.amend = amend
    }
}

/// The visits of one transaction.
package struct EncounterDesk {
    let records: RecordTransaction
    /// Who asks for the change, for the history.
    let actor: String

    package init(_ records: RecordTransaction, actor: String) {
        self.records = records
        self.actor = actor
    }

    /// Applies an event to a visit. A visit that was opened before this archive listened is opened by what is first said
    /// of it; only what takes something back needs it to be known.
    package func apply(
        _ event: EncounterEvent, _ facts: EncounterFacts, patient: PatientRecord
    ) throws -> EncounterRecord {
        guard let known = try records.encounter(issuer: facts.issuer, number: facts.number) else {
            guard !event.takesBack else { throw EncounterFailure.unknown(what: "visit") }
            var details = EncounterDetails()
            facts.amend(&details)
            event.amend(&details, before: details)
            return try records.addEncounter(
                patient: patient.id, issuer: facts.issuer, number: facts.number, status: event.status ?? .inProgress,
                details: details, startedAt: LocalTime.instant(details.startedAt), asOf: facts.asOf)
        }
        guard facts.asOf >= known.asOf else { throw EncounterFailure.outdated(what: "visit") }
        guard try records.patient(id: known.patient).root == patient.root else {
            throw EncounterFailure.conflict(reason: "This visit belongs to another patient")
        }
        var details = known.details
        facts.amend(&details)
        event.amend(&details, before: known.details)
        try records.setEncounter(
            known.id, patient: known.patient, status: event.status ?? known.status, details: details,
            startedAt: LocalTime.instant(details.startedAt), asOf: facts.asOf)
        return try records.encounter(id: known.id)
    }

    /// The visit that an order names; opened when it is not known yet, for its admission may come later, and be older.
    package func visit(_ facts: EncounterFacts, patient: PatientRecord) throws -> EncounterRecord {
        guard let known = try records.encounter(issuer: facts.issuer, number: facts.number) else {
            let opening = EncounterFacts(issuer: facts.issuer, number: facts.number, asOf: 0, amend: facts.amend)
            return try apply(.update, opening, patient: patient)
        }
        guard try records.patient(id: known.patient).root == patient.root else {
            throw EncounterFailure.conflict(reason: "This visit belongs to another patient")
        }
        return known
    }

    /// A visit was booked on the wrong person: it goes to another with its procedures and links.
    /// - Parameter prior: whom the caller takes it to be of; it is refused when it is somebody else's.
    package func move(
        issuer: String, number: String, from prior: PatientIdentifier, to patient: PatientRecord, asOf: Int64
    ) throws -> EncounterRecord {
        guard let known = try records.encounter(issuer: issuer, number: number) else {
            throw EncounterFailure.unknown(what: "visit")
        }
        let holder = try records.root(of: known.patient)
        // Said twice is done once.
        if holder.id == patient.root { return known }
        guard try records.patient(identifiedBy: prior)?.id == holder.id else {
            throw EncounterFailure.conflict(reason: "This visit is not of the prior patient")
        }
        guard asOf >= known.asOf else { throw EncounterFailure.outdated(what: "visit") }
        try records.note(
            .visitMoved, patient: known.patient, other: patient.id, actor: actor,
            reason: "a visit was booked on the wrong person")
        try records.setEncounter(
            known.id, patient: patient.id, status: known.status, details: known.details,
            startedAt: LocalTime.instant(known.details.startedAt), asOf: asOf)
        try records.movePatient(ofEncounter: known.id, to: patient)
        return try records.encounter(id: known.id)
    }
}

extension EncounterEvent {
    var takesBack: Bool { self == .cancelAdmit || self == .cancelTransfer || self == .cancelDischarge }

    /// The status that follows; nil when it stays.
    var status: EncounterRecord.Status? {
        switch self {
        case .admit, .toInpatient, .cancelDischarge: .inProgress
        case .register: .arrived
        case .preadmit: .planned
        case .discharge: .finished
        case .cancelAdmit: .cancelled
        case .transfer, .update, .cancelTransfer, .toOutpatient: nil
        }
    }

    func amend(_ details: inout EncounterDetails, before: EncounterDetails) {
        switch self {
        case .toInpatient: details.patientClass = "I"
        case .toOutpatient: details.patientClass = "O"
        case .transfer:
            details.priorDepartment = before.department
            details.priorRoom = before.room
            details.priorBed = before.bed
        case .cancelTransfer:
            // PV1-3 names where the patient is again. Where it names nothing new it is where the patient was before, if
            // that is known (HL7 v2.5.1 Section 3.3.12).
            let isNamed =
                (details.department, details.room, details.bed) != (before.department, before.room, before.bed)
            let isKnown = ![before.priorDepartment, before.priorRoom, before.priorBed].allSatisfy(\.isEmpty)
            if !isNamed, isKnown {
                details.department = before.priorDepartment
                details.room = before.priorRoom
                details.bed = before.priorBed
            }
            details.priorDepartment = ""
            details.priorRoom = ""
            details.priorBed = ""
        case .cancelDischarge: details.endedAt = ""
        default: break
        }
    }
}
