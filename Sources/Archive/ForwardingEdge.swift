// Forwarding of a running archive: what the outbox holds goes out.

import Access
import DIMSEServer
import Deidentification
import Exchange
import Forwarding
import Foundation
import Logging
import Records
import Retrieval
import Web
import WebForwarding

extension ArchiveServer {
    /// The engine; it runs also while there is no destination, for one may be added.
    func forwarder() -> Forwarder {
        let audit = archive.audit
        let ways = ForwardingWays(archive, logger: logger)
        return Forwarder(
            outbox: archive.outbox,
            doors: ForwardingDoors(
                isOpen: { audit.isAccepting },
                carrier: { destination, pace throws(ForwardingFailure) in try ways.carrier(destination, pace) },
                stamp: { ways.stamp($0.settings) },
                sent: { audit.note(AuditEvent(share: $0.shipment)) }),
            logger: logger)
    }
}

extension AuditEvent {
    /// Objects of a study were given to another archive: to whom, by which rule, on what legal ground.
    fileprivate init(share shipment: ShipmentRecord) {
        let basis = shipment.legalBasis.isEmpty ? "none given" : shipment.legalBasis
        self.init(
            .export, account: shipment.route.isEmpty ? "outbox" : "route:\(shipment.route)", credential: nil,
            address: shipment.destination, studyInstanceUID: shipment.studyInstanceUID,
            detail: "to \(shipment.destination), shipment \(shipment.id), legal basis: \(basis)")
    }
}

/// Makes the way to a destination from its settings.
struct ForwardingWays: Sendable {
    let archive: OpenArchive
    private let forms: OutgoingForms
    private let work: BlockingWork
    private let exchange: ExchangeDoors

    init(_ archive: OpenArchive, logger: Logger) {
        self.archive = archive
        forms = OutgoingForms(
            retrieval: archive.retrieval, key: PseudonymKey(file: archive.folder.pseudonymKey))
        work = BlockingWork(threads: 8)
        exchange = archive.exchangeDoors(forms: forms, work: work, logger: logger)
    }

    /// What the way depends on beside the settings. A peer that is not there any more is one of its own. Files are
    /// looked at again by each way itself.
    func stamp(_ settings: DestinationSettings) -> WayStamp? {
        switch settings.way {
        case .dimse:
            guard let peers = try? archive.allPeers().map(\.peer) else { return nil }
            guard let peer = peers.first(where: { $0.name.lowercased() == settings.peer.lowercased() }) else {
                return WayStamp()
            }
            return WayStamp(peer: "\(peer.aeTitle) \(peer.host) \(peer.port) \(peer.isSecure)")
        case .dicomweb, .phim: return WayStamp()
        }
    }

    func carrier(_ destination: DestinationRecord, _ pace: LinePace) throws(ForwardingFailure) -> any Carrier {
        switch destination.settings.way {
        case .dicomweb:
            do throws(WebDestinationFailure) {
                return StowCarrier(
                    try WebDestination(destination.settings, folder: archive.folder.path), forms: forms, pace: pace,
                    work: work)
            } catch {
                throw .invalid(field: destination.name, reason: error.sentence)
            }
        case .dimse:
            do {
                return try archive.associationCarrier(destination.settings, forms, pace)
            } catch {
                throw .invalid(field: destination.name, reason: "\(error)")
            }
        case .phim:
            return ExchangeCarrier(
                name: destination.name, settings: destination.settings, folder: archive.folder.path, pace: pace,
                doors: exchange)
        }
    }
}
