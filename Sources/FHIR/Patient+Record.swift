// People, from the records and to them.

import DICOMCore
import Encounters
import Foundation
import Records

extension Patient {
    /// A person as they are known.
    /// - Parameters:
    ///   - identifiers: of all rows of the person.
    ///   - merged: rows that are seen as this one.
    init(_ record: PatientRecord, identifiers: [PatientIdentifier], merged: [Int64]) {
        let known = record.demographics
        id = "\(record.id)"
        active = true
        identifier = identifiers.map(Identifier.init).unlessEmpty
        name = HumanName(personName: known.name).map { [$0] }
        telecom = known.telephone.unlessEmpty.map { [ContactPoint(system: "phone", value: $0)] }
        gender = Self.genders[known.sex]
        birthDate = FHIRDate.date(known.birthDate)
        if known.birthDate.count == 8, known.birthTime.count >= 4 {
            let time = FHIRDate.dateTime(known.birthDate + known.birthTime)
            _birthDate = Element(extension: [Extension(url: Self.birthTime, valueDateTime: time)])
        }
        address = known.address.unlessEmpty.map { [Address(text: $0)] }
        link = merged.map { Link(other: Reference(reference: "Patient/\($0)"), type: "replaces") }.unlessEmpty
        meta = Meta(versionId: FHIRFormat.version(self), lastUpdated: FHIRDate.instant(record.updatedAt))
    }

    /// A row that was merged into another: it only says where its person is now.
    init(merged record: PatientRecord) {
        id = "\(record.id)"
        active = false
        name = HumanName(personName: record.demographics.name).map { [$0] }
        link = [Link(other: Reference(reference: "Patient/\(record.root)"), type: "replaced-by")]
        meta = Meta(versionId: FHIRFormat.version(self), lastUpdated: FHIRDate.instant(record.updatedAt))
    }

    private static let genders = ["M": "male", "F": "female", "O": "other"]
    private static let birthTime = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"

    // MARK: What a sender says

    /// HL7 Table 0203, and what is written here in its place.
    private static let types: [String: String] = [
        "MR": PatientIdentifier.medicalRecord, "PI": PatientIdentifier.medicalRecord,
        "NI": PatientIdentifier.citizen, "NNVNM": PatientIdentifier.citizen, "CCCD": PatientIdentifier.citizen,
        "HC": PatientIdentifier.insurance, "JHN": PatientIdentifier.insurance, "BHYT": PatientIdentifier.insurance,
        "SB": PatientIdentifier.insurance, "PPN": PatientIdentifier.passport,
    ]

    /// What an identifier's system says of its type.
    static func type(ofIssuer issuer: String) -> String? {
        switch issuer {
        case "VN-CCCD", "VN-CMND": PatientIdentifier.citizen
        case "VN-BHYT": PatientIdentifier.insurance
        default: nil
        }
    }

    static func identifier(
        _ identifier: Identifier, site: String, at expression: String
    ) throws -> PatientIdentifier {
        guard let number = identifier.number(.patient, of: site) else {
            throw FHIRFault.required(expression + ".value", "An identifier needs a value.")
        }
        let word = identifier.typeCode?.uppercased()
        let type =
            Self.type(ofIssuer: number.issuer) ?? word.map { types[$0] ?? $0 } ?? PatientIdentifier.medicalRecord
        let period = identifier.period
        do throws(RecordsError) {
            return try PatientIdentifier(
                type: type, issuer: number.issuer, value: number.value,
                validFrom: (period?.start).flatMap(FHIRDate.init)?.local ?? "",
                validUntil: (period?.end).flatMap(FHIRDate.init)?.local ?? "")
        } catch {
            throw FHIRFault(.records(error), at: expression)
        }
    }

