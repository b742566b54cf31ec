// Studies, their links and their candidates as they are told: to terminals, to pages, to programs.

package import Records

/// A study that waits for a decision.
package struct WaitingReport: Encodable, Sendable {
    package let studyInstanceUID: String
    package let startedAt: String
    package let modalities: [String]
    package let description: String
    package let patientID: String
    package let patientName: String
    package let birthDate: String
    package let sex: String
    package let accessionNumber: String
    package let since: String
    package let isHeld: Bool

    package init(_ item: InboxRecord) {
        studyInstanceUID = item.facts.studyInstanceUID
        startedAt = item.facts.startedAt
        modalities = item.facts.modalities
        description = item.facts.description
        patientID = item.facts.patientID
        patientName = item.facts.patientName
        birthDate = item.facts.patientBirthDate
        sex = item.facts.patientSex
        accessionNumber = item.facts.accessionNumber
        since = LocalTime.text(item.since)
        isHeld = item.isHeld
    }
}

/// Where a study belongs, or could: numbers of rows, and what people call them.
package struct PlaceReport: Encodable, Sendable {
    package let order: Int64?
    package let accessionNumber: String?
    package let meaning: String?
    package let scheduledAt: String?
    package let visitID: Int64?
    package let visit: String?
    package let patient: Int64
    package let patientName: String

    init(_ place: LinkPlace) {
        order = place.procedure?.id
        accessionNumber = place.procedure?.accessionNumber
        meaning = place.procedure?.meaning
        scheduledAt = place.procedure?.scheduledAt
        visitID = place.visit?.id
        visit = place.visit?.number
        patient = place.patient
        patientName = place.patientName
    }
}

/// A place where a study could belong.
package struct CandidateReport: Encodable, Sendable {
    package let place: PlaceReport
    package let method: String
    package let score: Double
    package let reason: String

    /// The candidates of several studies, in their order; their places are read at once.
    package static func reports(
        _ candidates: [[LinkCandidate]], _ records: RecordTransaction
    ) throws -> [[CandidateReport]] {
        var places = try records.places(of: candidates.joined().map(\.target))[...]
        return candidates.map { ofOne in
            defer { places = places.dropFirst(ofOne.count) }
            return zip(ofOne, places).map { CandidateReport($0, PlaceReport($1)) }
        }
    }

    private init(_ candidate: LinkCandidate, _ place: PlaceReport) {
        self.place = place
        method = candidate.method.rawValue
        score = candidate.score
        reason = candidate.reason
    }

    private enum CodingKeys: CodingKey { case method, score, reason }

    package func encode(to encoder: any Encoder) throws {
        try place.encode(to: encoder)
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(method, forKey: .method)
        try values.encode(score, forKey: .score)
        try values.encode(reason, forKey: .reason)
    }
}

/// A link, holding or undone.
package struct LinkReport: Encodable, Sendable {
    package let id: Int64
    package let studyInstanceUID: String
    package let place: PlaceReport
    package let method: String
    package let score: Double
    package let reason: String
    package let at: String
    package let by: String
    package let undoneAt: String?
    package let undoneBy: String?
    package let undoneReason: String?

    /// Links in their order; their places are read at once.
    package static func reports(
        _ links: some Collection<StudyLinkRecord>, _ records: RecordTransaction
    ) throws -> [LinkReport] {
        zip(links, try records.places(of: links.map(\.target))).map { LinkReport($0, PlaceReport($1)) }
    }

    package init(_ link: StudyLinkRecord, _ records: RecordTransaction) throws {
        guard let report = try Self.reports([link], records).first else { throw RecordsError.notFound }
        self = report
    }

    private init(_ link: StudyLinkRecord, _ place: PlaceReport) {
        id = link.id
        studyInstanceUID = link.studyInstanceUID
        self.place = place
        method = link.method.rawValue
        score = link.score
        reason = link.reason
        at = LocalTime.text(link.at)
        by = link.actor
        undoneAt = link.undoneAt.map(LocalTime.text)
        undoneBy = link.undoneBy
        undoneReason = link.undoneReason.flatMap { $0.isEmpty ? nil : $0 }
    }

    private enum CodingKeys: CodingKey {
        case id, studyInstanceUID, method, score, reason, at, by, undoneAt, undoneBy, undoneReason
    }

    package func encode(to encoder: any Encoder) throws {
        try place.encode(to: encoder)
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(id, forKey: .id)
        try values.encode(studyInstanceUID, forKey: .studyInstanceUID)
        try values.encode(method, forKey: .method)
        try values.encode(score, forKey: .score)
        try values.encode(reason, forKey: .reason)
        try values.encode(at, forKey: .at)
        try values.encode(by, forKey: .by)
        try values.encodeIfPresent(undoneAt, forKey: .undoneAt)
        try values.encodeIfPresent(undoneBy, forKey: .undoneBy)
        try values.encodeIfPresent(undoneReason, forKey: .undoneReason)
    }
}

/// A study with every place where it could belong and every link that it ever had.
package struct StudyLinkStory: Encodable, Sendable {
    package let studyInstanceUID: String
    /// Number of the link that holds; who decides says which one they saw.
    package let holding: Int64?
    package let candidates: [CandidateReport]
    package let links: [LinkReport]

    /// - Parameter issuer: of this site's patient codes.
    package init(_ facts: StudyFacts, _ records: RecordTransaction, issuer: String) throws {
        studyInstanceUID = facts.studyInstanceUID
        let all = try records.links(ofStudy: facts.studyInstanceUID)
        holding = all.first { $0.undoneAt == nil }?.id
        let candidates = try StudyLinking(records, issuer: issuer).candidates(facts)
        self.candidates = try CandidateReport.reports([candidates], records)[0]
        links = try LinkReport.reports(all, records)
    }
}

extension StudyLinkStory {
    /// Without what others may not know: only the link that holds.
    package var holdingOnly: StudyLinkStory { StudyLinkStory(self) }

    private init(_ whole: StudyLinkStory) {
        studyInstanceUID = whole.studyInstanceUID
        holding = whole.holding
        candidates = []
        links = whole.links.filter { $0.undoneAt == nil }
    }
}
