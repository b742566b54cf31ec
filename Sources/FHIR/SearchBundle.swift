// The answer to a search: what matched, what it refers to, and the way to the next page.

import Foundation
import Records
import Web

struct SearchBundle {
    let search: ResourceSearch
    let type: String
    /// The base of this service.
    let base: String

    /// So much is brought with one page at most.
    static let mostIncluded = 1_000

    func bundle() throws -> Bundle {
        let found = try search.page(type)
        var entries = found.resources.map { entry($0, "match") }
        var seen = Set(found.resources.map(\.path))
        var included: [Resource] = []
        for resource in try wished(found.resources) where seen.insert(resource.path).inserted {
            included.append(resource)
        }
        entries += included.prefix(Self.mostIncluded).map { entry($0, "include") }
        if included.count > Self.mostIncluded {
            let words = "More than \(Self.mostIncluded) resources belong to this page; search for the rest."
            let outcome = OperationOutcome(issue: [.init(severity: "warning", code: "too-costly", diagnostics: words)])
            entries.append(Bundle.Entry(resource: .outcome(outcome), search: .init(mode: "outcome")))
        }
        var links = [Bundle.Link(relation: "self", url: address(cursor: search.query.cursor))]
        if let next = found.next { links.append(Bundle.Link(relation: "next", url: address(cursor: next))) }
        return Bundle(type: "searchset", total: found.total, link: links, entry: entries.unlessEmpty)
    }

    private func entry(_ resource: Resource, _ mode: String) -> Bundle.Entry {
        Bundle.Entry(fullUrl: base + "/" + resource.path, resource: resource, search: .init(mode: mode))
    }

    private func address(cursor: String?) -> String {
        var fields = search.query.used.filter { $0.name != "_cursor" }.map {
            "\(Self.encoded($0.name))=\(Self.encoded($0.value))"
        }
        if let cursor { fields.append("_cursor=" + Self.encoded(cursor)) }
        return base + "/" + type + (fields.isEmpty ? "" : "?" + fields.joined(separator: "&"))
    }

    private static func encoded(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: plain) ?? ""
    }

    private static let plain = CharacterSet(
        charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/,")

    // MARK: What comes with it

    private func wished(_ resources: [Resource]) throws -> [Resource] {
        var found: [Resource] = []
        for wish in search.query.includes {
            let parameter = String(wish.split(separator: ":")[1])
            for reference in resources.flatMap({ $0.references(by: parameter) }) {
                guard let local = LocalReference(reference) else { continue }
                if let resource = try search.reader.resource(local.type, local.id) { found.append(resource) }
            }
        }
        for wish in search.query.revincludes { found += try referring(to: resources, wish) }
        return found
    }

    /// Resources that refer to these.
    private func referring(to resources: [Resource], _ wish: String) throws -> [Resource] {
        let parts = wish.split(separator: ":").map(String.init)
        let ids = Set(resources.compactMap(\.id).compactMap(Int64.init))
        if ids.isEmpty, parts[0] != "DiagnosticReport" { return [] }
        let (records, reader) = (search.records, search.reader)
        let page = RecordPage(limit: Self.mostIncluded)
        switch parts[0] {
        case "Encounter":
            var filter = EncounterFilter()
            filter.people = [ids]
            if let scope = reader.scope { filter.ids = [scope.encounters] }
            return try records.encounters(filter, page: page).map { .encounter(try reader.encounter($0)) }
        case "ServiceRequest":
            var filter = ProcedureFilter()
            if parts[1] == "encounter" { filter.encounters = [ids] } else { filter.people = [ids] }
            if let scope = reader.scope { filter.ids = [scope.procedures] }
            return try records.procedures(filter, page: page).map { .serviceRequest(try reader.serviceRequest($0)) }
        case "DiagnosticReport":
            let reports = try reader.reports(ofStudies: resources.compactMap(\.id), limit: Self.mostIncluded + 1)
            return reports.map(Resource.diagnosticReport)
        default:
            let links = try ids.flatMap { id in
                switch parts[1] {
                case "encounter": try records.links(encounter: id)
                case "basedon": try records.links(procedure: id)
                default: try records.links(patient: records.patient(id: id))
                }
            }
            let uids = links.map(\.studyInstanceUID).prefix(Self.mostIncluded + 1)
            return try reader.studies(Array(uids)).map(Resource.imagingStudy)
        }
    }
}

extension Resource {
    /// The addresses that a search parameter's element holds.
    func references(by parameter: String) -> [String] {
        let references: [Reference?] =
            switch self {
            case .encounter(let encounter): [encounter.subject]
            case .serviceRequest(let request): parameter == "encounter" ? [request.encounter] : [request.subject]
            case .imagingStudy(let study):
                switch parameter {
                case "encounter": [study.encounter]
                case "basedon": study.basedOn ?? []
                case "endpoint": study.endpoint ?? []
                default: [study.subject]
                }
            case .diagnosticReport(let report):
                switch parameter {
                case "encounter": [report.encounter]
                case "based-on": report.basedOn ?? []
                case "imaging-study": report.imagingStudy ?? []
                default: [report.subject]
                }
            case .patient, .endpoint, .outcome: []
            }
        return references.compactMap { $0?.reference }
    }
}