    /// What is said of the person.
    /// - Parameter isWhole: what is left out is not known any more; otherwise it stays as it was.
    func facts(site: String, asOf: Int64, isWhole: Bool, at root: String = "Patient") throws -> PatientFacts {
        try Unread.refuse(implicitRules, modifierExtension, at: root)
        guard active != false else {
            throw FHIRFault.value(root + ".active", "Patients are not made inactive here; merge them by HL7 ADT^A40.")
        }
        let identifiers = try (identifier ?? []).enumerated().filter { $1.use != "old" }.map {
            try Self.identifier($1, site: site, at: "\(root).identifier[\($0)]")
        }
        guard !identifiers.isEmpty else {
            throw FHIRFault.required(root + ".identifier", "A patient needs an identifier.")
        }
        let demographics = try demographics(at: root)
        // The patient code first: it says who it is.
        let codes = identifiers.filter { $0.type == PatientIdentifier.medicalRecord }
        let others = identifiers.filter { $0.type != PatientIdentifier.medicalRecord }
        let kept = Kept(self)
        return PatientFacts(identifiers: codes + others, asOf: asOf) { known in
            if isWhole || kept.name { known.name = demographics.name }
            if isWhole || kept.birthDate {
                known.birthDate = demographics.birthDate
                known.birthTime = demographics.birthTime
            }
            if isWhole || kept.gender { known.sex = demographics.sex }
            if isWhole || kept.telecom { known.telephone = demographics.telephone }
            if isWhole || kept.address { known.address = demographics.address }
        }
    }

    /// Which elements are there.
    private struct Kept: Sendable {
        let name, birthDate, gender, telecom, address: Bool

        init(_ patient: Patient) {
            name = patient.name != nil
            birthDate = patient.birthDate != nil
            gender = patient.gender != nil
            telecom = patient.telecom != nil
            address = patient.address != nil
        }
    }

    private func demographics(at root: String) throws -> Demographics {
        var known = Demographics()
        known.name = name?.first { $0.use == "official" }?.personName ?? name?.first?.personName ?? ""
        if let birthDate {
            guard let date = FHIRDate(birthDate), date.local.count <= 8 else {
                throw FHIRFault.value(root + ".birthDate", "A date is YYYY, YYYY-MM or YYYY-MM-DD.")
            }
            known.birthDate = date.local
        }
        if let text = _birthDate?.extension?.first(where: { $0.url == Self.birthTime })?.valueDateTime {
            guard let time = FHIRDate(text), time.local.count > 8, time.local.hasPrefix(known.birthDate) else {
                throw FHIRFault.value(root + ".birthDate.extension", "The time of birth is not on the day of birth.")
            }
            known.birthTime = String(time.local.dropFirst(8))
        }
        if let gender {
            guard ["male", "female", "other", "unknown"].contains(gender) else {
                throw FHIRFault.value(root + ".gender", "The gender is male, female, other or unknown.")
            }
            known.sex = Self.genders.first { $0.value == gender }?.key ?? ""
        }
        known.telephone = telecom?.first { $0.system == "phone" }?.value ?? ""
        known.address = address?.first?.words ?? ""
        for (value, place) in [(known.telephone, ".telecom"), (known.address, ".address")] where value.count > 1_000 {
            throw FHIRFault.value(root + place, "At most 1000 characters.")
        }
        return known
    }
}

extension Unread {
    /// Elements that may turn a resource's meaning round are refused: nothing here can read them.
    static func refuse(_ rules: Unread?, _ extensions: [Unread]?, at root: String) throws {
        if rules != nil { throw FHIRFault.value(root + ".implicitRules", "Implicit rules are not understood here.") }
        if extensions != nil {
            throw FHIRFault.value(root + ".modifierExtension", "Modifier extensions are not understood here.")
        }
    }
}

extension HumanName {
    /// From a person name (PS3.5 Section 6.2). Family, middle, given is the order in which Vietnamese names are said and
    /// kept; `text` is the whole.
    package init?(personName: String) {
        let group = personName.split(separator: "=", omittingEmptySubsequences: false).first ?? ""
        let parts = group.split(separator: "^", omittingEmptySubsequences: false).prefix(3)
        let words = parts.joined(separator: " ").split(separator: " ").map(String.init)
        guard let first = words.first else { return nil }
        // A name of one word is no family name.
        self.init(
            text: words.joined(separator: " "), family: words.count > 1 ? first : nil,
            given: words.count > 1 ? Array(words.dropFirst()) : [first])
        use = "official"
    }

    /// One component, NFC, as the records keep names.
    package var personName: String {
        let whole = text ?? ([family ?? ""] + (given ?? [])).joined(separator: " ")
        return Normalization.composed(
            whole.split { $0.isWhitespace || "^=\\".contains($0) }.joined(separator: " "))
    }
}

extension Address {
    var words: String {
        text ?? ((line ?? []) + [district, city, state, country].compactMap(\.self)).joined(separator: ", ")
    }
}
