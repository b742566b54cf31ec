// Orders as people enter them: one piece of code for the terminal, the pages and programs.

import DICOMCore
package import Records

/// An order that a person or a program enters.
package struct OrderEntry: Sendable {
    /// Who it is for.
    package enum Person: Sendable {
        /// Number of a row of the records.
        case known(Int64)
        case told(PatientFacts)
    }

    /// What an order number means that is known already.
    package enum Repetition: Sendable {
        /// The order is changed.
        case changes
        /// It must be the same order, sent again because the answer was lost.
        case isTheSame
    }

    package let person: Person
    package let visit: EncounterFacts?
    /// With who ordered; one is made otherwise.
    package let number: String?
    /// At most 16 characters; one is made otherwise.
    package let accessionNumber: String?
    package var studyInstanceUID: String?
    /// The known patient has the name that is told from now on; otherwise another name is refused.
    package var renames = false
    package let amend: @Sendable (inout ProcedureDetails) -> Void

    package init(
        person: Person, visit: EncounterFacts?, number: String?, accessionNumber: String?,
        amend: @escaping @Sendable (inout ProcedureDetails) -> Void
    ) {
        self.person = person
        self.visit = visit
        self.number = number
        self.accessionNumber = accessionNumber
        self.amend = amend
    }
}

extension Desk {
    /// Enters an order with its person and its visit; studies that waited for it are linked.
    package func enter(_ entry: OrderEntry, repetition: OrderEntry.Repetition) throws -> OrderOutcome {
        let asOf = records.now
        let person =
            switch entry.person {
            case .known(let id): try records.root(of: id)
            case .told(let facts): try person(facts, entry)
            }
        let visit = try entry.visit.map { try encounters.visit($0, patient: person) }
        let placer = IssuedNumber(issuer: settings.issuer, value: entry.number ?? Self.madeNumber(asOf))
        if repetition == .isTheSame, let known = try records.procedure(placer: placer) {
            return try repeated(entry, known, person, visit)
        }
        var facts = OrderFacts(placer: placer, asOf: asOf, amend: entry.amend)
        if let accession = entry.accessionNumber {
            guard (1...16).contains(accession.count),
                accession.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x5C })
            else {
                throw EncounterFailure.invalid(
                    field: "accession", reason: "1 to 16 printable ASCII characters without spaces")
            }
            facts.accessionNumber = accession
        }
        facts.studyInstanceUID = entry.studyInstanceUID
        let outcome = try orders.apply(.new, facts, patient: person, encounter: visit)
        return try relinked(outcome, person)
    }

    private func person(_ facts: PatientFacts, _ entry: OrderEntry) throws -> PatientRecord {
        if !entry.renames { try patients.check(entered: facts) }
        return try patients.register(facts, older: .ignored)
    }

    private func repeated(
        _ entry: OrderEntry, _ known: ProcedureRecord, _ person: PatientRecord, _ visit: EncounterRecord?
    ) throws -> OrderOutcome {
        var details = known.details
        entry.amend(&details)
        if let at = LocalTime.instant(details.scheduledAt) { details.scheduledAt = LocalTime.text(at) }
        let isSame =
            try details == known.details && records.patient(id: known.patient).root == person.root
            && (entry.accessionNumber ?? known.accession.value) == known.accession.value
            && (entry.studyInstanceUID ?? known.studyInstanceUID) == known.studyInstanceUID
            && (visit == nil || visit?.id == known.encounter)
        guard isSame else {
            throw EncounterFailure.conflict(
                reason: "Another order has this number or this key; change that one instead")
        }
        return OrderOutcome(procedure: known, warning: nil)
    }

    /// A number that no hospital system gives: the time, and some chance for two at once.
    private static func madeNumber(_ now: Int64) -> String {
        "PHIM-\(LocalTime.text(now))-\(Int.random(in: 1000...9999))"
    }

    /// Changes what is known of an order.
    /// - Parameter version: `updatedAt` as who changes it has seen it; nil to change it whatever it is.
    package func change(
        order id: Int64, version: Int64?, visit: EncounterFacts? = nil,
        amend: @escaping @Sendable (inout ProcedureDetails) -> Void
    ) throws -> OrderOutcome {
        let known = try unchanged(id, since: version)
        let person = try records.root(of: known.patient)
        let visit = try visit.map { try encounters.visit($0, patient: person) }
        let facts = OrderFacts(placer: known.placer, asOf: records.now, amend: amend)
        return try relinked(try orders.apply(.change, facts, patient: person, encounter: visit), person)
    }

    /// Takes an order one step on.
    package func take(_ step: ProcedureStep, order id: Int64, version: Int64?, reason: String) throws -> OrderOutcome {
        try orders.step(step, try unchanged(id, since: version), reason: reason)
    }

    private func unchanged(_ id: Int64, since version: Int64?) throws -> ProcedureRecord {
        let known = try records.procedure(id: id)
        guard version == nil || version == known.updatedAt else {
            throw EncounterFailure.conflict(reason: "This order was changed meanwhile; look at it again")
        }
        return known
    }

    private func relinked(_ outcome: OrderOutcome, _ person: PatientRecord) throws -> OrderOutcome {
        try links.reconsider(study: outcome.procedure.studyInstanceUID)
        try links.reconsider(patient: person)
        return OrderOutcome(procedure: try records.procedure(id: outcome.procedure.id), warning: outcome.warning)
    }
}
