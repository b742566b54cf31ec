// Writes what is to be told of a study, once for each destination and change, in the transaction that decides it.

import Foundation
package import Records

/// A study as the catalogue has it.
package struct StudyState: Hashable, Sendable {
    package let facts: StudyFacts
    package let series: Int
    package let instances: Int

    package init(facts: StudyFacts, series: Int, instances: Int) {
        self.facts = facts
        self.series = series
        self.instances = instances
    }
}

/// The notices of one transaction.
package struct NoticeDesk {
    let records: RecordTransaction
    private let kind = NoticeKind.studyAvailable.rawValue

    package init(_ records: RecordTransaction) { self.records = records }

    /// Tells a destination how a study is now, if that is something that it has not been told.
    ///
    /// What was written before and never begun to be sent makes way, so that after days without a line nothing wrong or
    /// old is sent first.
    /// - Parameter state: nil when the study is not in the archive any more.
    package func tell(_ destination: NoticeDestination, study uid: String, _ state: StudyState?) throws {
        let notice = try state.map(notice(of:)).flatMap { destination.wants($0) ? $0 : nil }
        if state == nil, try isElsewhere(destination, uid) { return }
        // Also what waits to be sent is told already, and what a person dropped is not written anew.
        if Self.says(try last(destination, uid, withUntold: true), notice) { return }
        try records.supersedeNotices(destination: destination.name, kind: kind, study: uid)
        let told = try last(destination, uid)
        if Self.says(told, notice) { return }
        guard let notice else {
            guard let told else { return }
            let isGone = try state == nil && !records.isPurged(study: uid)
            let why = isGone ? "The images were deleted." : "The study does not belong here any more."
            return try withdraw(told, destination, why)
        }
        guard let told else { return try write(notice, destination, .available, "The images are there.") }
        if let before = told.target, !before.goesOn(as: notice.target) {
            try withdraw(told, destination, "The study belongs to another order, visit or patient.")
            return try write(notice, destination, .available, "The images are there.")
        }
        let why =
            told.target != notice.target
            ? told.target == nil ? "The study was linked." : "The visit became known."
            : told.study.instances <= notice.study.instances ? "More images came." : "Images were deleted."
        try write(notice, destination, .revised, why)
    }

    /// Whether what was told is what is to be told.
    private static func says(_ told: StudyNotice?, _ notice: StudyNotice?) -> Bool {
        told?.target == notice?.target && told?.study.series == notice?.study.series
            && told?.study.instances == notice?.study.instances
    }

    /// Whether a destination was told that a study belongs elsewhere than it does now.
    func hasMoved(_ destination: NoticeDestination, study uid: String, now link: StudyLinkRecord?) throws -> Bool {
        guard let target = try last(destination, uid)?.target else { return false }
        return !target.goesOn(as: link.map { StudyNotice.Target($0.target) })
    }

    /// Images that were given up here, for another archive holds them, are not gone: nothing is told unless their study
    /// belongs to somebody else now.
    private func isElsewhere(_ destination: NoticeDestination, _ uid: String) throws -> Bool {
        try records.isPurged(study: uid) && !hasMoved(destination, study: uid, now: records.link(ofStudy: uid))
    }

    func isTold(_ destination: NoticeDestination, study uid: String) throws -> Bool {
        try last(destination, uid) != nil
    }

    /// What a destination holds true of a study; nil before it was told, and after that was withdrawn.
    /// - Parameter withUntold: also what a person dropped before it was taken.
    private func last(
        _ destination: NoticeDestination, _ uid: String, withUntold: Bool = false
    ) throws -> StudyNotice? {
        let record = try records.lastNotice(
            destination: destination.name, kind: kind, study: uid, withUntold: withUntold)
        // What an earlier version wrote and this one cannot read is told anew: it must not hold up other studies.
        guard let notice = record.flatMap({ try? $0.studyNotice() }), notice.status != .withdrawn else { return nil }
        return notice
    }

    private func withdraw(_ told: StudyNotice, _ destination: NoticeDestination, _ why: String) throws {
        var notice = told
        // An order that was cancelled meanwhile is said to be.
        if let id = told.target?.procedure { notice.order?.state = try records.procedure(id: id).state }
        try write(notice, destination, .withdrawn, why)
    }

    private func write(
        _ notice: StudyNotice, _ destination: NoticeDestination, _ status: StudyNotice.Status, _ why: String
    ) throws {
        var notice = notice
        notice.status = status
        notice.reason = why
        try records.addNotice(
            destination: destination.name, kind: kind, study: notice.study.uid,
            revision: try records.nextRevision(destination: destination.name, kind: kind, study: notice.study.uid),
            messageID: MessageID.make(), body: try StudyNotice.text(notice))
    }
}

