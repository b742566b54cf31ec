// Numbers that are asked for rather than counted, read when the metrics are.

import Catalog
import Ingest
import Metrics
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
        guard let counts = try? archive.catalog.statistics(perModality: false) else { return }
        Meter(label: "phim_catalog_studies").set(counts.studies)
        Meter(label: "phim_catalog_series").set(counts.series)
        Meter(label: "phim_catalog_instances").set(counts.instances)
        Meter(label: "phim_catalog_bytes").set(counts.bytes)
        Meter(label: "phim_catalog_conflicts").set(counts.conflicts)
    }
}
