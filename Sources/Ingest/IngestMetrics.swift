// What the pipeline tells of itself; labels come from fixed sets.

import Dispatch
import Metrics

enum IngestMetrics {
    private static let outcomes = Dictionary(
        uniqueKeysWithValues: Receipt.Outcome.allCases.map {
            ($0, Counter(label: "phim_ingest_instances_total", dimensions: [("outcome", $0.rawValue)]))
        })
    private static let bytes = Counter(label: "phim_ingest_bytes_total")
    private static let batchSize = Recorder(label: "phim_ingest_batch_instances")
    private static let acceptTime = Timer(label: "phim_ingest_accept_seconds")
    private static let appendTime = Timer(label: "phim_volume_append_seconds")
    private static let enrollTime = Timer(label: "phim_catalog_enroll_seconds")

    static func finished(_ outcome: Receipt.Outcome, bytes count: Int64, since started: DispatchTime) {
        outcomes[outcome]?.increment()
        bytes.increment(by: count)
        acceptTime.recordInterval(since: started)
    }

    static func appended(count: Int, since started: DispatchTime) {
        batchSize.record(count)
        appendTime.recordInterval(since: started)
    }

    static func enrolled(count: Int, since started: DispatchTime) {
        enrollTime.recordInterval(since: started)
    }
}
