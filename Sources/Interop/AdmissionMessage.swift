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

    /// A40: each MRG is the same person as the PID before it. All of them are merged, or none.
    func merge() throws -> [Acknowledgement.Issue] {
        var warnings: [Acknowledgement.Issue] = []
        for pair in try pairs() {
            let priors = try segments.priors(pair.prior)
            let (facts, found) = try segments.patient(pair.person)
            let survivor = try Application.at(Location("PID", occurrence: pair.person, 3)) {
                try desk.patients.register(facts, older: .ignored)
            }
            try Application.at(Location("MRG", occurrence: pair.prior, 1)) {
                for prior in priors {
                    try desk.patients.merge(prior, into: survivor, reason: "ADT^A40", asOf: segments.asOf)
                }
            }
            warnings += found + (try relink(survivor))
        }
        return warnings
    }

    /// The most merges of one message: while they are done nobody else writes.
    private static let mostMerges = 100

    /// Which MRG follows which PID (HL7 v2.5.1 Section 3.3.40: the pair repeats), both counted from 1.
    private func pairs() throws -> [(person: Int, prior: Int)] {
        var (people, priors) = (0, 0)
        var pairs: [(person: Int, prior: Int)] = []
        func missing() -> MessageFault {
            MessageFault(
                .requiredFieldMissing, at: Location("MRG", occurrence: priors + 1, 1),
                "the prior patient identifier is required")
        }
        for segment in message.segments {
            if segment.name == "PID" {
                guard people == 0 || pairs.last?.person == people else { throw missing() }
                people += 1
            } else if segment.name == "MRG" {
                priors += 1
                pairs.append((max(people, 1), priors))
            }
        }
        guard let last = pairs.last, last.person >= people else { throw missing() }
        guard pairs.count <= Self.mostMerges else {
            throw MessageFault(
                .internalError, at: Location("MRG", occurrence: Self.mostMerges + 1),
                "the message holds \(pairs.count) merges, more than the \(Self.mostMerges) that are taken in one")
        }
        return pairs
    }

    /// A45: the visit MRG-5 belongs to PID; MRG may repeat.
    func moveVisit() throws -> [Acknowledgement.Issue] {
        let (facts, warnings) = try segments.patient()
        let (merges, visits) = (message.segments("MRG"), message.segments("PV1"))
        let patient = try Application.at(Location("PID", 3)) { try desk.patients.register(facts, older: .ignored) }
        for index in 0..<max(merges.count, 1) {
            let merge = index < merges.count ? merges[index] : Segment("MRG")
            let visit = index < visits.count ? visits[index] : Segment("PV1")
            let place = Location("MRG", occurrence: index + 1, 5)
            guard let number = ExtendedCompositeID(merge[5].first) ?? ExtendedCompositeID(visit[19].first) else {
                throw MessageFault(.requiredFieldMissing, at: place, "the visit number is required")
            }
            let prior = try segments.priors(index + 1)[0]
            _ = try Application.at(place) {
                try desk.encounters.move(
                    issuer: number.assigningAuthority?.namespace ?? desk.settings.issuer, number: number.id,
                    from: prior, to: patient, asOf: segments.asOf)
            }
        }
        return warnings + (try relink(patient))
    }

    /// A47: MRG-1 is replaced by the first of its type in PID-3.
    func changeIdentifier() throws -> [Acknowledgement.Issue] {
        let priors = try segments.priors()
        let (facts, warnings) = try segments.patient()
        for prior in priors {
            guard let new = facts.identifiers.first(where: { $0.type == prior.type }) else {
                throw MessageFault(
                    .requiredFieldMissing, at: Location("PID", 3), "an identifier of the same type is required")
            }
            try Application.at(Location("MRG", 1)) {
                try desk.patients.replace(prior, by: new, asOf: segments.asOf)
            }
        }
        let patient = try Application.at(Location("PID", 3)) { try desk.patients.register(facts, older: .ignored) }
        return warnings + (try relink(patient))
    }

    /// Studies that waited for this person.
    private func relink(_ patient: PatientRecord) throws -> [Acknowledgement.Issue] {
        try desk.links.reconsider(patient: patient)
        return []
    }
}