// MARK: - What is told

extension NoticeDesk {
    private func notice(of state: StudyState) throws -> StudyNotice {
        let facts = state.facts
        var notice = StudyNotice()
        notice.study.uid = facts.studyInstanceUID
        notice.study.accessionNumber = facts.accessionNumber
        notice.study.modalities = facts.modalities
        notice.study.description = facts.description
        notice.study.startedAt = facts.startedAt
        notice.study.series = state.series
        notice.study.instances = state.instances
        guard let link = try records.link(ofStudy: facts.studyInstanceUID) else {
            notice.patient = Self.person(facts)
            return notice
        }
        notice.target = StudyNotice.Target(link.target)
        notice.patient = try person(link.target.patient)
        notice.visit = try link.target.encounter.map { Self.visit(try records.encounter(id: $0)) }
        notice.order = try link.target.procedure.map { Self.order(try records.procedure(id: $0)) }
        return notice
    }

    private func person(_ id: Int64) throws -> StudyNotice.Person {
        let root = try records.root(of: id)
        var person = StudyNotice.Person()
        person.identifiers = try records.identifiers(of: root)
        person.name = root.demographics.name
        person.birthDate = root.demographics.birthDate
        person.sex = root.demographics.sex
        return person
    }

    private static func person(_ facts: StudyFacts) -> StudyNotice.Person {
        var person = StudyNotice.Person()
        let code = try? PatientIdentifier(
            type: PatientIdentifier.medicalRecord, issuer: facts.issuerOfPatientID, value: facts.patientID)
        person.identifiers = code.map { [$0] } ?? []
        person.name = facts.patientName
        person.birthDate = facts.patientBirthDate
        person.sex = facts.patientSex
        return person
    }

    private static func visit(_ encounter: EncounterRecord) -> StudyNotice.Visit {
        var visit = StudyNotice.Visit()
        visit.issuer = encounter.issuer
        visit.number = encounter.number
        visit.patientClass = encounter.details.patientClass
        visit.facility = encounter.details.facility
        visit.department = encounter.details.department
        visit.room = encounter.details.room
        visit.bed = encounter.details.bed
        visit.attendingPhysician = encounter.details.attendingPhysician
        visit.referringPhysician = encounter.details.referringPhysician
        return visit
    }

    private static func order(_ procedure: ProcedureRecord) -> StudyNotice.Order {
        var order = StudyNotice.Order()
        order.placer = procedure.placer
        order.accession = procedure.accession
        order.fillerNumber = procedure.details.fillerNumber
        order.code = procedure.details.code
        order.modality = procedure.details.modality
        order.state = procedure.state
        order.requestingPhysician = procedure.details.requestingPhysician
        order.orderedAt = procedure.details.orderedAt
        return order
    }
}

extension StudyNotice.Target {
    /// Whether what was told of this target stays true of another: the same, or the same order whose visit was not known.
    func goesOn(as other: StudyNotice.Target?) -> Bool {
        guard let other else { return false }
        return patient == other.patient && procedure == other.procedure
            && (encounter == nil || encounter == other.encounter)
    }

    init(_ target: LinkTarget) {
        self.init(procedure: target.procedure, encounter: target.encounter, patient: target.patient)
    }
}

extension StudyNotice {
    static func text(_ notice: StudyNotice) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(notice), as: UTF8.self)
    }
}

extension NoticeRecord {
    /// The body of a notice of kind `study-available`.
    package func studyNotice() throws -> StudyNotice {
        try JSONDecoder().decode(StudyNotice.self, from: Data(body.utf8))
    }
}

/// What receivers know a notice by.
enum MessageID {
    /// Twenty characters, as MSH-10 may have (HL7 v2.5.1 Section 2.15.9.10), of 100 random bits: also after records were
    /// put back from a copy no two notices share one.
    static func make() -> String {
        let letters = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
        return String((0..<20).map { _ in letters[Int.random(in: 0..<letters.count)] })
    }
}
