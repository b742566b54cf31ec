// An archive in a temporary folder, as far as the routes under /api/v1 need it.

import Access
import Catalog
import Encounters
import Exchange
import Forwarding
import Foundation
import Hummingbird
import Ingest
import Interop
import LineCoding
import Logging
import Portal
import Records
import Retrieval
import Volumes
import Web

final class ViewerBench {
    let folder: URL
    let catalog: CatalogStore
    let volumes: VolumeStore
    let records: RecordStore
    let work = BlockingWork(threads: 2)
    let logger: Logger
    private var entries: Int64 = 0

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "phim-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        volumes = try VolumeStore(
            directory: folder.appending(path: "volumes").path,
            options: VolumeOptions(volumeSize: 64 << 20, zeroAhead: 0))
        catalog = try CatalogStore(path: folder.appending(path: "catalog.sqlite").path)
        records = try RecordStore(path: folder.appending(path: "records.sqlite").path)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        self.logger = logger
    }

    deinit {
        volumes.close()
        try? FileManager.default.removeItem(at: folder)
    }

    /// Makes changes known as another process would: instances of one series.
    func store(_ study: String, series: String, numbers: ClosedRange<Int>) throws {
        entries += 10_000
        let firstEntry = entries
        let batch = numbers.map { number in
            Enrollment(
                facts: InstanceFacts([
                    .studyInstanceUID: study, .seriesInstanceUID: series, .sopInstanceUID: "\(series).\(number)",
                    .sopClassUID: "1.2.840.10008.5.1.4.1.1.2", .transferSyntaxUID: "1.2.840.10008.1.2.1",
                    .modality: "CT", .patientID: "P1", .instanceNumber: "\(number)",
                ]),
                place: Place(
                    volume: 1, entryOffset: (firstEntry + Int64(number)) * 1024, bodyOffset: 0, length: 100),
                dataSetOffset: 0, digest: [UInt8](repeating: UInt8(number & 255), count: 32), receivedAt: 0, source: "T"
            )
        }
        _ = try catalog.enroll(batch, enrolledTo: [:])
    }

    func feed(_ limits: EventFeed.Limits = EventFeed.Limits()) -> EventFeed {
        let encounters = Encounters(records: records, settings: OrderSettings())
        let shipments = Outbox(catalog: catalog, encounters: encounters).feed
        return EventFeed(catalog: catalog, shipments: shipments, work: work, logger: logger, limits: limits)
    }

    func router() throws -> Router<WebRequestContext> {
        let router = Router(context: WebRequestContext.self)
        let access = AccessControl(
            records: records, audit: AuditTrail(records: records, anchor: nil, logger: logger), logger: logger)
        AccessEdge.addRoutes(
            to: router,
            services: AccessServices(
                access: access, authentication: AuthenticationPolicy(), work: work, hasStudy: { _ in false }))
        let encounters = Encounters(records: records, settings: OrderSettings())
        let hospital = HospitalServices(
            encounters: encounters,
            follower: StudyFollower(catalog: catalog, encounters: encounters, logger: logger),
            intake: MessageIntake(encounters: encounters, logger: logger), access: access, catalog: catalog,
            preview: { _, _ in nil }, work: work)
        let retrieval = InstanceRetrieval(
            volumes: volumes,
            converter: Converter(executable: "/nonexistent", scratch: folder.appending(path: "scratch").path))
        PortalEdge.addRoutes(
            to: router,
            services: PortalServices(
                facts: ServerFacts(version: "test", aeTitle: "PHIM", dicomPort: 0), catalog: catalog,
                retrieval: retrieval, events: feed(), viewer: nil, hospital: hospital,
                forwarding: ForwardingServices(
                    outbox: Outbox(catalog: catalog, encounters: encounters),
                    book: RouteBook(catalog: catalog, encounters: encounters), peers: { [] }, work: work),
                work: work, logger: logger))
        ExchangeEdge.addRoutes(
            to: router,
            services: ExchangeServices(
                catalog: catalog, volumes: volumes, encounters: encounters,
                ingest: IngestPipeline(volumes: volumes, catalog: catalog, logger: logger),
                codecs: FrameCodecs(retrieval.codecs),
                uploads: UploadFolder(path: folder.appending(path: "uploads").path) { true },
                key: try ReceiptKey(path: folder.appending(path: "receipt.key").path), name: "PHIM", version: "test",
                logger: logger))
        return router
    }
}
