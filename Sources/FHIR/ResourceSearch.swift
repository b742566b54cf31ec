// Searches over the records: each parameter of the table becomes a condition that an index answers.

import Encounters
import Foundation
import HTTPTypes
import Records

/// One page of what was found.
struct FoundPage: Sendable {
    var resources: [Resource]
    /// Where the next page begins; nil behind the last.
    var next: String?
    /// Nil where it was not counted to the end.
    var total: Int?
}

/// Searches of one type, within one view of the records.
struct ResourceSearch {
    let reader: ResourceReader
    let query: SearchQuery

    /// Further than this is not counted unless the caller asks for the exact number.
    static let mostCounted = 1_000

    var records: RecordTransaction { reader.records }

    func page(_ type: String) throws -> FoundPage {
        switch type {
        case "Patient":
            let filter = try patients()
            return try page({ try records.patients(filter, page: $0) }, { try records.count(filter, to: $0) }) {
                (.patient(try reader.patient($0)), $0.id)
            }
        case "Encounter":
            let filter = try encounters()
            return try page({ try records.encounters(filter, page: $0) }, { try records.count(filter, to: $0) }) {
                (.encounter(try reader.encounter($0)), $0.id)
            }
        case "ServiceRequest":
            let filter = try procedures()
            return try page({ try records.procedures(filter, page: $0) }, { try records.count(filter, to: $0) }) {
                (.serviceRequest(try reader.serviceRequest($0)), $0.id)
            }
        case "ImagingStudy": return try StudySearch(search: self).page()
        case "DiagnosticReport": return try ReportSearch(search: self).page()
        default: return try endpoints()
        }
    }

    private func page<Row>(
        _ find: (RecordPage) throws -> [Row], _ count: (Int) throws -> Int, _ made: (Row) throws -> (Resource, Int64)
    ) throws -> FoundPage {
        var found = FoundPage(resources: [])
        if !query.isCountOnly {
            let before = try query.cursor.map { text in
                guard let number = Int64(text) else { throw FHIRFault.search("_cursor is not from a link of ours.") }
                return number
            }
            let rows = try find(RecordPage(before: before, limit: query.count)).map(made)
            found.resources = rows.prefix(query.count).map(\.0)
            if rows.count > query.count, let last = rows.prefix(query.count).last { found.next = "\(last.1)" }
            // One page that holds everything is counted.
            if query.cursor == nil, found.next == nil { found.total = rows.count }
        }
        if found.total == nil, query.total != Total.none || query.isCountOnly {
            let bound = query.total == .accurate || query.isCountOnly ? Int.max : Self.mostCounted
            let number = try count(bound)
            found.total = number < bound ? number : nil
        }
        return found
    }

    private typealias Total = SearchQuery.Total

    private func endpoints() throws -> FoundPage {
        var all = Endpoint.all(address: reader.dicomweb)
        for term in query.terms {
            let codes = try term.codes()
            all = all.filter { codes.contains(term.name == "_id" ? $0.id ?? "" : $0.connectionType.code ?? "") }
        }
        return FoundPage(
            resources: query.isCountOnly ? [] : all.map(Resource.endpoint), next: nil, total: all.count)
    }

    // MARK: Conditions

    /// A table promises what a condition must keep: a parameter that is in one and not in the other is our fault.
    static func forgotten(_ term: SearchTerm) -> FHIRFault {
        FHIRFault(.internalServerError, "exception", "\(term.name) is declared and not searched.")
    }

    private func patients() throws -> PatientFilter {
        var filter = PatientFilter()
        if let scope = reader.scope { filter.ids.append(scope.people) }
        for term in query.terms {
            switch term.name {
            case "_id": filter.ids.append(try Self.numbers(term.codes()))
            case "identifier": filter.identifiers.append(try identifiers(term))
            case "name", "family", "given": filter.names.append(try term.names())
            case "birthdate": filter.birthDates.append(try term.spans())
            case "gender":
                let sexes = ["male": "M", "female": "F", "other": "O", "unknown": ""]
                filter.sexes.append(try term.codes().compactMap { sexes[$0] })
            case "phone": filter.telephones.append(try term.codes())
            default: throw Self.forgotten(term)
            }
        }
        return filter
    }

