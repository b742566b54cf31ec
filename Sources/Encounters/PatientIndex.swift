// Who is who: people found by their identifiers, registered once, merged and taken apart again.

import DICOMCore
package import Records

/// What a message says of a person.
package struct PatientFacts: Sendable {
    /// In the order of trust.
    package let identifiers: [PatientIdentifier]
    /// When this was true, microseconds since 1970.
    package let asOf: Int64
    /// Writes what is said into what is known; what is not said stays.
    package let amend: @Sendable (inout Demographics) -> Void

    package init(
        identifiers: [PatientIdentifier], asOf: Int64, amend: @escaping @Sendable (inout Demographics) -> Void
    ) {
        self.identifiers = identifiers
        self.asOf = asOf
        self.amend = amend
    }
}

extension PatientFacts {
    /// The folded name that is said; empty where none is.
    var name: String {
        var said = Demographics()
        amend(&said)
        return Fold.fold(said.name)
    }
}

/// What a patient code of a merged row means.
package enum RetiredCode: Sendable {
    /// The sender has to learn of the merge.
    case refused
    /// The survivor: what it is about was begun before the merge.
    case followed
}

/// What becomes of demographics that are older than what is known.
package enum OlderFacts: Sendable {
    case refused
    /// The message is about something else: the newer ones stay.
    case ignored
}

