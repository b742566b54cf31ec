// What phim top shows, as values: computed from two readings of a server's metrics.

import Archive
import Foundation
import Telemetry

/// Rates are per second of the time between the readings, latencies in seconds, sizes in bytes; counts are since the server
/// started.
struct TopReport: Encodable, Sendable {
    /// Nil when nothing happened meanwhile.
    struct Latency: Encodable {
        let p50: Double?
        let p99: Double?

        init(_ change: MetricsChange, _ name: String) {
            let seen = change.distribution(name)
            p50 = seen?.quantile(0.5)
            p99 = seen?.quantile(0.99)
        }
    }

    struct Latencies: Encodable {
        /// Write and sync of one batch.
        let append: Latency
        let sync: Latency
        /// One batch's transaction in the catalogue.
        let enroll: Latency
        /// One instance, from its last byte to the word of success.
        let acknowledge: Latency
    }

    struct Peer: Encodable {
        let name: String
        let instancesPerSecond: Double
        let bytesPerSecond: Double
        let instances: Int
        let refused: Int
    }

    let version: String
    let pid: Int32
    let data: String
    let uptimeSeconds: Double
    let intervalSeconds: Double
    let instancesPerSecond: Double
    let bytesPerSecond: Double
    let instances: Int
    let bytes: Int
    let refusedPerSecond: Double
    let refused: Int
    /// By reason; reasons that did not occur are left out.
    let refusals: [String: Int]
    let associations: Int
    /// Instances that stand in line, by priority.
    let waiting: [String: Int]
    /// Held by instances that are on their way in.
    let memoryBytes: Int
    /// Means over the group commits; nil when there was none.
    let batchInstances: Double?
    let batchBytes: Double?
    let latencies: Latencies
    let freeBytes: Int?
    let catalogInstances: Int?
    /// The busiest first.
    let peers: [Peer]
}

extension TopReport {
    init(_ server: RunningServer, from earlier: TimedReading, to later: TimedReading) {
        let interval = max((later.instant - earlier.instant) / .seconds(1), 0.001)
        let reading = later.reading
        let change = MetricsChange(from: earlier.reading, to: reading, seconds: interval)
        version = server.version
        pid = server.pid
        data = server.data
        uptimeSeconds = later.start.map { max(0, Date.now.timeIntervalSince1970 - $0) } ?? 0
        intervalSeconds = interval
        instancesPerSecond = change.rate("phim_ingest_instances_total")
        bytesPerSecond = change.rate("phim_ingest_bytes_total")
        instances = reading.count("phim_ingest_instances_total")
        bytes = reading.count("phim_ingest_bytes_total")
        refusedPerSecond = change.rate("phim_ingest_refusals_total")
        refused = reading.count("phim_ingest_refusals_total")
        refusals = reading.counts("phim_ingest_refusals_total", by: "reason").filter { $0.value > 0 }
        let ended = ["released", "broken"].map { reading.count("phim_associations_total", where: ["outcome": $0]) }
        associations = max(
            0, reading.count("phim_associations_total", where: ["outcome": "accepted"]) - ended.reduce(0, +))
        waiting = reading.counts("phim_ingest_queue_instances", by: "priority")
        memoryBytes = reading.count("phim_ingest_memory_bytes")
        let batches = change.growth("phim_volume_append_seconds_count")
        batchInstances = change.distribution("phim_ingest_batch_instances")?.mean
        batchBytes = batches > 0 ? change.growth("phim_volume_appended_bytes_total") / batches : nil
        latencies = Latencies(
            append: Latency(change, "phim_volume_append_seconds"), sync: Latency(change, "phim_volume_sync_seconds"),
            enroll: Latency(change, "phim_catalog_enroll_seconds"),
            acknowledge: Latency(change, "phim_ingest_accept_seconds"))
        freeBytes = reading.total("phim_storage_free_bytes").map { Int(clamping: $0) }
        catalogInstances = reading.total("phim_catalog_instances").map { Int(clamping: $0) }
        peers = Self.peers(reading, change)
    }

    private static func peers(_ reading: MetricsReading, _ change: MetricsChange) -> [Peer] {
        reading.values(of: "source", in: "phim_source_instances_total")
            .map { name in
                let labels = ["source": name]
                return Peer(
                    name: name, instancesPerSecond: change.rate("phim_source_instances_total", where: labels),
                    bytesPerSecond: change.rate("phim_source_bytes_total", where: labels),
                    instances: reading.count("phim_source_instances_total", where: labels),
                    refused: reading.count("phim_source_refusals_total", where: labels))
            }
            // By powers of two: of peers about as busy, each keeps its row.
            .sorted { (magnitude($1), $0.name) < (magnitude($0), $1.name) }
    }

    private static func magnitude(_ peer: Peer) -> Int { Int(clamping: log2(1 + peer.instancesPerSecond)) }
}

/// Metrics and when they came.
struct TimedReading: Sendable {
    let reading: MetricsReading
    let instant = ContinuousClock.now

    /// When the server started, in seconds of 1970.
    var start: Double? { reading.total("process_start_time_seconds") }
}

extension MetricsReading {
    /// A number of things, 0 where nothing is told of them.
    fileprivate func count(_ name: String, where labels: [String: String] = [:]) -> Int {
        Int(exactly: (total(name, where: labels) ?? 0).rounded()) ?? 0
    }

    fileprivate func counts(_ name: String, by label: String) -> [String: Int] {
        values(of: label, in: name).reduce(into: [:]) { counts, value in
            counts[value] = count(name, where: [label: value])
        }
    }
}

extension Int {
    /// The nearest number that fits; 0 for what is none. Whatever answers on a port may say anything.
    init(clamping value: Double) {
        self = Int(exactly: value.rounded(.towardZero)) ?? (value.isNaN ? 0 : value < 0 ? .min : .max)
    }
}
