// What is true of a study where its images say otherwise: derived from whom it belongs to, or whom its patient became.

package import Catalog
package import DICOMCore
package import Records

/// What goes out otherwise than the images say, and why.
package struct DerivedCorrection: Hashable, Sendable {
    /// Values by tag; an empty one takes away what the images say.
    package let attributes: [Tag: String]
    package let cause: CorrectionRecord.Cause
    package let reason: String
    package let actor: String
}

/// The rules. Only what differs in earnest is corrected: a console that cannot write marks is right, and so is one that was
/// given the citizen number.
package struct CorrectionRules {
    let records: RecordTransaction

    package init(_ records: RecordTransaction) { self.records = records }

    /// What follows for a study now; nil where nothing is known of it, or its images are right.
    package func derived(_ study: StudyClaims) throws -> DerivedCorrection? {
        if let link = try records.link(ofStudy: study.studyInstanceUID) { return try byLink(link, study) }
        return try byPatient(study)
    }

    // MARK: Whom the study belongs to

    private func byLink(_ link: StudyLinkRecord, _ study: StudyClaims) throws -> DerivedCorrection? {
        let person = try Person(records.root(of: link.target.patient), records)
        var attributes = person.attributes(against: study.all, fills: true)
        if let procedure = link.target.procedure {
            let number = FittedText.fitted(try records.procedure(id: procedure).accession.value, .SH)
            if study.all.contains(where: { $0[.accessionNumber] ?? "" != number }) {
                attributes[.accessionNumber] = number
            }
        }
        guard !attributes.isEmpty else { return nil }
        return DerivedCorrection(attributes: attributes, cause: .link, reason: link.reason, actor: link.actor)
    }

    // MARK: Whom the patient became

    /// Without a link the images' own patient counts: merged into another row, or known by another code since. The name
    /// has to agree with one of the rows, for patient codes are mistyped.
    private func byPatient(_ study: StudyClaims) throws -> DerivedCorrection? {
        var root: PatientRecord?
        var prior: PatientRecord?
        for claim in study.all {
            guard let found = try meant(by: claim) else { return nil }
            guard root == nil || root?.id == found.root.id else { return nil }
            root = found.root
            // What names the person as they are now agrees, and calls for nothing by itself.
            if found.isPast { prior = prior ?? found.row }
        }
        guard let root, let prior else { return nil }
        let attributes = try Person(root, records).attributes(against: study.all, fills: false)
        guard !attributes.isEmpty else { return nil }
        let merge = try records.events(ofPatient: prior.id).first {
            $0.kind == PatientEvent.Kind.merge.rawValue && $0.patient == prior.id && $0.undoneAt == nil
        }
        return DerivedCorrection(
            attributes: attributes, cause: .merge,
            reason: prior.id == root.id
                ? "The patient is known by another code since." : "The patient was merged into another.",
            actor: merge?.actor ?? "rule")
    }

    /// The person that a claim's patient is seen as now, and whether the claim knows them by what has passed.
    private func meant(by claim: [Tag: String]) throws -> (row: PatientRecord, root: PatientRecord, isPast: Bool)? {
        guard let code = claim[.patientID] else { return nil }
        let holders = try records.rows(patientID: code, issuer: claim[.issuerOfPatientID] ?? "")
        // A code that is somebody's now means nobody else any more.
        let active = holders.filter(\.isActive)
        var found: [(row: PatientRecord, root: PatientRecord, isPast: Bool)] = []
        for (row, isActive) in active.isEmpty ? holders : active {
            let root = try records.root(of: row.id)
            guard Self.agree(claim[.patientName], row) || Self.agree(claim[.patientName], root) else { continue }
            found.append((row, root, row.id != root.id || !isActive))
        }
        guard let first = found.first, found.allSatisfy({ $0.root.id == first.root.id }) else { return nil }
        return found.first { !$0.isPast } ?? first
    }

    static func agree(_ name: String?, _ patient: PatientRecord) -> Bool {
        guard let name else { return false }
        return Person.namesAgree(name, patient.demographics.name)
    }
}

/// A person as a study is to name them.
private struct Person {
    /// As images can say them (PS3.5 Table 6.2-1): the same texts that worklists gave to the modality.
    private let name: String
    private let birthDate: String
    private let sex: String
    /// Of the row that the person is seen as; what merged rows were known by is corrected.
    private let identifiers: [PatientIdentifier]

