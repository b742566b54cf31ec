// Documents that lie among the images of a study, shown as the reports that they are: structured reports and PDF.

import Catalog
import DICOMCore
import Foundation
import Records
import Retrieval

extension DiagnosticReport {
    static let encapsulatedPDF = "1.2.840.10008.5.1.4.1.1.104.1"
    /// SOP classes of documents that people read (PS3.4 Section B.5); dose reports, key objects and what a computer found
    /// are none.
    static let documentClasses = [
        encapsulatedPDF, "1.2.840.10008.5.1.4.1.1.104.2",  // Encapsulated PDF, CDA
        "1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.88.22",  // Basic Text, Enhanced SR
        "1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.5.1.4.1.1.88.34",  // Comprehensive, Comprehensive 3D SR
    ]

    /// - Parameters:
    ///   - values: the document's row in the catalogue, with those of its series and study.
    ///   - header: of a structured report: its title, and how far it is.
    ///   - study: what is known of its study.
    init(_ values: [Tag: String], header: DataSet?, study: ImagingStudy, dicomweb: String) {
        func value(_ tag: Tag) -> String { values[tag] ?? "" }
        let uid = value(.sopInstanceUID)
        id = uid
        identifier = [Identifier.study(uid)]
        status = Self.status(header)
        code = Self.title(header) ?? CodeableConcept(text: value(.seriesDescription).unlessEmpty ?? "Document")
        subject = study.subject
        encounter = study.encounter
        basedOn = study.basedOn
        imagingStudy = [Reference(reference: "ImagingStudy/\(study.id ?? "")")]
        let zone = FHIRDate.zone(value(.timezoneOffsetFromUTC))
        effectiveDateTime =
            FHIRDate.dateTime(day: value(.contentDate), time: value(.contentTime), zone: zone) ?? study.started
        let series = "\(dicomweb)/studies/\(study.id ?? "")/series/\(value(.seriesInstanceUID))"
        let isPDF = value(.sopClassUID) == Self.encapsulatedPDF
        presentedForm = [
            Attachment(
                contentType: isPDF ? "application/pdf" : "application/dicom",
                url: "\(series)/instances/\(uid)" + (isPDF ? "/rendered" : ""),
                title: value(.seriesDescription).unlessEmpty, creation: effectiveDateTime)
        ]
        meta = Meta(versionId: FHIRFormat.version(self))
    }

    /// Of the study that the document lies in.
    var studyInstanceUID: String? {
        imagingStudy?.first?.reference.flatMap(LocalReference.init).map(\.id)
    }

    /// From Verification Flag (0040,A493) and Completion Flag (0040,A491); a PDF does not say.
    private static func status(_ header: DataSet?) -> String {
        if header?.string(.verificationFlag) == "VERIFIED" { return "final" }
        switch header?.string(.completionFlag) {
        case "COMPLETE": return "preliminary"
        case "PARTIAL": return "partial"
        default: return "unknown"
        }
    }

    /// The title of a structured report (PS3.3 Section C.17.3).
    private static func title(_ header: DataSet?) -> CodeableConcept? {
        guard let item = header?.items(.conceptNameCodeSequence).first else { return nil }
        return CodeableConcept(
            Coded(
                value: item.string(Tag(0x0008, 0x0100)) ?? "", scheme: item.string(Tag(0x0008, 0x0102)) ?? "",
                meaning: item.string(Tag(0x0008, 0x0104)) ?? ""))
    }
}

extension ResourceReader {
    /// The document of a SOP Instance UID.
    func report(_ uid: String) throws -> DiagnosticReport? {
        guard UID.isValid(uid) else { return nil }
        return try reports(documents(Query(level: .image, filters: [.sopInstanceUID: .single(uid)]))).first
    }

    /// Documents of studies, in the order of the studies' instances.
    func reports(ofStudies uids: [String], limit: Int) throws -> [DiagnosticReport] {
        if uids.isEmpty { return [] }
        return try reports(
            documents(Query(level: .image, filters: [.studyInstanceUID: .list(uids)], limit: limit)))
    }

    /// Documents as the catalogue has them; none is read.
    fileprivate func documents(_ query: Query) throws -> [Match] {
        var query = query
        query.filters[.sopClassUID] = .list(DiagnosticReport.documentClasses)
        query.studies = scope?.studies
        query.wantsRepresentative = true
        return try catalog.find(query)
    }

    /// The headers of structured reports are read.
    fileprivate func reports(_ matches: [Match]) throws -> [DiagnosticReport] {
        let uids = Set(matches.compactMap { $0.values[.studyInstanceUID] })
        let studies = Dictionary(
            try self.studies(Array(uids)).map { ($0.id ?? "", $0) }, uniquingKeysWith: { first, _ in first })
        return matches.compactMap { match in
            guard let study = studies[match.values[.studyInstanceUID] ?? ""] else { return nil }
            // Documents inside are long, and their headers say no more than the catalogue.
            let isStructured = match.values[.sopClassUID]?.contains(".88.") ?? false
            let header = isStructured ? match.representative.flatMap { try? retrieval.header(of: $0) } : nil
            return DiagnosticReport(match.values, header: header, study: study, dicomweb: dicomweb)
        }
    }
}

/// Searches for documents: by what narrows them to some studies.
struct ReportSearch {
    let search: ResourceSearch

    /// A search that finds more documents than this is to be narrowed.
    static let most = 1_000

    func page() throws -> FoundPage {
        let found = try matches()
        guard found.count <= Self.most else { throw Self.tooMany }
        let query = search.query
        var rest = found[...]
        if let cursor = query.cursor {
            guard let place = found.firstIndex(where: { $0.values[.sopInstanceUID] == cursor }) else {
                throw FHIRFault.search("What the page before ended with is not here any more; search anew.")
            }
            rest = found[(place + 1)...]
        }
        let page = query.isCountOnly ? [] : rest.prefix(query.count)
        return FoundPage(
            resources: try search.reader.reports(Array(page)).map(Resource.diagnosticReport),
            next: page.count < rest.count ? page.last?.values[.sopInstanceUID] : nil,
            total: query.total == SearchQuery.Total.none ? nil : found.count)
    }

    private static let tooMany = FHIRFault.search(
        "Name a patient, a visit, an order, a study or a document.", code: "too-costly")

    private func matches() throws -> [Match] {
        let reader = search.reader
        var studies = reader.scope?.studies
        var documents: Set<String>?
        for term in search.query.terms {
            switch term.name {
            case "_id", "identifier":
                let uids = Set(try term.codes().map(StudySearch.plainUID))
                documents = documents?.intersection(uids) ?? uids
            case "imaging-study":
                let uids = Set(term.ids(of: "ImagingStudy"))
                studies = studies?.intersection(uids) ?? uids
            default:
                let uids = try StudySearch(search: search).studies(meantBy: term)
                studies = studies?.intersection(uids) ?? uids
            }
        }
        var query = Query(level: .image, limit: Self.most + 1)
        if let documents {
            let uids = documents.filter(UID.isValid)
            if uids.isEmpty { return [] }
            query.filters[.sopInstanceUID] = .list(uids.sorted())
        } else if studies == nil {
            throw Self.tooMany
        }
        if let studies {
            if studies.isEmpty { return [] }
            query.filters[.studyInstanceUID] = .list(studies.sorted())
        }
        return try reader.documents(query)
    }
}
