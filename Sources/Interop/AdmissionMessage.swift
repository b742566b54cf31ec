// ADT: people and visits (HL7 v2.5.1 Chapter 3).

import Encounters
import HL7
import Records

struct AdmissionMessage {
    let message: Message
    let desk: Desk

    private var segments: PatientSegments {
        PatientSegments(message: message, settings: desk.settings, now: desk.records.now)
    }

    /// A visit's event, with the person it is about.
    func apply(_ event: EncounterEvent) throws -> [Acknowledgement.Issue] {
        let (facts, warnings) = try segments.patient()
        // The visit may be older than what another message said of the person.
        let visit = segments.visit()
        let patient = try Application.at(Location("PID", 3)) {
            try desk.patients.register(facts, older: visit == nil ? .refused : .ignored)
        }
        guard let visit else {
            // Outpatients at small hospitals have no visit numbers; the person is known all the same.
            guard event == .update || event == .register else {
                throw MessageFault(.requiredFieldMissing, at: Location("PV1", 19), "the visit number is required")
            }
            return warnings + (try relink(patient))
        }
        _ = try Application.at(Location("PV1", 19)) { try desk.encounters.apply(event, visit, patient: patient) }
        return warnings + (try relink(patient))
    }

    /// A28, A31: the person alone.
    func person() throws -> [Acknowledgement.Issue] {
        let (facts, warnings) = try segments.patient()
        let patient = try Application.at(Location("PID", 3)) { try desk.patients.register(facts) }
        return warnings + (try relink(patient))
    }

    /// A40: MRG is the same person as PID.
    func merge() throws -> [Acknowledgement.Issue] {
        let prior = try segments.prior()
        let (facts, warnings) = try segments.patient()
        let survivor = try Application.at(Location("PID", 3)) { try desk.patients.register(facts, older: .ignored) }
        try Application.at(Location("MRG", 1)) {
            try desk.patients.merge(prior, into: survivor, reason: "ADT^A40", asOf: segments.asOf)
        }
        return warnings + (try relink(survivor))
    }

    /// A45: the visit MRG-5 belongs to PID.
    func moveVisit() throws -> [Acknowledgement.Issue] {
        let prior = try segments.prior()
        let (facts, warnings) = try segments.patient()
        guard let number = ExtendedCompositeID(message["MRG", 5].first) ?? ExtendedCompositeID(message["PV1", 19].first)
        else { throw MessageFault(.requiredFieldMissing, at: Location("MRG", 5), "the visit number is required") }
        let patient = try Application.at(Location("PID", 3)) { try desk.patients.register(facts, older: .ignored) }
        _ = try Application.at(Location("MRG", 5)) {
            try desk.encounters.move(
                issuer: number.assigningAuthority?.namespace ?? desk.settings.issuer, number: number.id, from: prior,
                to: patient, asOf: segments.asOf)
        }
        return warnings + (try relink(patient))
    }

    /// A47: MRG-1 is replaced by the first of PID-3.
    func changeIdentifier() throws -> [Acknowledgement.Issue] {
        let prior = try segments.prior()
        let (facts, warnings) = try segments.patient()
        guard let new = facts.identifiers.first(where: { $0.type == prior.type }) else {
            throw MessageFault(
                .requiredFieldMissing, at: Location("PID", 3), "an identifier of the same type is required")
        }
        try Application.at(Location("MRG", 1)) { try desk.patients.replace(prior, by: new, asOf: segments.asOf) }
        let patient = try Application.at(Location("PID", 3)) { try desk.patients.register(facts, older: .ignored) }
        return warnings + (try relink(patient))
    }

    /// Studies that waited for this person.
    private func relink(_ patient: PatientRecord) throws -> [Acknowledgement.Issue] {
        try desk.links.reconsider(patient: patient)
        return []
    }
}
