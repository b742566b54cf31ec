// What can be asked of which type: the one table that routes, searches, and the CapabilityStatement go by.

/// What can be done with a type (FHIR R4 Section 3.1.0).
enum Interaction: String, CaseIterable, Sendable {
    case read
    case search = "search-type"
    case create, update
}

/// A search parameter (FHIR R4 Section 3.1.1).
struct SearchParameter: Sendable {
    enum Kind: String, Sendable {
        case token, reference, date, string
    }

    let name: String
    let kind: Kind
    /// One sentence.
    let words: String
    let modifiers: Set<String>

    init(_ name: String, _ kind: Kind, _ words: String, modifiers: Set<String> = []) {
        self.name = name
        self.kind = kind
        self.words = words
        self.modifiers = modifiers
    }
}

/// One type of resource.
struct ResourceDefinition: Sendable {
    let type: String
    let interactions: [Interaction]
    let parameters: [SearchParameter]
    /// `Type:parameter`; each brings what its reference names.
    let includes: [String]
    let revincludes: [String]
    /// Orders other than the one from the newest that searches have anyhow.
    let sorts: [String]

    func parameter(_ name: String) -> SearchParameter? { parameters.first { $0.name == name } }

    static func of(_ type: String) -> ResourceDefinition? { all.first { $0.type == type } }

    static let all = [patient, encounter, serviceRequest, imagingStudy, diagnosticReport, endpoint]

    private static let id = SearchParameter("_id", .token, "The id of the resource.")
    private static let everything: [Interaction] = [.read, .search, .create, .update]

    /// Whose it is, in every way in which that can be said.
    private static let person = [
        SearchParameter("patient", .reference, "Whose it is: an id, or Patient/id."),
        SearchParameter("subject", .reference, "As patient."),
        SearchParameter("patient.identifier", .token, "Whose it is, by any identifier of the person."),
        SearchParameter("subject.identifier", .token, "As patient.identifier."),
    ]

    private static let patient = ResourceDefinition(
        type: "Patient", interactions: everything,
        parameters: [
            id,
            SearchParameter("identifier", .token, "Patient code, citizen number, insurance card, passport."),
            SearchParameter(
                "name", .string, "Each word begins a word of the name; without marks and case.",
                modifiers: ["exact", "contains"]),
            SearchParameter("family", .string, "The name begins with it.", modifiers: ["exact"]),
            SearchParameter("given", .string, "Each word begins a word behind the family name."),
            SearchParameter("birthdate", .date, "Date of birth, as precise as it is known."),
            SearchParameter("gender", .token, "male, female, other or unknown."),
            SearchParameter("phone", .token, "Telephone number, as it was sent."),
        ],
        includes: [], revincludes: ["Encounter:patient", "ServiceRequest:patient", "ImagingStudy:patient"],
        sorts: ["-_id"])

    private static let encounter = ResourceDefinition(
        type: "Encounter", interactions: everything,
        parameters: [id] + person + [
            SearchParameter("identifier", .token, "The visit's number (MA_LK)."),
            SearchParameter("status", .token, "planned, arrived, in-progress, finished or cancelled."),
            SearchParameter("class", .token, "IMP, AMB, EMER or PRENC."),
            SearchParameter("date", .date, "The time that the visit took; one without an end goes on."),
        ],
        includes: ["Encounter:patient", "Encounter:subject"],
        revincludes: ["ServiceRequest:encounter", "ImagingStudy:encounter"], sorts: ["-_id"])

    private static let serviceRequest = ResourceDefinition(
        type: "ServiceRequest", interactions: everything,
        parameters: [id] + person + [
            SearchParameter("encounter", .reference, "The visit that it was ordered in."),
            SearchParameter("identifier", .token, "Order number, accession number or Study Instance UID."),
            SearchParameter("accession", .token, "The accession number alone."),
            SearchParameter("status", .token, "active, completed or revoked."),
            SearchParameter("code", .token, "The code of what was ordered."),
            SearchParameter("modality", .token, "The modality that it was ordered for."),
            SearchParameter("authored", .date, "When it was ordered."),
            SearchParameter("occurrence", .date, "When it is to be done."),
        ],
        includes: ["ServiceRequest:patient", "ServiceRequest:subject", "ServiceRequest:encounter"],
        revincludes: ["ImagingStudy:basedon"], sorts: ["-_id"])

    private static let imagingStudy = ResourceDefinition(
        type: "ImagingStudy", interactions: [.read, .search],
        parameters: [id] + person + [
            SearchParameter("encounter", .reference, "The visit that it is linked to."),
            SearchParameter("basedon", .reference, "The order that it is linked to."),
            SearchParameter("based-on", .reference, "As basedon."),
            SearchParameter("identifier", .token, "Study Instance UID or accession number."),
            SearchParameter("accession", .token, "The accession number alone."),
            SearchParameter("started", .date, "When the study began."),
            SearchParameter("modality", .token, "A modality of one of its series."),
            SearchParameter("series", .token, "The UID of one of its series."),
            SearchParameter("status", .token, "available."),
        ],
        includes: [
            "ImagingStudy:patient", "ImagingStudy:subject", "ImagingStudy:encounter", "ImagingStudy:basedon",
            "ImagingStudy:endpoint",
        ],
        revincludes: ["DiagnosticReport:imaging-study"], sorts: ["-started"])

    private static let diagnosticReport = ResourceDefinition(
        type: "DiagnosticReport", interactions: [.read, .search],
        parameters: [id] + person + [
            SearchParameter("identifier", .token, "The UID of the document."),
            SearchParameter("encounter", .reference, "The visit that its study is linked to."),
            SearchParameter("based-on", .reference, "The order that its study is linked to."),
            SearchParameter("imaging-study", .reference, "The study that it is stored in."),
        ],
        includes: [
            "DiagnosticReport:patient", "DiagnosticReport:subject", "DiagnosticReport:encounter",
            "DiagnosticReport:based-on", "DiagnosticReport:imaging-study",
        ],
        revincludes: [], sorts: [])

    private static let endpoint = ResourceDefinition(
        type: "Endpoint", interactions: [.read, .search],
        parameters: [id, SearchParameter("connection-type", .token, "dicom-wado-rs or dicom-qido-rs.")],
        includes: [], revincludes: [], sorts: [])
}
