// Searches for studies: the records say which are meant, the catalogue which of them are here.

import Catalog
import DICOMCore
import Encounters
import Foundation
import Records

struct StudySearch {
    let search: ResourceSearch

    private var records: RecordTransaction { search.records }
    private var reader: ResourceReader { search.reader }

    func page() throws -> FoundPage {
        let asked = search.query
        var query = try query()
        var found = FoundPage(resources: [])
        let exactly = asked.total == .accurate || asked.isCountOnly
        if asked.isCountOnly || asked.total == .accurate && asked.cursor != nil {
            found.total = try count(query)
        }
        if asked.isCountOnly { return found }
        query.limit = asked.count
        if let cursor = asked.cursor { query.after = try Self.position(cursor) }
        let page = try reader.catalog.page(query, countingTo: exactly ? .max : 1_000)
        found.resources = try reader.studies(page.matches).map(Resource.imagingStudy)
        if page.hasMore, let last = page.matches.last { found.next = Self.cursor(last.values) }
        if asked.cursor == nil, asked.total != SearchQuery.Total.none, case .exactly(let number) = page.total {
            found.total = number
        }
        return found
    }

    private func count(_ query: Query) throws -> Int {
        var query = query
        query.limit = 1
        switch try reader.catalog.page(query, countingTo: .max).total {
        case .exactly(let number), .atLeast(let number): return number
        }
    }

    // MARK: Pages

    private static func cursor(_ values: [Tag: String]) -> String {
        [Tag.studyDate, .studyTime, .studyInstanceUID].map { values[$0] ?? "" }.joined(separator: "~")
    }

