// Counters of the DIMSE edge, made once; labels come from fixed sets.

import DICOMNetwork
import Ingest
import Metrics

enum DIMSEMetrics {
    /// What became of a caller.
    enum Outcome: String, CaseIterable {
        case accepted, rejected, failed, broken, released
        case overLimit = "over limit"
    }

    private static let outcomes = Dictionary(
        uniqueKeysWithValues: Outcome.allCases.map {
            ($0, Counter(label: "phim_associations_total", dimensions: [("outcome", $0.rawValue)]))
        })

    private static let requests = Dictionary(
        uniqueKeysWithValues: CommandField.allCases.filter { !$0.isResponse }.map { ($0, request("\($0)")) })
    private static let unknownRequests = request("unknown")

    private static let bulkStores = stores(.bulk)
    private static let routineStores = stores(.routine)
    private static let statStores = stores(.stat)

    static func associations(_ outcome: Outcome) { outcomes[outcome]?.increment() }

    /// One request has been served.
    static func served(_ field: CommandField?) {
        (field.flatMap { requests[$0] } ?? unknownRequests).increment()
    }

    /// One object is about to arrive.
    static func toStore(_ priority: IngestPriority) {
        switch priority {
        case .bulk: bulkStores.increment()
        case .routine: routineStores.increment()
        case .stat: statStores.increment()
        }
    }

    private static func request(_ name: String) -> Counter {
        Counter(label: "phim_dimse_requests_total", dimensions: [("request", name)])
    }

    private static func stores(_ priority: IngestPriority) -> Counter {
        Counter(label: "phim_dimse_store_requests_total", dimensions: [("priority", priority.rawValue)])
    }
}
