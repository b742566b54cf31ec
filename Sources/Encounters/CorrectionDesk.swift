// Corrections derived, written by hand and taken back, each a revision that stays.

package import Catalog
package import DICOMCore
import Foundation
package import Records

/// The corrections of one transaction.
package struct CorrectionDesk {
    let records: RecordTransaction
    /// `rule`, or the account that decides.
    let actor: String

    package init(_ records: RecordTransaction, actor: String) {
        self.records = records
        self.actor = actor
    }

    /// Derives a study's correction anew; a revision is added where another follows now.
    /// - Returns: Whether one was added.
    @discardableResult
    package func derive(_ study: StudyClaims) throws -> Bool {
        let known = try records.correction(ofStudy: study.studyInstanceUID)
        let derived = try CorrectionRules(records).derived(study)
        let attributes = Self.coded(derived?.attributes ?? [:])
        guard attributes != known?.derived ?? [:] else { return false }
        let ended = try records.links(ofStudy: study.studyInstanceUID).first { $0.undoneAt != nil }
        try records.addCorrection(
            study: study.studyInstanceUID, cause: derived?.cause ?? known?.cause ?? .link, derived: attributes,
            byHand: known?.byHand ?? [:], ownPatientID: study.values[.patientID] ?? "",
            reason: derived?.reason ?? "What was corrected before does not follow any more.",
            actor: derived?.actor ?? ended?.undoneBy ?? actor)
        return true
    }

    /// Somebody writes values, besides those that somebody wrote before; they win over what is derived.
    package func correct(_ study: StudyClaims, set values: [Tag: String], reason: String) throws {
        guard !values.isEmpty else { throw EncounterFailure.invalid(field: "set", reason: "nothing is corrected") }
        for (tag, value) in values {
            guard let attribute = CorrectableAttribute.of(tag) else {
                throw EncounterFailure.invalid(field: tag.hexadecimal, reason: "cannot be corrected by hand")
            }
            try attribute.check(value)
        }
        let known = try records.correction(ofStudy: study.studyInstanceUID)
        let byHand = (known?.byHand ?? [:]).merging(Self.coded(values)) { _, new in new }
        try add(study, known, byHand: byHand, reason: reason)
    }

    /// Takes back everything that was written by hand; what is derived stays.
    package func undo(_ study: StudyClaims, reason: String) throws {
        let known = try records.correction(ofStudy: study.studyInstanceUID)
        guard let known, !known.byHand.isEmpty else {
            throw EncounterFailure.conflict(reason: "Nothing of this study was corrected by hand")
        }
        try add(study, known, byHand: [:], reason: reason.isEmpty ? "Taken back." : reason)
    }

    /// What another archive says of a study that it handed over: takes the place of what it said before. Once anybody else has
    /// written about the study by hand, be it to take something back, what the archive says is not taken any more. Said twice
    /// it is written once; what nobody may correct by hand, or its VR does not allow, is passed over and named.
    package func adopt(study uid: String, _ said: [Tag: String]) throws -> CorrectionAdoption {
        let revisions = try records.corrections(ofStudy: uid)
        guard Self.authors(revisions).isSubset(of: [actor]) else {
            return CorrectionAdoption(isTaken: false, isNew: false, rejected: [])
        }
        var (values, rejected): ([String: String], [Tag]) = ([:], [])
        for (tag, value) in said {
            if Self.mayBeSaid(tag, value) {
                values[tag.hexadecimal] = value.precomposedStringWithCanonicalMapping
            } else {
                rejected.append(tag)
            }
        }
        let known = revisions.first
        let isNew = values != known?.byHand ?? [:]
        if isNew {
            try records.addCorrection(
                study: uid, cause: .person, derived: known?.derived ?? [:], byHand: values,
                ownPatientID: known?.ownPatientID ?? "", reason: "The archive that sent the study corrected it.",
                actor: actor)
        }
        return CorrectionAdoption(isTaken: true, isNew: isNew, rejected: rejected.sorted { $0.rawValue < $1.rawValue })
    }

    /// Who wrote by hand: only rules change what is derived, and they change nothing else.
    /// - Parameter revisions: the newest first.
    private static func authors(_ revisions: [CorrectionRecord]) -> Set<String> {
        var (authors, derived): (Set<String>, [String: String]) = ([], [:])
        for revision in revisions.reversed() {
            if revision.derived == derived { authors.insert(revision.actor) }
            derived = revision.derived
        }
        return authors
    }

    private static func mayBeSaid(_ tag: Tag, _ value: String) -> Bool {
        guard let attribute = CorrectableAttribute.of(tag) else {
            return value.isEmpty && CorrectionRules.ofAnother.contains(tag)
        }
        do throws(EncounterFailure) { try attribute.check(value) } catch { return false }
        return true
    }

    private func add(
        _ study: StudyClaims, _ known: CorrectionRecord?, byHand: [String: String], reason: String
    ) throws {
        try records.addCorrection(
            study: study.studyInstanceUID, cause: .person, derived: known?.derived ?? [:], byHand: byHand,
            ownPatientID: study.values[.patientID] ?? "", reason: reason.isEmpty ? "Somebody decided." : reason,
            actor: actor)
    }

    private static func coded(_ values: [Tag: String]) -> [String: String] {
        Dictionary(
            uniqueKeysWithValues: values.map { ($0.key.hexadecimal, $0.value.precomposedStringWithCanonicalMapping) })
    }
}