    init(_ root: PatientRecord, _ records: RecordTransaction) throws {
        let demographics = root.demographics
        name = FittedText.fitted(demographics.name, .PN)
        // At noon: there were days here that had no midnight, for clocks were put forward then.
        birthDate = LocalTime.instant(demographics.dicomBirthDate + "12") == nil ? "" : demographics.dicomBirthDate
        sex = ["M", "F", "O"].contains(demographics.sex) ? demographics.sex : ""
        identifiers = try records.identifiers(ofRow: root.id)
    }

    /// Names agree without marks, case and `^`; what follows a `=` is the same name in other letters.
    static func namesAgree(_ one: String, _ other: String) -> Bool {
        let (one, other) = (Fold.fold(one), Fold.fold(other))
        return !one.isEmpty && (one == other || one.prefix { $0 != "=" } == other.prefix { $0 != "=" })
    }

    /// What has to be said otherwise than any of the claims say it.
    /// - Parameter fills: whether what the images do not say at all is added: identifier and name.
    func attributes(against claims: [[Tag: String]], fills: Bool) -> [Tag: String] {
        var attributes: [Tag: String] = [:]
        if let identifier = identifier(for: claims), claims.contains(where: { needsIdentifier($0, fills) }) {
            attributes[.patientID] = FittedText.fitted(identifier.value, .LO)
            // Consoles that know nothing of issuers stay so.
            let issuers = Set(claims.compactMap { $0[.issuerOfPatientID] })
            if !issuers.isEmpty, issuers != [identifier.issuer] {
                attributes[.issuerOfPatientID] = FittedText.fitted(identifier.issuer, .LO)
            }
        }
        if !name.isEmpty, claims.contains(where: { needsName($0, fills) }) { attributes[.patientName] = name }
        let isOther = claims.contains(where: namesAnother)
        for (tag, value) in [(Tag.patientBirthDate, birthDate), (.patientSex, sex)] {
            let said = claims.compactMap { $0[tag] }
            // What is said of another person is not true of this one because nothing better is known.
            if !value.isEmpty || isOther, said.contains(where: { $0 != value }) { attributes[tag] = value }
        }
        if isOther { for tag in CorrectionRules.ofAnother { attributes[tag] = "" } }
        return attributes
    }

    private func identifier(for claims: [[Tag: String]]) -> PatientIdentifier? {
        let codes = identifiers.filter { $0.type == PatientIdentifier.medicalRecord }
        let issuers = Set(claims.compactMap { $0[.issuerOfPatientID] })
        return codes.first { issuers.contains($0.issuer) } ?? codes.first ?? identifiers.first
    }

    private func needsIdentifier(_ claim: [Tag: String], _ fills: Bool) -> Bool {
        guard let code = claim[.patientID] else { return fills }
        let codes = identifiers.filter { $0.type == PatientIdentifier.medicalRecord }
        // One number of two issuers is two people. What else consoles are set to as issuer says nothing.
        let issuer = claim[.issuerOfPatientID].flatMap { said in codes.contains { $0.issuer == said } ? said : nil }
        return !identifiers.contains { identifier in
            FittedText.fitted(identifier.value, .LO) == code
                && (issuer == nil || identifier.type != PatientIdentifier.medicalRecord || identifier.issuer == issuer)
        }
    }

    private func needsName(_ claim: [Tag: String], _ fills: Bool) -> Bool {
        guard let said = claim[.patientName] else { return fills }
        return !Self.namesAgree(said, name)
    }

    /// Neither code nor name are this person's: everything else that is said of the patient is another's too.
    private func namesAnother(_ claim: [Tag: String]) -> Bool {
        guard claim[.patientID] != nil || claim[.patientName] != nil else { return false }
        let isCoded = claim[.patientID] != nil && !needsIdentifier(claim, true)
        let isNamed = claim[.patientName] != nil && !needsName(claim, true)
        return !isCoded && !isNamed
    }
}

extension CorrectionRules {
    /// What else the Patient Module tells of a person (PS3.3 Section C.7.1.1).
    static let ofAnother: [Tag] = [
        .patientBirthTime, .otherPatientIDs, .otherPatientNames, .otherPatientIDsSequence,
        .issuerOfPatientIDQualifiersSequence, .patientBirthName, .patientMotherBirthName, .patientAddress,
        .patientTelephoneNumbers, .ethnicGroup, .patientComments, .patientAge,
    ]
}

extension Tag {
    static let patientBirthTime = Tag(0x0010, 0x0032)
    static let patientBirthName = Tag(0x0010, 0x1005)
    static let patientMotherBirthName = Tag(0x0010, 0x1060)
    static let patientTelephoneNumbers = Tag(0x0010, 0x2154)
}
