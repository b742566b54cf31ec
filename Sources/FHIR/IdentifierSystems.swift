// Whose numbers these are: namespaces of the records as URIs, and back.

import Foundation
import Records

/// What a number of a namespace counts.
package enum NumberKind: String, CaseIterable, Sendable {
    case patient, visit, order, accession, code
    case filler = "filler-order"
    case facility
    case title = "ae-title"
}

/// Systems of identifiers. A namespace that is an URI already stays as it is.
package enum IdentifierSystem {
    static let studyUID = "urn:dicom:uid"
    /// Numbers that the country gives out.
    private static let national: [String: String] = [
        "VN-CCCD": "urn:phim:VN-CCCD", "VN-CMND": "urn:phim:VN-CMND",
        // VN Core.
        "VN-BHYT": "http://fhir.ehealth.gov.vn/core/sid/insurance_number",
    ]

    package static func uri(_ issuer: String, _ kind: NumberKind) -> String? {
        if issuer.isEmpty { return nil }
        if let known = national[issuer] { return known }
        if issuer.contains(":") { return issuer }
        let name = issuer.addingPercentEncoding(withAllowedCharacters: plain) ?? ""
        return "urn:phim:\(name):\(kind.rawValue)"
    }

    private static let plain = CharacterSet(
        charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._")

    /// The namespace of an URI.
    package static func issuer(_ system: String, _ kind: NumberKind) -> String {
        if let known = national.first(where: { $0.value == system }) { return known.key }
        let (start, end) = ("urn:phim:", ":\(kind.rawValue)")
        guard system.hasPrefix(start), system.hasSuffix(end), system.count > start.count + end.count else {
            return system
        }
        let name = String(system.dropFirst(start.count).dropLast(end.count))
        return name.removingPercentEncoding ?? name
    }

    // MARK: Codes

    /// Schemes of DICOM and HL7 version 2 that FHIR has an URI for.
    private static let schemes = [
        "DCM": Coding.dicom, "SCT": Coding.snomed, "SRT": Coding.snomed, "LN": "http://loinc.org",
        "I10": "http://hl7.org/fhir/sid/icd-10",
    ]

    package static func codeSystem(_ scheme: String) -> String? { schemes[scheme] ?? uri(scheme, .code) }

    package static func scheme(_ system: String) -> String {
        schemes.filter { $0.value == system }.keys.sorted().first ?? issuer(system, .code)
    }
}

extension Identifier {
    /// A number with the type of HL7 Table 0203.
    init?(_ number: IssuedNumber, _ kind: NumberKind, type: String? = nil) {
        guard !number.value.isEmpty else { return nil }
        self.init(
            type: type.map { CodeableConcept(coding: [Coding(system: Coding.identifierTypes, code: $0)]) },
            system: IdentifierSystem.uri(number.issuer, kind), value: number.value)
    }

    static func study(_ uid: String) -> Identifier {
        Identifier(system: IdentifierSystem.studyUID, value: "urn:oid:" + uid)
    }

    init(_ identifier: PatientIdentifier) {
        let period = Period(
            start: FHIRDate.date(identifier.validFrom), end: FHIRDate.date(identifier.validUntil))
        self.init(
            type: CodeableConcept(coding: [Coding(system: Coding.identifierTypes, code: identifier.type)]),
            system: IdentifierSystem.uri(identifier.issuer, .patient), value: identifier.value,
            period: period.start == nil && period.end == nil ? nil : period)
    }

    var typeCode: String? { type?.coding?.compactMap(\.code).first }

    /// The identifier as the number of somebody; without a system it is of this site.
    func number(_ kind: NumberKind, of site: String) -> IssuedNumber? {
        guard let value = value?.trimmingCharacters(in: .whitespaces), !value.isEmpty else { return nil }
        return IssuedNumber(issuer: system.map { IdentifierSystem.issuer($0, kind) } ?? site, value: value)
    }

    /// The UID that `urn:oid:1.2.3` names.
    var studyInstanceUID: String? {
        guard system == IdentifierSystem.studyUID, let value else { return nil }
        return value.hasPrefix("urn:oid:") ? String(value.dropFirst(8)) : value
    }
}