/// The people of one transaction.
package struct PatientIndex {
    let records: RecordTransaction
    /// Who asks for the change, for the history.
    let actor: String

    package init(_ records: RecordTransaction, actor: String) {
        self.records = records
        self.actor = actor
    }

    // MARK: Registering

    /// Finds or adds a person, and brings what is known of them up to date.
    ///
    /// Who it is, `meant` says. Every other identifier that somebody else holds stays with them, and the claim is noted: two people, or
    /// one registered twice. What was said before an identifier was replaced is about the person who had it then.
    /// - Parameters:
    ///   - older: what becomes of demographics that are older than those that are known.
    ///   - retired: what a patient code of a merged row means, where nothing else in the message names the survivor.
    /// - Throws: `.merged`, `.outdated`, `.invalid`.
    package func register(
        _ facts: PatientFacts, older: OlderFacts = .refused, retired: RetiredCode = .refused
    ) throws -> PatientRecord {
        guard !facts.identifiers.isEmpty else {
            throw EncounterFailure.invalid(field: "PatientID", reason: "an identifier is needed")
        }
        guard let row = try meant(by: facts) else {
            let patient = try add(facts)
            try claim(facts.identifiers, for: patient, at: facts.asOf)
            return patient
        }
        let patient: PatientRecord
        if row.mergedInto == nil {
            patient = try update(row, facts, older)
        } else {
            let codes = facts.identifiers.filter { $0.type == PatientIdentifier.medicalRecord }
            let isNamed = try codes.dropFirst().contains { try holder(of: $0, at: facts.asOf)?.id == row.root }
            guard codes.isEmpty || isNamed || retired == .followed else { throw EncounterFailure.merged }
            patient = try survivor(of: row, facts, older)
        }
        try claim(facts.identifiers, for: patient, at: facts.asOf)
        return patient
    }

    /// Brings what is known of a person up to date who was found by their row.
    package func amend(_ patient: PatientRecord, _ facts: PatientFacts) throws -> PatientRecord {
        let amended = try update(patient, facts, .refused)
        try claim(facts.identifiers, for: amended, at: facts.asOf)
        return amended
    }

    /// The person that a merged row is seen as, unless the message is about somebody else.
    private func survivor(of row: PatientRecord, _ facts: PatientFacts, _ older: OlderFacts) throws -> PatientRecord {
        let root = try records.root(of: row.id)
        let name = facts.name
        if name.isEmpty || name == Fold.fold(root.demographics.name) { return try update(root, facts, older) }
        // The name that went with the code is no new one of the survivor.
        guard name == Fold.fold(row.demographics.name) else { throw EncounterFailure.merged }
        return root
    }

    /// The row of the person that facts are about, merged ones as they are; nil for somebody who is not known yet. The first
    /// patient code says who it is; cards and citizen numbers are mistyped and lent, they decide only where there is no code.
    package func meant(by facts: PatientFacts) throws -> PatientRecord? {
        let code = facts.identifiers.first { $0.type == PatientIdentifier.medicalRecord }
        return try (code ?? facts.identifiers.first).flatMap { try holder(of: $0, at: facts.asOf) }
    }

    /// The row that an identifier means in what was said at an instant.
    private func holder(of identifier: PatientIdentifier, at instant: Int64) throws -> PatientRecord? {
        let id = try records.owner(of: identifier) ?? records.formerOwner(of: identifier, at: instant)
        return try id.map { try records.patient(id: $0) }
    }

    /// Holds what a person typed against what is known of the patient they name.
    /// - Throws: `.invalid` for a new patient without a name, `.conflict` for a code that is another person's.
    package func check(entered facts: PatientFacts) throws {
        guard let known = try meant(by: facts) else {
            guard facts.name.isEmpty else { return }
            throw EncounterFailure.invalid(field: "PatientName", reason: "a patient who is not known yet needs a name")
        }
        let name = Fold.fold(try records.root(of: known.id).demographics.name)
        guard facts.name.isEmpty || name.isEmpty || facts.name == name else {
            throw EncounterFailure.conflict(reason: "The patient of this code has another name")
        }
    }

    private func add(_ facts: PatientFacts) throws -> PatientRecord {
        var demographics = Demographics()
        facts.amend(&demographics)
        try check(demographics)
        return try records.addPatient(demographics, nameKey: Fold.fold(demographics.name), asOf: facts.asOf)
    }

    private func update(_ patient: PatientRecord, _ facts: PatientFacts, _ older: OlderFacts) throws -> PatientRecord {
        if facts.asOf < patient.asOf {
            guard older == .ignored else { throw EncounterFailure.outdated(what: "patient") }
            return patient
        }
        var demographics = patient.demographics
        facts.amend(&demographics)
        try check(demographics, before: patient.demographics)
        let nameKey = Fold.fold(demographics.name)
        if demographics.differs(from: patient.demographics) {
            try records.note(
                .changed, patient: patient.id, other: nil, actor: actor, reason: "name, birth date or sex changed",
                before: patient.demographics)
        }
        try records.setDemographics(demographics, nameKey: nameKey, asOf: facts.asOf, patient: patient.id)
        if demographics.name != patient.demographics.name { try renameProcedures(of: patient.id) }
        return try records.patient(id: patient.id)
    }

    /// Whether what is said anew can be kept and written into images. What was kept before there was this check stays as
    /// it is while something else is said: no change of an address has to wait for the name to be put right.
    private func check(_ demographics: Demographics, before: Demographics = Demographics()) throws {
        if demographics.name != before.name { try check(name: demographics.name) }
        guard
            demographics.birthDate == before.birthDate
                || demographics.birthDate.wholeMatch(of: /([0-9]{4}([0-9]{2}([0-9]{2})?)?)?/) != nil
        else {
            throw EncounterFailure.invalid(field: "PatientBirthDate", reason: "yyyy, yyyymm or yyyymmdd")
        }
    }

    private func check(name: String) throws {
        // PS3.5 Table 6.2-1: 64 characters per component group.
        guard name.split(separator: "=").allSatisfy({ $0.unicodeScalars.count <= 64 }) else {
            throw EncounterFailure.invalid(field: "PatientName", reason: "64 characters at most")
        }
        let isWritable = name.unicodeScalars.allSatisfy {
            $0 != "\\" && $0.properties.generalCategory != .control
        }
        guard isWritable else {
            throw EncounterFailure.invalid(field: "PatientName", reason: "no control characters and no backslash")
        }
    }

    private func claim(_ identifiers: [PatientIdentifier], for patient: PatientRecord, at instant: Int64) throws {
        for identifier in identifiers {
            guard let owner = try records.owner(of: identifier) else {
                // What has been replaced since is not given out again.
                if try records.formerOwner(of: identifier, at: instant) != nil { continue }
                try records.addIdentifier(identifier, patient: patient.id)
                continue
            }
            guard try records.patient(id: owner).root != patient.root else { continue }
            let isNoted = try records.events(ofPatient: patient.id).contains {
                $0.kind == PatientEvent.Kind.contested.rawValue && $0.other == owner
            }
            if isNoted { continue }
            try records.note(
                .contested, patient: patient.id, other: owner, actor: actor,
                reason: "an identifier of type \(identifier.type) belongs to another patient")
        }
    }

    /// Worklists find the procedures of all of a person's rows by the name that the person is shown under.
    private func renameProcedures(of id: Int64) throws {
        let root = try records.root(of: id)
        try records.setNameKey(Fold.fold(root.demographics.name), patients: records.rows(of: root))
    }

    // MARK: Merging

    /// One person under two identifiers: the prior one becomes a part of the survivor. Visits, procedures and links stay
    /// with their rows, so that this can be taken back. An identifier that nobody holds gets a row of its own: images may
    /// have come under it before anybody told of its patient.
    /// - Parameter instant: when that was true; what a person took apart since stays apart.
    package func merge(
        _ prior: PatientIdentifier, into survivor: PatientRecord, reason: String, asOf instant: Int64? = nil
    ) throws {
        if let owner = try records.owner(of: prior) {
            if let instant { try checkApart(owner, survivor, since: instant) }
            return try merge(owner, into: survivor.id, reason: reason)
        }
        let nameKey = Fold.fold(survivor.demographics.name)
        let row = try records.addPatient(survivor.demographics, nameKey: nameKey, asOf: survivor.asOf)
        try records.addIdentifier(prior, patient: row.id)
        try merge(row.id, into: survivor.id, reason: reason)
    }

    private func checkApart(_ prior: Int64, _ survivor: PatientRecord, since instant: Int64) throws {
        let rows = Set(try records.rows(of: survivor).map(\.id))
        let isUndone = try records.events(ofPatient: prior).contains { event in
            event.kind == PatientEvent.Kind.merge.rawValue && event.patient == prior
                && event.other.map(rows.contains) == true && event.undoneAt.map { $0 > instant } == true
        }
        if isUndone { throw EncounterFailure.outdated(what: "merge") }
    }

    package func merge(_ prior: Int64, into survivor: Int64, reason: String) throws {
        let (prior, survivor) = try (records.patient(id: prior), records.patient(id: survivor))
        guard survivor.mergedInto == nil else { throw EncounterFailure.merged }
        if prior.root == survivor.root, prior.id != survivor.id { return }
        guard prior.id != survivor.id else {
            throw EncounterFailure.conflict(reason: "A patient cannot be merged into itself")
        }
        try records.setMerged(prior.root, into: survivor.id)
        try records.note(.merge, patient: prior.root, other: survivor.id, actor: actor, reason: reason)
        try renameProcedures(of: survivor.id)
    }

    /// Takes the last merge of a row back.
    package func unmerge(_ id: Int64) throws {
        let patient = try records.patient(id: id)
        guard patient.mergedInto != nil else {
            throw EncounterFailure.conflict(reason: "This patient is not merged into another")
        }
        let merge = try records.events(ofPatient: id).first {
            $0.kind == PatientEvent.Kind.merge.rawValue && $0.patient == id && $0.undoneAt == nil
        }
        try records.setMerged(id, into: nil)
        if let merge { try records.undo(merge, actor: actor) }
        try renameProcedures(of: id)
        try renameProcedures(of: patient.root)
    }

    /// Two people are noted as belonging together, and stay two.
    package func link(_ first: Int64, _ second: Int64, reason: String) throws {
        let (first, second) = try (records.root(of: first), records.root(of: second))
        guard first.id != second.id else {
            throw EncounterFailure.conflict(reason: "These are one patient already")
        }
        try records.note(.link, patient: first.id, other: second.id, actor: actor, reason: reason)
    }

    /// A patient's identifier is replaced by another one of the same patient.
    /// - Parameter instant: from when that is true; nil for now.
    package func replace(
        _ old: PatientIdentifier, by new: PatientIdentifier, asOf instant: Int64? = nil
    ) throws {
        guard let owner = try records.owner(of: old) else { throw EncounterFailure.unknown(what: "patient") }
        if let holder = try records.owner(of: new) {
            guard try records.patient(id: holder).root == records.patient(id: owner).root else {
                throw EncounterFailure.conflict(reason: "The new identifier belongs to another patient; merge them")
            }
        } else {
            try records.addIdentifier(new, patient: owner)
        }
        if old != new { try records.endIdentifier(old, at: instant) }
    }
}

extension Demographics {
    /// Whether it is told of another person than before, as far as that can be seen; what was not known is no change.
    func differs(from before: Demographics) -> Bool {
        [(\Demographics.name), \.birthDate, \.sex].contains { path in
            !before[keyPath: path].isEmpty && before[keyPath: path] != self[keyPath: path]
        }
    }
}
