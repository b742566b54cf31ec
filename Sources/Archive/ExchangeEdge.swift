// What other archives of this kind talk to here, and what of this one talks to them.

import Access
import Catalog
import Encounters
import Exchange
import Forwarding
import Foundation
import LineCoding
import Logging
import Records
import Retrieval
import Volumes
import Web

extension ArchiveServer {
    func exchangeServices() throws(ArchiveError) -> ExchangeServices {
        let archive = archive
        let key: ReceiptKey
        do { key = try ReceiptKey(path: archive.folder.receiptKey) } catch {
            throw .unusable("\(archive.folder.receiptKey): cannot be read or made")
        }
        return ExchangeServices(
            catalog: archive.catalog, volumes: archive.volumes, encounters: archive.encounters, ingest: archive.ingest,
            codecs: FrameCodecs(executable: OpenArchive.thisProgram, workers: 2),
            uploads: UploadFolder(path: archive.folder.exchange + "/uploads") { [volumes = archive.volumes] in
                volumes.hasSpace
            },
            key: key, name: archive.configuration.dicom.aeTitle, version: Version.current, logger: logger)
    }

    /// Tells the centres how this archive is.
    func fleetContact() -> FleetContact {
        let archive = archive
        return FleetContact(
            folder: archive.folder.path, work: BlockingWork(threads: 1), logger: logger,
            report: { try archive.report() },
            destinations: { try archive.encounters.look { try $0.destinations() } })
    }
}

extension OpenArchive {
    /// What the way to another archive of this kind needs.
    func exchangeDoors(forms: OutgoingForms, work: BlockingWork, logger: Logger) -> ExchangeDoors {
        let encounters = encounters
        return ExchangeDoors(
            retrieval: retrieval, forms: forms,
            coder: LineCoder(codecs: FrameCodecs(retrieval.codecs), scratch: folder.scratch),
            work: work,
            correction: { study in try encounters.look { try $0.correction(ofStudy: study)?.attributes } },
            pin: { destination, key in
                try await work.run {
                    try encounters.change(by: "forwarding") { desk in
                        guard let known = try desk.records.destination(destination) else { return key }
                        // Whoever was first is believed.
                        if !known.settings.receiptKey.isEmpty { return known.settings.receiptKey }
                        var settings = known.settings
                        settings.receiptKey = key
                        try desk.records.putDestination(known.name, settings)
                        return key
                    }
                }
            },
            ownKey: { [folder] in try ReceiptKey(path: folder.receiptKey).publicKey }, logger: logger)
    }

    fileprivate func report() throws -> StationReport {
        let disk = try FileManager.default.attributesOfFileSystem(forPath: folder.volumes)
        let last = try catalog.changeBounds().last
        let newest = try catalog.changes(after: last - 1, limit: 1).last
        let (backlog, now) = try encounters.look { (try $0.outboxBacklog(), $0.now) }
        return StationReport(
            name: configuration.stationName, version: Version.current, time: now,
            diskFree: Self.said((disk[.systemFreeSize] as? NSNumber)?.int64Value ?? 0),
            diskTotal: Self.said((disk[.systemSize] as? NSNumber)?.int64Value ?? 0),
            backlog: Self.byPriority(backlog), newestAt: newest?.at)
    }

    /// What waits for whatever destination, once for each priority.
    private static func byPriority(_ backlog: [OutboxBacklog]) -> [StationReport.Waiting] {
        Dictionary(grouping: backlog, by: \.priority).sorted { $0.key < $1.key }.map { priority, waiting in
            StationReport.Waiting(
                priority: "\(priority)", studies: waiting.reduce(0) { $0 + $1.studies },
                instances: waiting.reduce(0) { $0 + $1.instances },
                octets: said(waiting.reduce(0) { $0 + $1.octets }), oldest: waiting.map(\.oldest).min() ?? 0)
        }
    }

    /// File systems that grow by themselves name sizes that no centre believes.
    private static func said(_ octets: Int64) -> Int64 { min(max(0, octets), StationReport.most) }
}
