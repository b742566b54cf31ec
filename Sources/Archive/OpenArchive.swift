// Opens the rooms over one data directory, once, for the server and for every command.

package import Access
package import Catalog
import DICOMCore
package import DIMSEServer
package import Encounters
package import Forwarding
import Foundation
package import Ingest
package import Logging
package import Records
package import Retrieval
package import Volumes

/// An archive that is open in this process. Several processes may have it open at once.
package final class OpenArchive: Sendable {
    package let folder: ArchiveFolder
    package let configuration: Configuration
    package let volumes: VolumeStore
    package let catalog: CatalogStore
    package let records: RecordStore
    /// Patients, visits and orders, over `records`.
    package let encounters: Encounters
    /// Links studies to orders as they come.
    package let follower: StudyFollower
    /// What is sent on to other archives.
    package let outbox: Outbox
    package let audit: AuditTrail
    package let access: AccessControl
    package let ingest: IngestPipeline
    package let retrieval: InstanceRetrieval
    package let metadata: MetadataSource
    package let logger: Logger
    let limits: IngestLimits

    package init(_ folder: ArchiveFolder, configuration: Configuration, logger: Logger) throws {
        self.folder = folder
        self.configuration = configuration
        self.logger = logger
        volumes = try VolumeStore(
            directory: folder.volumes,
            options: VolumeOptions(
                volumeSize: configuration.storage.volumeSize.bytes, reserve: configuration.storage.reserve.bytes),
            tell: { $0.tell(logger) })
        catalog = try CatalogStore(path: folder.catalog)
        records = try RecordStore(path: folder.records)
        encounters = Encounters(records: records, settings: OrderSettings(configuration.hospital))
        try Self.adopt(in: encounters, logger)
        follower = StudyFollower(
            catalog: catalog, encounters: encounters, settling: SettlingRules(configuration), logger: logger)
        outbox = Outbox(catalog: catalog, encounters: encounters)
        // Before anything goes out, also of a catalogue that is new.
        try follower.corrections.project()
        var auditLimits = AuditTrail.Limits()
        auditLimits.backlog = configuration.access.auditBacklog
        audit = AuditTrail(records: records, anchor: folder.auditHead, limits: auditLimits, logger: logger)
        access = AccessControl(records: records, audit: audit, policy: configuration.access.policy, logger: logger)
        var limits = IngestLimits(configuration)
        limits.memoryBudget =
            configuration.storage.arrivalMemory.map { Int($0.bytes) }
            ?? IngestLimits.memoryBudget(ofMachine: ProcessInfo.processInfo.physicalMemory)
        self.limits = limits
        ingest = IngestPipeline(volumes: volumes, catalog: catalog, limits: limits, logger: logger)
        retrieval = InstanceRetrieval(
            volumes: volumes,
            converter: Converter(executable: Self.thisProgram, scratch: folder.scratch))
        metadata = MetadataSource(
            catalog: catalog, retrieval: retrieval, folder: folder.metadata,
            root: (configuration.http.publicURL ?? "") + "/dicom-web")
    }

    /// Opens an archive that exists; commands never create one by a misspelt path.
    package static func existing(
        _ folder: ArchiveFolder, configuration: Configuration, logger: Logger
    ) throws -> OpenArchive {
        guard folder.exists else { throw ArchiveError.noArchive(folder.path) }
        return try OpenArchive(folder, configuration: configuration, logger: logger)
    }

    /// What modalities are told of this hospital's orders.
    package var worklistPolicy: WorklistPolicy { WorklistPolicy(configuration.hospital) }

    /// Ends the pipeline and lets go of the volumes.
    /// - Parameter seconds: how long what waits may take. What is left is on its volume and is enrolled at the next start.
    package func close(within seconds: Double = 60) {
        if !audit.flush() { logger.error("the end of the audit trail could not be written") }
        guard ingest.stop(within: seconds) else {
            logger.error("the pipeline did not end in time")
            return
        }
        volumes.close()
    }

    /// The file of this program, which is also that of its workers.
    package static var thisProgram: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    }
}