    private static func position(_ cursor: String) throws -> StudyPosition {
        let parts = cursor.split(separator: "~", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3 else { throw FHIRFault.search("_cursor is not from a link of ours.") }
        return StudyPosition(studyDate: parts[0], studyTime: parts[1], studyInstanceUID: parts[2])
    }

    // MARK: Conditions

    private func query() throws -> Query {
        var query = Query(level: .study)
        var meant: Set<String>? = reader.scope?.studies
        func narrow(_ uids: Set<String>) { meant = meant?.intersection(uids) ?? uids }
        var span = StudySpan()
        for term in search.query.terms {
            switch term.name {
            case "_id": narrow(Set(try term.codes()))
            case "patient", "subject", "patient.identifier", "subject.identifier", "encounter", "basedon", "based-on":
                narrow(try studies(meantBy: term))
            case "identifier": narrow(try identified(term))
            case "accession": narrow(try studies(ofAccessions: search.keys(term, .accession)))
            case "started": try span.narrow(term)
            case "modality": query.filters[.modalitiesInStudy] = .list(try term.codes(of: Coding.dicom))
            case "series": query.filters[.seriesInstanceUID] = .list(try term.codes().map(Self.plainUID))
            case "status": if try !term.codes().contains("available") { narrow([]) }
            default: throw ResourceSearch.forgotten(term)
            }
        }
        span.write(to: &query)
        query.studies = meant
        return query
    }

    /// Studies of a person, a visit or an order.
    func studies(meantBy term: SearchTerm) throws -> Set<String> {
        switch term.name {
        case "patient", "subject": try studies(ofPeople: search.people(term))
        case "encounter":
            try uids(ResourceSearch.numbers(term.ids(of: "Encounter"))) { try records.links(encounter: $0) }
        case "basedon", "based-on":
            try uids(ResourceSearch.numbers(term.ids(of: "ServiceRequest"))) { try records.links(procedure: $0) }
        default: try studies(ofPeople: search.people(term)).union(unlinked(search.keys(term, .patient)))
        }
    }

    static func plainUID(_ code: String) -> String {
        code.hasPrefix("urn:oid:") ? String(code.dropFirst(8)) : code
    }

    private func uids(_ ids: Set<Int64>, _ links: (Int64) throws -> [StudyLinkRecord]) throws -> Set<String> {
        Set(try ids.flatMap { try links($0) }.map(\.studyInstanceUID))
    }

    private func studies(ofPeople roots: Set<Int64>) throws -> Set<String> {
        Set(try roots.flatMap { try records.links(patient: records.patient(id: $0)) }.map(\.studyInstanceUID))
    }

    /// Studies that name a patient code and are linked to nobody.
    private func unlinked(_ keys: [IdentifierKey]) throws -> Set<String> {
        var found: Set<String> = []
        for key in keys {
            let matches = try reader.catalog.find(
                Query(
                    level: .study, filters: [.patientID: .single(key.value)],
                    returnKeys: [.studyInstanceUID, .issuerOfPatientID], limit: 10_000))
            for match in matches {
                let issuer = (match.values[.issuerOfPatientID] ?? "").unlessEmpty ?? reader.site
                guard key.issuer == nil || key.issuer == issuer, let uid = match.values[.studyInstanceUID]
                else { continue }
                found.insert(uid)
            }
        }
        return found.subtracting(try records.links(ofStudies: found).map(\.studyInstanceUID))
    }

    /// By the order's accession number, or by what the images say.
    private func studies(ofAccessions keys: [IdentifierKey]) throws -> Set<String> {
        var found: Set<String> = []
        for key in keys {
            for procedure in try records.procedures(accessionNumber: key.value)
            where key.issuer == nil || key.issuer == procedure.accession.issuer {
                found.formUnion(try records.links(procedure: procedure.id).map(\.studyInstanceUID))
            }
            guard key.issuer == nil || key.issuer == reader.site else { continue }
            let matches = try reader.catalog.find(
                Query(
                    level: .study, filters: [.accessionNumber: .single(key.value)], returnKeys: [.studyInstanceUID],
                    limit: 10_000))
            found.formUnion(matches.compactMap { $0.values[.studyInstanceUID] })
        }
        return found
    }

    private func identified(_ term: SearchTerm) throws -> Set<String> {
        var found: Set<String> = []
        for token in try term.tokens() {
            let isUID = token.system == IdentifierSystem.studyUID
            if isUID || token.system == nil { found.insert(Self.plainUID(token.code)) }
            if isUID { continue }
            let issuer = token.system.map { IdentifierSystem.issuer($0, .accession) }
            found.formUnion(try studies(ofAccessions: [IdentifierKey(issuer: issuer, value: token.code)]))
        }
        return found
    }
}

/// When studies began: one span of time, as the catalogue is asked.
struct StudySpan {
    private var low: String?
    private var high: String?

    mutating func narrow(_ term: SearchTerm) throws {
        let spans = try term.spans()
        guard spans.count == 1, let span = spans.first else {
            throw FHIRFault.search("started takes one value; several parameters must all hold.", code: "not-supported")
        }
        switch span.comparison {
        case .equal, .approximately:
            least(span.low)
            most(span.high)
        case .greaterOrEqual: least(span.low)
        case .lessOrEqual: most(span.high)
        case .greater, .startsAfter: least(Self.moved(span.high, by: 1))
        case .less, .endsBefore: most(Self.moved(span.low, by: -1))
        case .notEqual:
            throw FHIRFault.search("started is not searched by ne.", code: "not-supported")
        }
    }

    private mutating func least(_ time: String) { low = max(low ?? time, time) }
    private mutating func most(_ time: String) { high = min(high ?? time, time) }

    private static func moved(_ time: String, by seconds: Int64) -> String {
        LocalTime.instant(time).map { LocalTime.text($0 + seconds * 1_000_000) } ?? time
    }

    func write(to query: inout Query) {
        guard low != nil || high != nil else { return }
        query.filters[.studyDate] = .range(
            lower: low.map { String($0.prefix(8)) }, upper: high.map { String($0.prefix(8)) })
        // Whole days say nothing of times, so that studies without one are found.
        let (from, until) = (low?.suffix(6) ?? "000000", high?.suffix(6) ?? "235959")
        guard from != "000000" || until != "235959" else { return }
        query.filters[.studyTime] = .range(lower: String(from), upper: String(until))
        query.combinesDateAndTime = true
    }
}
