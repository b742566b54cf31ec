// Numbers that are asked for rather than counted, read when the metrics are.

import Catalog
import Forwarding
import Ingest
import Metrics
import Records
import Volumes

enum ArchiveGauges {
    static func refresh(_ archive: OpenArchive) {
        for priority in IngestPriority.allCases {
            Meter(label: "phim_ingest_queue_instances", dimensions: [("priority", priority.rawValue)])
                .set(archive.ingest.waiting(priority))
        }
        Meter(label: "phim_ingest_memory_bytes").set(archive.ingest.bytesInMemory)
        tell("phim_storage_free_bytes", try? archive.volumes.freeBytes())
        refreshNotices(archive)
        refreshOutbox(archive)
        let counts = try? archive.catalog.statistics(perModality: false)
        tell("phim_catalog_studies", counts?.studies)
        tell("phim_catalog_series", counts?.series)
        tell("phim_catalog_instances", counts?.instances)
        tell("phim_catalog_bytes", counts?.bytes)
        tell("phim_catalog_conflicts", counts?.conflicts)
    }

    /// What cannot be read now is left out, so that nobody takes an old number for the present one.
    private static func tell(_ label: String, _ value: (some BinaryInteger)?) {
        let meter = Meter(label: label)
        guard let value else { return meter.destroy() }
        meter.set(value)
    }

    /// What waits for which destination, since when, and whether it can be reached.
    private static func refreshOutbox(_ archive: OpenArchive) {
        guard let backlog = try? archive.outbox.backlog() else { return }
        for one in backlog {
            let destination = ("destination", one.destination)
            for priority in ShipmentRecord.Priority.allCases {
                let waiting = one.classes.first { $0.priority == priority.word }
                let dimensions = [destination, ("priority", priority.word)]
                Meter(label: "phim_outbox_studies", dimensions: dimensions).set(waiting?.studies ?? 0)
                Meter(label: "phim_outbox_instances", dimensions: dimensions).set(waiting?.instances ?? 0)
                Meter(label: "phim_outbox_bytes", dimensions: dimensions).set(waiting?.bytes ?? 0)
            }
            Meter(label: "phim_outbox_oldest_seconds", dimensions: [destination]).set(one.oldestSeconds)
            let isUp = one.line.map { $0.failures == 0 && $0.state != .stopped } ?? false
            Meter(label: "phim_destination_up", dimensions: [destination]).set(isUp ? 1 : 0)
        }
    }
}
