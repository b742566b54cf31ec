// Orders: entered, changed, cancelled and followed. The study's UID is given here, before the first image.

import DICOMCore
import Foundation
package import Records

/// What an order message asks for (HL7 table 0119).
package enum OrderControl: String, CaseIterable, Sendable {
    case new = "NW"
    case change = "XO"
    case cancel = "CA"
    case discontinue = "DC"
    case status = "SC"
}

/// What a message says of an order.
package struct OrderFacts: Sendable {
    package let placer: IssuedNumber
    /// What the sender gave, when it can be an Accession Number; otherwise one is made.
    package var accessionNumber: String?
    package var studyInstanceUID: String?
    /// The step that a status message tells of.
    package var step: ProcedureStep?
    /// When this was true, microseconds since 1970.
    package let asOf: Int64
    package let amend: @Sendable (inout ProcedureDetails) -> Void

    package init(
        placer: IssuedNumber, asOf: Int64, amend: @escaping @Sendable (inout ProcedureDetails) -> Void
    ) {
        self.placer = placer
        self.asOf = asOf
        self.amend = amend
    }
}

extension OrderFacts {
    /// An order number without an issuer is of this site.
    func issued(by site: String) -> OrderFacts {
        guard placer.issuer.isEmpty, !site.isEmpty else { return self }
        var facts = OrderFacts(placer: IssuedNumber(issuer: site, value: placer.value), asOf: asOf, amend: amend)
        facts.accessionNumber = accessionNumber
        facts.studyInstanceUID = studyInstanceUID
        facts.step = step
        return facts
    }
}

/// What became of an order.
package struct OrderOutcome: Sendable {
    package let procedure: ProcedureRecord
    /// Something that a person may want to look at, such as the same procedure ordered twice.
    package let warning: String?
}

