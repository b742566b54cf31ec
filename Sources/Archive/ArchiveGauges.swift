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
        if let free = try? archive.volumes.freeBytes() { Meter(label: "phim_storage_free_bytes").set(free) }
        refreshNotices(archive)
        refreshOutbox(archive)
        guard let counts = try? archive.catalog.statistics(perModality: false) else { return }
        Meter(label: "phim_catalog_studies").set(counts.studies)
        Meter(label: "phim_catalog_series").set(counts.series)
        Meter(label: "phim_catalog_instances").set(counts.instances)
        Meter(label: "phim_catalog_bytes").set(counts.bytes)
        Meter(label: "phim_catalog_conflicts").set(counts.conflicts)
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