    private func encounters() throws -> EncounterFilter {
        var filter = EncounterFilter()
        if let scope = reader.scope { filter.ids.append(scope.encounters) }
        for term in query.terms {
            switch term.name {
            case "_id": filter.ids.append(try Self.numbers(term.codes()))
            case "patient", "subject", "patient.identifier", "subject.identifier":
                filter.people.append(try people(term))
            case "identifier": filter.numbers.append(try keys(term, .visit))
            case "status": filter.statuses.append(try term.codes())
            case "class":
                let codes = try term.codes(of: Coding.acts)
                filter.classes.append(Encounter.classes.filter { codes.contains($0.value.code ?? "") }.map(\.key))
            case "date": filter.periods.append(try term.spans())
            default: throw Self.forgotten(term)
            }
        }
        return filter
    }

    private func procedures() throws -> ProcedureFilter {
        var filter = ProcedureFilter()
        if let scope = reader.scope { filter.ids.append(scope.procedures) }
        for term in query.terms {
            switch term.name {
            case "_id": filter.ids.append(try Self.numbers(term.codes()))
            case "patient", "subject", "patient.identifier", "subject.identifier":
                filter.people.append(try people(term))
            case "encounter": filter.encounters.append(Self.numbers(term.ids(of: "Encounter")))
            case "identifier": filter.numbers.append(try procedureNumbers(term))
            case "accession": filter.numbers.append(try keys(term, .accession).map(ProcedureNumber.accession))
            case "status": filter.states.append(try term.codes().flatMap(ServiceRequest.states))
            case "code": filter.codes.append(try term.codes())
            case "modality": filter.modalities.append(try term.codes(of: Coding.dicom))
            case "authored": filter.ordered.append(try term.spans())
            case "occurrence": filter.scheduled.append(try term.spans())
            default: throw Self.forgotten(term)
            }
        }
        return filter
    }

    // MARK: Values

    static func numbers(_ ids: [String]) -> Set<Int64> { Set(ids.compactMap(Int64.init)) }

    private func identifiers(_ term: SearchTerm) throws -> [IdentifierKey] { try keys(term, .patient) }

    func keys(_ term: SearchTerm, _ kind: NumberKind) throws -> [IdentifierKey] {
        try term.tokens().map { token in
            IdentifierKey(issuer: token.system.map { IdentifierSystem.issuer($0, kind) }, value: token.code)
        }
    }

    /// An order number, an accession number, or a UID.
    private func procedureNumbers(_ term: SearchTerm) throws -> [ProcedureNumber] {
        try term.tokens().flatMap { token -> [ProcedureNumber] in
            let uid = Identifier(system: IdentifierSystem.studyUID, value: token.code).studyInstanceUID ?? ""
            if token.system == IdentifierSystem.studyUID { return [.study(uid)] }
            func key(_ kind: NumberKind) -> IdentifierKey {
                IdentifierKey(issuer: token.system.map { IdentifierSystem.issuer($0, kind) }, value: token.code)
            }
            let numbers: [ProcedureNumber] = [.placer(key(.order)), .accession(key(.accession))]
            return token.system == nil ? numbers + [.study(uid)] : numbers
        }
    }

    /// Whose it is: rows that people are seen as.
    func people(_ term: SearchTerm) throws -> Set<Int64> {
        guard term.name.hasSuffix(".identifier") else {
            return try Self.numbers(term.ids(of: "Patient")).reduce(into: []) { roots, id in
                do { roots.insert(try records.patient(id: id).root) } catch RecordsError.notFound {}
            }
        }
        return try records.roots(identifiedByAny: identifiers(term))
    }
}