/// The orders of one transaction.
package struct OrderDesk {
    let records: RecordTransaction
    let settings: OrderSettings
    let actor: String

    package init(_ records: RecordTransaction, settings: OrderSettings, actor: String) {
        self.records = records
        self.settings = settings
        self.actor = actor
    }

    /// Applies an order message.
    package func apply(
        _ control: OrderControl, _ facts: OrderFacts, patient: PatientRecord, encounter: EncounterRecord?
    ) throws -> OrderOutcome {
        guard (1...64).contains(facts.placer.value.unicodeScalars.count) else {
            throw EncounterFailure.invalid(field: "order number", reason: "1 to 64 characters")
        }
        let facts = facts.issued(by: settings.issuer)
        guard let known = try records.procedure(placer: facts.placer) else {
            guard control == .new else { throw EncounterFailure.unknown(what: "order") }
            return try enter(facts, patient: patient, encounter: encounter)
        }
        guard try records.patient(id: known.patient).root == patient.root else {
            throw EncounterFailure.conflict(reason: "This order belongs to another patient")
        }
        guard facts.asOf >= known.asOf else { throw EncounterFailure.outdated(what: "order") }
        switch control {
        case .new, .change: return try change(known, facts, encounter)
        case .cancel, .discontinue: return try step(.cancel, known, reason: "the order was cancelled", asOf: facts.asOf)
        case .status:
            guard let step = facts.step else {
                throw EncounterFailure.invalid(field: "order status", reason: "not a status that orders have here")
            }
            return try self.step(step, known, reason: "the order's status was sent", asOf: facts.asOf)
        }
    }

    private func enter(
        _ facts: OrderFacts, patient: PatientRecord, encounter: EncounterRecord?
    ) throws -> OrderOutcome {
        var details = ProcedureDetails()
        facts.amend(&details)
        let uid = facts.studyInstanceUID ?? UID.generate()
        guard UID.isValid(uid) else {
            throw EncounterFailure.invalid(field: "StudyInstanceUID", reason: "not a UID")
        }
        guard try records.procedure(studyInstanceUID: uid) == nil else {
            throw EncounterFailure.conflict(reason: "Another order has this Study Instance UID")
        }
        let accession = try facts.accessionNumber.flatMap(Self.usable) ?? madeAccessionNumber()
        if details.requestedProcedureID.isEmpty { details.requestedProcedureID = accession }
        if details.scheduledProcedureStepID.isEmpty { details.scheduledProcedureStepID = accession }
        let isScheduled = !details.scheduledAt.isEmpty
        // What has no time of its own may be done at once.
        if !isScheduled { details.scheduledAt = LocalTime.text(records.now) }
        if details.orderedAt.isEmpty { details.orderedAt = LocalTime.text(facts.asOf) }
        try check(&details)
        let warning = try duplicate(of: details, patient: patient)
        let state = isScheduled ? ProcedureState.scheduled : .ordered
        let procedure = try records.addProcedure(
            patient: patient.id, encounter: encounter?.id, placer: facts.placer,
            accession: IssuedNumber(issuer: settings.issuer, value: accession), studyInstanceUID: uid,
            state: state.rawValue, isOpen: state.isOpen, details: details,
            nameKey: Fold.fold(try records.root(of: patient.id).demographics.name), asOf: facts.asOf)
        return OrderOutcome(procedure: procedure, warning: warning)
    }

    private func change(
        _ known: ProcedureRecord, _ facts: OrderFacts, _ encounter: EncounterRecord?
    ) throws -> OrderOutcome {
        let state = ProcedureState(word: known.state)
        guard state != .cancelled else {
            throw EncounterFailure.conflict(reason: "This order was cancelled; send a new one under another number")
        }
        var details = known.details
        facts.amend(&details)
        try check(&details)
        try records.setProcedure(
            known.id, patient: known.patient, encounter: encounter?.id ?? known.encounter, details: details,
            nameKey: Fold.fold(try records.root(of: known.patient).demographics.name), asOf: facts.asOf)
        if let encounter, encounter.id != known.encounter {
            try records.setEncounter(encounter.id, ofLinksOf: known.id)
        }
        // The images will carry the hospital's own number.
        if let given = facts.accessionNumber.flatMap(Self.usable), given != known.accession.value, isMade(known) {
            try records.setAccession(IssuedNumber(issuer: settings.issuer, value: given), ofProcedure: known)
        }
        if details.scheduledAt != known.details.scheduledAt, state == .ordered || state == .scheduled {
            return try step(.schedule, try records.procedure(id: known.id), reason: "another time was set")
        }
        return OrderOutcome(procedure: try records.procedure(id: known.id), warning: nil)
    }

    /// Takes a procedure one step on.
    /// - Parameter instant: when that was true, where the sender says so.
    package func step(
        _ step: ProcedureStep, _ procedure: ProcedureRecord, reason: String, asOf instant: Int64? = nil
    ) throws -> OrderOutcome {
        if let instant { try records.setAsOf(instant, ofProcedure: procedure.id) }
        try carry(step, procedure, reason: reason)
        return OrderOutcome(procedure: try records.procedure(id: procedure.id), warning: nil)
    }

    /// As `step`, for who does not ask what it is then.
    func carry(_ step: ProcedureStep, _ procedure: ProcedureRecord, reason: String) throws {
        let state = ProcedureState(word: procedure.state)
        // Said twice is done once.
        if step == .cancel, state == .cancelled { return }
        guard let next = state.after(step), try step != .cancel || !isPerformed(procedure) else {
            throw EncounterFailure.unlawful(state: state, step: step)
        }
        if next != state {
            try records.setState(
                next.rawValue, isOpen: next.isOpen, ofProcedure: procedure, actor: actor, reason: reason)
        }
    }

    /// Whether a modality works on it, or has done it.
    private func isPerformed(_ procedure: ProcedureRecord) throws -> Bool {
        try records.performedSteps(procedure: procedure.id).contains {
            $0.status != PerformedStepStatus.discontinued.rawValue
        }
    }

    /// Why images alone carried a procedure on.
    static let imagesCame = "images came"
    static let noMoreImagesCame = "no more images came"

    /// The images of a procedure are another's, or gone: what they alone brought about is taken back.
    func takeBackImages(ofProcedure id: Int64) throws {
        let procedure = try records.procedure(id: id)
        let byImages = try records.events(ofProcedure: id).reversed().prefix {
            $0.reason == Self.imagesCame || $0.reason == Self.noMoreImagesCame
        }
        // A modality that reports on it says itself how far it is.
        guard let first = byImages.last, try !isPerformed(procedure) else { return }
        let state = ProcedureState(word: first.from)
        try records.setState(
            state.rawValue, isOpen: state.isOpen, ofProcedure: procedure, actor: actor,
            reason: "its images are not there any more")
    }

    // MARK: Checks

    /// Lengths that worklist attributes can hold (PS3.5 Table 6.2-1). The time is made as long as all others: worklists
    /// compare it as text.
    private func check(_ details: inout ProcedureDetails) throws {
        let limits: [(String, String, Int)] = [
            ("modality", details.modality, 16), ("station AE title", details.stationAETitle, 16),
            ("requested procedure ID", details.requestedProcedureID, 16),
            ("scheduled procedure step ID", details.scheduledProcedureStepID, 16),
            ("procedure code", details.code.value, 64), ("body site", details.bodySite, 64),
        ]
        for (field, value, limit) in limits where value.unicodeScalars.count > limit {
            throw EncounterFailure.invalid(field: field, reason: "\(limit) characters at most")
        }
        guard let instant = LocalTime.instant(details.scheduledAt) else {
            throw EncounterFailure.invalid(field: "scheduled time", reason: "yyyymmdd[HHMM[SS]]")
        }
        details.scheduledAt = LocalTime.text(instant)
    }

    /// The same procedure for the same person at nearly the same time.
    private func duplicate(of details: ProcedureDetails, patient: PatientRecord) throws -> String? {
        guard !details.code.value.isEmpty, let at = LocalTime.instant(details.scheduledAt) else { return nil }
        let span = settings.duplicateHours * 3_600_000_000
        let near = try records.procedures(
            of: patient, from: LocalTime.text(at - span), through: LocalTime.text(at + span), limit: 100)
        let isTwice = near.contains {
            $0.details.code.value == details.code.value && $0.state != ProcedureState.cancelled.rawValue
        }
        return isTwice ? "The same procedure is ordered for this patient already" : nil
    }

    /// What a sender gave, where it can be an Accession Number.
    private static func usable(_ given: String) -> String? {
        (1...16).contains(given.count) && given.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x5C } ? given : nil
    }

    /// Whether an order's accession number is one of our own.
    private func isMade(_ procedure: ProcedureRecord) -> Bool {
        let number = procedure.accession.value
        let start = settings.accessionPrefix + Self.day(procedure.createdAt)
        let count = number.dropFirst(start.count).dropLast()
        return number.hasPrefix(start) && count.count >= 5 && count.utf8.allSatisfy { (0x30...0x39).contains($0) }
            && number.hasSuffix(Self.checkDigit(String(number.dropLast())))
    }

    /// `yymmdd`.
    private static func day(_ instant: Int64) -> String { String(LocalTime.text(instant).prefix(8).suffix(6)) }

    /// A number of our own: prefix, day, counter, check digit.
    private func madeAccessionNumber() throws -> String {
        let day = Self.day(records.now)
        while true {
            let number = try records.nextAccession(day: day)
            let body = settings.accessionPrefix + day + String("0000\(number)".suffix(max(5, "\(number)".count)))
            let accession = body + Self.checkDigit(body)
            if try records.procedures(accessionNumber: accession).isEmpty { return accession }
        }
    }

    /// ISO/IEC 7064 MOD 37-2 would need a letter; Luhn over the digits finds every single wrong digit.
    static func checkDigit(_ text: String) -> String {
        var sum = 0
        for (index, byte) in text.utf8.reversed().enumerated() where (0x30...0x39).contains(byte) {
            let digit = Int(byte - 0x30) * (index % 2 == 0 ? 2 : 1)
            sum += digit / 10 + digit % 10
        }
        return "\((10 - sum % 10) % 10)"
    }
}

/// How this site numbers and checks its orders.
package struct OrderSettings: Sendable {
    /// Namespace of accession numbers and of patient codes that name none.
    package var issuer: String
    /// Up to three characters.
    package var accessionPrefix: String
    /// The same procedure within so many hours is warned of.
    package var duplicateHours: Int64

    package init(issuer: String = "", accessionPrefix: String = "PH", duplicateHours: Int64 = 24) {
        self.issuer = issuer
        self.accessionPrefix = accessionPrefix
        self.duplicateHours = duplicateHours
    }
}
