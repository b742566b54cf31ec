// The resources as values: what is kept here, and nothing else (FHIR R4).

/// Section 8.1.
struct Patient: Codable, Hashable, Sendable {
    struct Link: Codable, Hashable, Sendable {
        var other: Reference
        var type: String
    }

    var resourceType = "Patient"
    var id: String?
    var meta: Meta?
    var implicitRules: Unread?
    var modifierExtension: [Unread]?
    var active: Bool?
    var identifier: [Identifier]?
    var name: [HumanName]?
    var telecom: [ContactPoint]?
    var gender: String?
    var birthDate: String?
    /// With the time of birth, for infants.
    var _birthDate: Element?
    var address: [Address]?
    var link: [Link]?
}

/// Section 8.11.
struct Encounter: Codable, Hashable, Sendable {
    struct Participant: Codable, Hashable, Sendable {
        var type: [CodeableConcept]?
        var individual: Reference?
    }

    struct Location: Codable, Hashable, Sendable {
        var location: Reference
    }

    var resourceType = "Encounter"
    var id: String?
    var meta: Meta?
    var implicitRules: Unread?
    var modifierExtension: [Unread]?
    var identifier: [Identifier]?
    var status: String?
    var `class`: Coding?
    var serviceType: CodeableConcept?
    var subject: Reference?
    var participant: [Participant]?
    var period: Period?
    var reasonCode: [CodeableConcept]?
    var location: [Location]?
    var serviceProvider: Reference?
}

/// Section 12.15.
struct ServiceRequest: Codable, Hashable, Sendable {
    var resourceType = "ServiceRequest"
    var id: String?
    var meta: Meta?
    var implicitRules: Unread?
    var modifierExtension: [Unread]?
    var identifier: [Identifier]?
    var status: String?
    var intent: String?
    var doNotPerform: Bool?
    var category: [CodeableConcept]?
    var priority: String?
    var code: CodeableConcept?
    /// The modality.
    var orderDetail: [CodeableConcept]?
    var subject: Reference?
    var encounter: Reference?
    var occurrenceDateTime: String?
    var occurrencePeriod: Period?
    var authoredOn: String?
    var requester: Reference?
    var performer: [Reference]?
    var locationReference: [Reference]?
    var reasonCode: [CodeableConcept]?
    var bodySite: [CodeableConcept]?
    var note: [Annotation]?
}

/// Section 11.3.
struct ImagingStudy: Codable, Hashable, Sendable {
    struct Series: Codable, Hashable, Sendable {
        var uid: String
        var number: Int?
        var modality: Coding
        var description: String?
        var numberOfInstances: Int?
        var endpoint: [Reference]?
        var bodySite: Coding?
        var laterality: Coding?
        var started: String?
        var instance: [Instance]?
    }

    struct Instance: Codable, Hashable, Sendable {
        var uid: String
        var sopClass: Coding
        var number: Int?
    }

    var resourceType = "ImagingStudy"
    var id: String?
    var meta: Meta?
    var identifier: [Identifier]?
    var status: String
    var modality: [Coding]?
    var subject: Reference
    var encounter: Reference?
    var started: String?
    var basedOn: [Reference]?
    var referrer: Reference?
    var endpoint: [Reference]?
    var numberOfSeries: Int?
    var numberOfInstances: Int?
    var procedureCode: [CodeableConcept]?
    var description: String?
    var series: [Series]?
}

/// Section 10.3.
struct DiagnosticReport: Codable, Hashable, Sendable {
    var resourceType = "DiagnosticReport"
    var id: String?
    var meta: Meta?
    var identifier: [Identifier]?
    var basedOn: [Reference]?
    var status: String
    var category: [CodeableConcept]?
    var code: CodeableConcept
    var subject: Reference?
    var encounter: Reference?
    var effectiveDateTime: String?
    var imagingStudy: [Reference]?
    var presentedForm: [Attachment]?
}

/// Section 2.31.
struct Endpoint: Codable, Hashable, Sendable {
    var resourceType = "Endpoint"
    var id: String?
    var meta: Meta?
    var status: String
    var connectionType: Coding
    var name: String?
    var payloadType: [CodeableConcept]
    var payloadMimeType: [String]?
    var address: String
}

/// Section 2.28.
struct OperationOutcome: Codable, Hashable, Sendable {
    struct Issue: Codable, Hashable, Sendable {
        var severity: String
        var code: String
        var diagnostics: String?
        var expression: [String]?
    }

    var resourceType = "OperationOutcome"
    var issue: [Issue]
}

/// Any resource that answers hold.
enum Resource: Codable, Hashable, Sendable {
    case patient(Patient)
    case encounter(Encounter)
    case serviceRequest(ServiceRequest)
    case imagingStudy(ImagingStudy)
    case diagnosticReport(DiagnosticReport)
    case endpoint(Endpoint)
    case outcome(OperationOutcome)

    private struct Heading: Decodable {
        let resourceType: String
    }

    init(from decoder: any Decoder) throws {
        let type = try Heading(from: decoder).resourceType
        switch type {
        case "Patient": self = .patient(try Patient(from: decoder))
        case "Encounter": self = .encounter(try Encounter(from: decoder))
        case "ServiceRequest": self = .serviceRequest(try ServiceRequest(from: decoder))
        default:
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: decoder.codingPath,
                    debugDescription: "Patient, Encounter and ServiceRequest are taken here"))
        }
    }

    func encode(to encoder: any Encoder) throws {
        switch self {
        case .patient(let resource): try resource.encode(to: encoder)
        case .encounter(let resource): try resource.encode(to: encoder)
        case .serviceRequest(let resource): try resource.encode(to: encoder)
        case .imagingStudy(let resource): try resource.encode(to: encoder)
        case .diagnosticReport(let resource): try resource.encode(to: encoder)
        case .endpoint(let resource): try resource.encode(to: encoder)
        case .outcome(let resource): try resource.encode(to: encoder)
        }
    }

    var type: String {
        switch self {
        case .patient: "Patient"
        case .encounter: "Encounter"
        case .serviceRequest: "ServiceRequest"
        case .imagingStudy: "ImagingStudy"
        case .diagnosticReport: "DiagnosticReport"
        case .endpoint: "Endpoint"
        case .outcome: "OperationOutcome"
        }
    }

    var id: String? {
        switch self {
        case .patient(let resource): resource.id
        case .encounter(let resource): resource.id
        case .serviceRequest(let resource): resource.id
        case .imagingStudy(let resource): resource.id
        case .diagnosticReport(let resource): resource.id
        case .endpoint(let resource): resource.id
        case .outcome: nil
        }
    }

    var meta: Meta? {
        switch self {
        case .patient(let resource): resource.meta
        case .encounter(let resource): resource.meta
        case .serviceRequest(let resource): resource.meta
        case .imagingStudy(let resource): resource.meta
        case .diagnosticReport(let resource): resource.meta
        case .endpoint(let resource): resource.meta
        case .outcome: nil
        }
    }

    /// `Patient/12`.
    var path: String { type + "/" + (id ?? "") }
}
