// FHIR R4 data types, as far as the resources here use them (FHIR R4 Section 2.24).

/// Section 2.24.0.9.
struct Identifier: Codable, Hashable, Sendable {
    var use: String?
    var type: CodeableConcept?
    var system: String?
    var value: String?
    var period: Period?
}

/// Section 2.24.0.6.
struct CodeableConcept: Codable, Hashable, Sendable {
    var coding: [Coding]?
    var text: String?

    /// The first code of a system.
    func code(_ system: String) -> String? { coding?.first { $0.system == system }?.code }
}

/// Section 2.24.0.5.
struct Coding: Codable, Hashable, Sendable {
    var system: String?
    var code: String?
    var display: String?
}

/// Section 2.3. To what is here by its address; to what is not by an identifier, or in words.
struct Reference: Codable, Hashable, Sendable {
    var reference: String?
    var type: String?
    var identifier: Identifier?
    var display: String?
}

/// Section 2.24.0.10.
package struct HumanName: Codable, Hashable, Sendable {
    package var use: String?
    package var text: String?
    package var family: String?
    package var given: [String]?

    package init(text: String? = nil, family: String? = nil, given: [String]? = nil) {
        self.text = text
        self.family = family
        self.given = given
    }
}

/// Section 2.24.0.12.
struct ContactPoint: Codable, Hashable, Sendable {
    var system: String?
    var value: String?
    var use: String?
}

/// Section 2.24.0.11.
struct Address: Codable, Hashable, Sendable {
    var text: String?
    var line: [String]?
    var city: String?
    var district: String?
    var state: String?
    var country: String?
}

/// Section 2.24.0.8.
struct Period: Codable, Hashable, Sendable {
    var start: String?
    var end: String?
}

/// Section 2.24.0.13.
struct Annotation: Codable, Hashable, Sendable {
    var text: String
}

/// Section 2.24.0.4.
struct Attachment: Codable, Hashable, Sendable {
    var contentType: String?
    var url: String?
    var title: String?
    var creation: String?
}

/// Section 2.4, those kinds of values that are used here.
struct Extension: Codable, Hashable, Sendable {
    var url: String
    var valueDateTime: String?
}

/// What stands beside a primitive value: `_birthDate`.
struct Element: Codable, Hashable, Sendable {
    var `extension`: [Extension]?
}

/// Section 2.1.5.
struct Meta: Codable, Hashable, Sendable {
    var versionId: String?
    var lastUpdated: String?
}

/// Something that is only looked for: resources that have it are refused, as it could turn their meaning round.
struct Unread: Codable, Hashable, Sendable {
    init(from decoder: any Decoder) {}

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encodeNil()
    }
}

extension Array {
    /// FHIR has no empty lists.
    var unlessEmpty: [Element]? { isEmpty ? nil : self }
}

extension String {
    /// FHIR has no empty texts.
    var unlessEmpty: String? { isEmpty ? nil : self }
}

extension Coding {
    static let dicom = "http://dicom.nema.org/resources/ontology/DCM"
    static let identifierTypes = "http://terminology.hl7.org/CodeSystem/v2-0203"
    static let snomed = "http://snomed.info/sct"
    static let acts = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
    static let participations = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
    static let unknown = Coding(
        system: "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", code: "UNK", display: "unknown")
}
