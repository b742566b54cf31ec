// Bundles that change something: everything of a transaction or nothing; each entry of a batch by itself.

import Foundation
import HTTPTypes
import Records

extension Bundle {
    static let mostEntries = 500

    typealias Placed = (place: Int, entry: Entry, resource: Resource)

    /// The entries with their places, in the order in which they can refer to each other: people, visits, orders; and what
    /// is wrong with those that say too little.
    func ordered() throws -> (entries: [Placed], faults: [(place: Int, fault: FHIRFault)]) {
        let entries = entry ?? []
        guard entries.count <= Self.mostEntries else {
            throw FHIRFault(.contentTooLarge, "too-long", "At most \(Self.mostEntries) entries.", at: "Bundle.entry")
        }
        let ranks = ["Patient": 0, "Encounter": 1, "ServiceRequest": 2]
        var (all, faults): ([Placed], [(place: Int, fault: FHIRFault)]) = ([], [])
        for (place, entry) in entries.enumerated() {
            if let resource = entry.resource, entry.request != nil {
                all.append((place, entry, resource))
            } else {
                let here = "Bundle.entry[\(place)]"
                faults.append(
                    (place, FHIRFault(.badRequest, "required", "An entry has a resource and a request.", at: here)))
            }
        }
        all.sort { (ranks[$0.resource.type] ?? 0, $0.place) < (ranks[$1.resource.type] ?? 0, $1.place) }
        return (all, faults)
    }
}

extension ResourceDesk {
    /// Applies an entry; what it became is known to those behind it.
    mutating func apply(_ entry: Bundle.Entry, _ resource: Resource, at place: Int) throws -> WrittenResource {
        let here = "Bundle.entry[\(place)]"
        guard let request = entry.request else {
            throw FHIRFault(.badRequest, "required", "An entry has a request.", at: here)
        }
        let (path, condition) = Self.parts(request.url)
        let root = here + ".resource"
        let written: WrittenResource
        switch (request.method, path.count) {
        case ("POST", 1) where path[0] == resource.type:
            written = try create(resource, ifNoneExist: request.ifNoneExist, at: root)
        case ("PUT", 2) where path[0] == resource.type:
            written = try update(resource, id: path[1], ifMatch: request.ifMatch, at: root)
        case ("PUT", 1) where path[0] == resource.type && condition != nil:
            written = try update(resource, where: condition ?? "", ifMatch: request.ifMatch, at: root)
        default:
            throw FHIRFault(
                .badRequest, "not-supported", "Entries are POST and PUT of the resource's own type.",
                at: here + ".request")
        }
        if let address = entry.fullUrl { known[address] = written.resource.path }
        return written
    }

    private static func parts(_ url: String) -> (path: [String], condition: String?) {
        let halves = url.split(separator: "?", maxSplits: 1).map(String.init)
        return (halves.first?.split(separator: "/").map(String.init) ?? [], halves.count > 1 ? halves[1] : nil)
    }
}

extension Bundle.Entry {
    /// The answer to an entry.
    init(_ written: WrittenResource, base: String, wantsResource: Bool) {
        fullUrl = base + "/" + written.resource.path
        resource = wantsResource ? written.resource : nil
        let meta = written.resource.meta
        response = Bundle.Response(
            status: written.outcome == .created ? "201 Created" : "200 OK", location: written.resource.path,
            etag: FHIRFormat.tag(meta), lastModified: meta?.lastUpdated,
            outcome: written.warning.map {
                OperationOutcome(issue: [.init(severity: "warning", code: "duplicate", diagnostics: $0)])
            })
    }

    /// The answer to an entry of a batch that was refused.
    init(_ fault: FHIRFault) {
        response = Bundle.Response(
            status: "\(fault.status.code) \(fault.status.reasonPhrase)", outcome: fault.outcome)
    }
}
