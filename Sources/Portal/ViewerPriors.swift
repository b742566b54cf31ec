// Other studies of the patient, newest first, and which of them can be compared.

import Access
import Catalog
import DICOMCore

/// One other study.
struct ViewerPrior: Encodable, Sendable {
    let studyInstanceUID: String
    let date: String?
    let time: String?
    let description: String?
    let accessionNumber: String?
    let modalities: [String]
    let bodyParts: [String]
    let series: Int
    let instances: Int
    /// From it to the open study: negative for a later one; nil when one of both has no date.
    let daysBefore: Int?
    let sharesModality: Bool
    /// The same part of the body, or, where none is said, the same description.
    let sharesBodyPart: Bool
    /// Worth being hung beside the open study: both of the above.
    let isComparable: Bool
    /// The study's own answer.
    let address: String
}

/// The answer to a question for priors.
struct ViewerPriorsAnswer: Encodable, Sendable {
    let studyInstanceUID: String
    let priors: [ViewerPrior]
    /// Whether there are more than were asked for.
    let isTruncated: Bool
}

/// Looks for other studies of a patient. Calls block.
struct ViewerPriors: Sendable {
    private let catalog: CatalogStore
    /// Studies of one patient that are looked at.
    private static let mostStudies = 2_000

    init(_ catalog: CatalogStore) { self.catalog = catalog }

    /// One study as its series describe it.
    private struct Summary {
        let values: [Tag: String]
        let bodyParts: Set<String>
        let modalities: Set<String>
        /// Date and time, as they sort.
        let moment: String

        init(_ series: [Match]) {
            values = series.first?.values ?? [:]
            bodyParts = Set(series.compactMap { ViewerValues.text($0.values[.bodyPartExamined])?.uppercased() })
            modalities = Set(series.compactMap { ViewerValues.text($0.values[.modality]) })
            moment = (values[.studyDate] ?? "") + (values[.studyTime] ?? "")
        }

        var uid: String { values[.studyInstanceUID] ?? "" }
        var description: String { Fold.fold(values[.studyDescription] ?? "") }
    }

    /// Priors of a study, nil when it is not here.
    /// - Parameter scope: studies that may be named; others are as if they were not here.
    func answer(for uid: String, within scope: StudyScope, limit: Int) throws -> ViewerPriorsAnswer? {
        let own = try catalog.find(Query(level: .series, filters: [.studyInstanceUID: .single(uid)]))
        guard let first = own.first?.values else { return nil }
        let patientID = first[.patientID] ?? ""
        // Without an ID nobody knows whose studies are whose.
        guard !patientID.isEmpty else {
            return ViewerPriorsAnswer(studyInstanceUID: uid, priors: [], isTruncated: false)
        }
        let issuer = first[.issuerOfPatientID] ?? ""
        // The newest first; an ID that thousands share, as of those whose name nobody knew, names nobody.
        var studies = Query(level: .study, filters: [.patientID: .single(patientID)], limit: Self.mostStudies)
        if case .only(let granted) = scope { studies.studies = granted }
        let wanted = try catalog.find(studies).filter {
            $0.values[.studyInstanceUID] != uid && ($0.values[.issuerOfPatientID] ?? "") == issuer
        }.compactMap { $0.values[.studyInstanceUID] }.prefix(limit + 1)
        let others =
            wanted.isEmpty
            ? [] : try catalog.find(Query(level: .series, filters: [.studyInstanceUID: .list(Array(wanted))]))
        let open = Summary(own)
        let summaries = Dictionary(grouping: others) { $0.values[.studyInstanceUID] ?? "" }.values.map { Summary($0) }
            .sorted { ($0.moment, $0.uid) > ($1.moment, $1.uid) }
        return ViewerPriorsAnswer(
            studyInstanceUID: uid, priors: summaries.prefix(limit).map { Self.prior($0, beside: open) },
            isTruncated: summaries.count > limit)
    }

    private static func prior(_ other: Summary, beside open: Summary) -> ViewerPrior {
        let sharesModality = !other.modalities.isDisjoint(with: open.modalities)
        let sharesBodyPart =
            other.bodyParts.isEmpty || open.bodyParts.isEmpty
            ? !open.description.isEmpty && other.description == open.description
            : !other.bodyParts.isDisjoint(with: open.bodyParts)
        let day = ViewerValues.day(ViewerValues.date(other.values[.studyDate]))
        let openDay = ViewerValues.day(ViewerValues.date(open.values[.studyDate]))
        return ViewerPrior(
            studyInstanceUID: other.uid, date: ViewerValues.date(other.values[.studyDate]),
            time: ViewerValues.time(other.values[.studyTime]),
            description: ViewerValues.text(other.values[.studyDescription]),
            accessionNumber: ViewerValues.text(other.values[.accessionNumber]),
            modalities: other.modalities.sorted(), bodyParts: other.bodyParts.sorted(),
            series: Int(other.values[.numberOfStudyRelatedSeries] ?? "") ?? 0,
            instances: Int(other.values[.numberOfStudyRelatedInstances] ?? "") ?? 0,
            daysBefore: day.flatMap { day in openDay.map { $0 - day } }, sharesModality: sharesModality,
            sharesBodyPart: sharesBodyPart, isComparable: sharesModality && sharesBodyPart,
            address: "/api/v1/studies/\(other.uid)")
    }
}