/// What became of what another archive said of a study.
package struct CorrectionAdoption: Sendable {
    /// Whether it holds now, but for what is rejected.
    package let isTaken: Bool
    /// Whether a revision was added.
    package let isNew: Bool
    /// What was passed over.
    package let rejected: [Tag]
}

/// An attribute of patient or study that people may correct.
package struct CorrectableAttribute: Sendable {
    package let tag: Tag
    /// As PS3.6 writes it.
    package let keyword: String
    private let rule: Rule

    private enum Rule {
        /// So many characters; of a person name in each component group.
        case text(Int, isNeeded: Bool)
        case name
        case date
        case time
        case sex
    }

    package static func of(_ tag: Tag) -> CorrectableAttribute? { all.first { $0.tag == tag } }
    package static func named(_ keyword: String) -> CorrectableAttribute? {
        all.first { $0.keyword.lowercased() == keyword.lowercased() }
    }

    package static let all: [CorrectableAttribute] = [
        .init(tag: .patientName, keyword: "PatientName", rule: .name),
        .init(tag: .patientID, keyword: "PatientID", rule: .text(64, isNeeded: true)),
        .init(tag: .issuerOfPatientID, keyword: "IssuerOfPatientID", rule: .text(64, isNeeded: false)),
        .init(tag: .patientBirthDate, keyword: "PatientBirthDate", rule: .date),
        .init(tag: .patientSex, keyword: "PatientSex", rule: .sex),
        .init(tag: .accessionNumber, keyword: "AccessionNumber", rule: .text(16, isNeeded: false)),
        .init(tag: .studyID, keyword: "StudyID", rule: .text(16, isNeeded: false)),
        .init(tag: .studyDate, keyword: "StudyDate", rule: .date),
        .init(tag: .studyTime, keyword: "StudyTime", rule: .time),
        .init(tag: .studyDescription, keyword: "StudyDescription", rule: .text(64, isNeeded: false)),
        .init(tag: .referringPhysicianName, keyword: "ReferringPhysicianName", rule: .name),
    ]

    /// What the VR allows (PS3.5 Table 6.2-1).
    package func check(_ value: String) throws(EncounterFailure) {
        guard !value.unicodeScalars.contains(where: { $0.value < 0x20 || $0 == "\\" || $0.value == 0x7F }) else {
            throw .invalid(field: keyword, reason: "control characters and backslashes are not allowed")
        }
        switch rule {
        case .text(let most, let isNeeded):
            guard value.count <= most else { throw .invalid(field: keyword, reason: "\(most) characters at most") }
            guard !isNeeded || !value.trimmingPadding.isEmpty else {
                throw .invalid(field: keyword, reason: "may not be empty")
            }
        case .name:
            guard value.split(separator: "=").allSatisfy({ $0.count <= 64 }) else {
                throw .invalid(field: keyword, reason: "64 characters at most")
            }
        case .date:
            guard value.isEmpty || value.count == 8 && LocalTime.instant(value) != nil else {
                throw .invalid(field: keyword, reason: "a day as yyyymmdd, or nothing")
            }
        case .time:
            guard value.wholeMatch(of: /(([01][0-9]|2[0-3])([0-5][0-9]([0-5][0-9])?)?)?/) != nil else {
                throw .invalid(field: keyword, reason: "HH, HHMM or HHMMSS, or nothing")
            }
        case .sex:
            guard ["M", "F", "O", ""].contains(value) else {
                throw .invalid(field: keyword, reason: "M, F, O, or nothing")
            }
        }
    }
}

extension String {
    fileprivate var trimmingPadding: Substring { drop { $0 == " " } }
}
