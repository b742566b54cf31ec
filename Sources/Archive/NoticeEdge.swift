// Notices of a running archive: what the outbox holds goes out.

import Access
import Encounters
import Foundation
import Interop
import Logging
import Metrics
import Records
import Web

extension ArchiveServer {
    /// The delivery; nil where nobody is to be told.
    func noticeDelivery() throws(ArchiveError) -> NoticeDelivery? {
        let configuration = archive.configuration
        if configuration.notices.isEmpty { return nil }
        var routes: [NoticeRoute] = []
        for entry in configuration.notices {
            do throws(ConfigurationError) { routes.append(try entry.route(in: archive.folder.path)) } catch {
                throw .unusable(error.description)
            }
            if case .mllp(let host, _, nil, _) = routes.last?.line, !host.hasPrefix("127."), host != "localhost" {
                logger.warning(
                    "notices go out without encryption: names and images can be read on the way",
                    metadata: ["destination": "\(entry.name)", "remedy": "mllps://, or a network of its own"])
            }
        }
        let images = KeyImages(catalog: archive.catalog, retrieval: archive.retrieval)
        let audit = archive.audit
        return NoticeDelivery(
            outbox: NoticeOutbox(archive.encounters), routes: routes,
            sender: NoticeSender(facility: configuration.hospital.facility, publicURL: configuration.http.publicURL),
            doors: NoticeDeliveryDoors(
                isOpen: { audit.isAccepting },
                pictures: { images.pictures(study: $0, most: $1) },
                told: { notice in
                    audit.note(
                        AuditEvent(
                            .export, account: "notice:" + notice.destination, credential: nil, address: "",
                            studyInstanceUID: notice.studyInstanceUID, detail: "notice \(notice.id)"))
                }),
            work: BlockingWork(threads: min(routes.count + 2, 32)), logger: logger)
    }
}

extension ArchiveGauges {
    /// What waits for whom, and since when.
    static func refreshNotices(_ archive: OpenArchive) {
        let names = archive.configuration.notices.map(\.name)
        if names.isEmpty { return }
        guard let backlog = try? archive.encounters.look({ try $0.noticeBacklog() }) else { return }
        let now = archive.records.now()
        for name in names {
            let waiting = backlog.first { $0.destination == name }
            let age = waiting.map { max(0, now - $0.oldest) / 1_000_000 } ?? 0
            Meter(label: "phim_notices_waiting", dimensions: [("destination", name)]).set(waiting?.count ?? 0)
            Meter(label: "phim_notices_oldest_seconds", dimensions: [("destination", name)]).set(age)
        }
    }
}
