// The DICOM side of a running archive: its listeners, plain and by TLS, and how it calls its peers.

import Access
import DICOMNetwork
package import DIMSEServer
package import Forwarding
import Foundation
import Logging
import Records
import WebForwarding

/// `dicom.tls:` DICOM TLS (PS3.15 Annex B.12); files in PEM, a relative path starts at the data directory.
package struct DICOMTLSSection: Decodable, Sendable, Equatable {
    /// Where callers are taken by TLS; nil: we call others so, but are not called.
    package var port: Int?
    /// Who we are, to callers and to peers of ours.
    package var certificate: String?
    package var key: String?
    /// Whom we trust: authorities, or the peers' own certificates.
    package var ca: String?
    /// Whether callers must show a certificate that `ca` vouches for.
    package var requireClientCertificate = true

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case port, certificate, key, ca, requireClientCertificate
    }

    package init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        if values.contains(.port) { port = try values.integer(.port, 0...65_535, 0, "dicom.tls") }
        certificate = try values.decodeIfPresent(String.self, forKey: .certificate)
        key = try values.decodeIfPresent(String.self, forKey: .key)
        ca = try values.decodeIfPresent(String.self, forKey: .ca)
        requireClientCertificate =
            try values.decodeIfPresent(Bool.self, forKey: .requireClientCertificate) ?? requireClientCertificate
        guard port == nil || certificate != nil else {
            throw ConfigurationError("dicom.tls: a port needs a certificate and a key")
        }
        guard port == nil || ca != nil || !requireClientCertificate else {
            throw ConfigurationError("dicom.tls: requireClientCertificate needs ca, by which certificates are judged")
        }
    }

    func settings(in folder: String) -> SecureTransportSettings {
        func path(_ name: String?) -> String? { name.map { $0.hasPrefix("/") ? $0 : folder + "/" + $0 } }
        var settings = SecureTransportSettings(ca: path(ca), certificate: path(certificate), key: path(key))
        settings.requiresCertificate = requireClientCertificate
        return settings
    }
}

extension OpenArchive {
    /// How this archive calls its peers.
    package func dialing() throws(ArchiveError) -> PeerDialing {
        let settings = configuration.dicom.tls?.settings(in: folder.path) ?? SecureTransportSettings()
        return PeerDialing(
            callingAETitle: callingAETitle, tls: try transport(settings, isAcceptor: false, "dicom.tls"))
    }

    /// How a destination is called, which may have certificates of its own; what it does not name is as for every peer.
    func dialing(to settings: DestinationSettings) throws(ArchiveError) -> PeerDialing {
        func path(_ name: String) -> String? {
            name.isEmpty ? nil : name.hasPrefix("/") ? name : folder.path + "/" + name
        }
        var files = configuration.dicom.tls?.settings(in: folder.path) ?? SecureTransportSettings()
        let common = files
        if let ca = path(settings.caFile) { files.ca = ca }
        if let certificate = path(settings.certificateFile) {
            files.certificate = certificate
            files.key = path(settings.keyFile)
        }
        guard files != common else { return try dialing() }
        let tls = try transport(files, isAcceptor: false, "the destination's files")
        return PeerDialing(callingAETitle: callingAETitle, tls: tls)
    }

    func peer(of settings: DestinationSettings) throws -> KnownPeer {
        let peer = try peer(named: settings.peer)
        return settings.isSecure ? peer.secured : peer
    }

    /// The way to a destination over associations.
    func associationCarrier(
        _ settings: DestinationSettings, _ forms: OutgoingForms, _ pace: LinePace
    ) throws -> AssociationCarrier {
        AssociationCarrier(
            peer: try peer(of: settings), dialing: try dialing(to: settings), forms: forms, pace: pace,
            commits: settings.commits)
    }

    /// Where studies are fetched from: a destination, or a peer.
    package func imageSource(named name: String) throws -> any ImageSource {
        guard let destination = try records.view({ try $0.destination(name) }) else {
            return PeerSource(peer: try peer(named: name), dialing: try dialing(), logger: logger)
        }
        let settings = destination.settings
        switch settings.way {
        case .dimse: return PeerSource(peer: try peer(of: settings), dialing: try dialing(to: settings), logger: logger)
        case .dicomweb, .phim:
            do throws(WebDestinationFailure) {
                return WebImageSource(name: name, try WebDestination(settings, folder: folder.path))
            } catch { throw ArchiveError.unusable("\(name): \(error.sentence)") }
        }
    }

    package func studyPull(from name: String) throws -> StudyPull {
        StudyPull(source: try imageSource(named: name), catalog: catalog, records: records, ingest: ingest)
    }

    func transport(
        _ settings: SecureTransportSettings, isAcceptor: Bool, _ section: String
    ) throws(ArchiveError) -> SecureTransport {
        do throws(NetworkError) {
            return try SecureTransport(settings, isAcceptor: isAcceptor) { [logger] words in
                logger.warning("DICOM TLS", metadata: ["of": "\(section)", "why": "\(words)"])
            }
        } catch {
            throw .unusable("\(section): \(error.words)")
        }
    }
}

extension ArchiveServer {
    /// Fetches earlier studies for orders; nil where none are wanted.
    func priorFetching() -> PriorFetching? {
        guard let rules = archive.configuration.forwarding.priors else { return nil }
        let archive = archive
        return PriorFetching(
            rules: rules, encounters: archive.encounters,
            doors: PriorDoors(
                isOpen: { archive.audit.isAccepting }, pull: { try archive.studyPull(from: rules.from) },
                fetched: { study, tally in
                    archive.audit.note(
                        AuditEvent(
                            .store, account: "fetch:" + rules.from, credential: nil, address: "",
                            studyInstanceUID: study, detail: "\(tally.received) objects for an order"))
                }), logger: logger)
    }

    func dimseServices() throws(ArchiveError) -> DIMSEServices {
        let archive = archive
        return DIMSEServices(
            ingest: archive.ingest, retrieval: archive.retrieval, catalog: archive.catalog,
            encounters: archive.encounters, worklist: archive.worklistPolicy, audit: archive.audit,
            dialing: try archive.dialing(),
            commitmentAnswered: { answer, peers throws(ForwardingFailure) in
                try archive.outbox.committed(answer, by: peers)
            })
    }

    /// The plain one first, then the one for TLS where it is configured; each bounded by itself.
    func dimseListeners(_ services: DIMSEServices) throws(ArchiveError) -> [DIMSEListener] {
        let dicom = archive.configuration.dicom
        var options = ListenerOptions(
            maxPDU: UInt32(dicom.maxPDU), maxAssociations: dicom.maxAssociations,
            reservedAssociations: dicom.reservedAssociations,
            timeouts: AssociationTimeouts(
                negotiation: .seconds(dicom.negotiationTimeout), idle: .seconds(dicom.idleTimeout)),
            identity: .phim)
        var listeners = [try listener(on: dicom.port, services, options, "DICOM")]
        if let tls = dicom.tls, let port = tls.port {
            options.tls = try archive.transport(
                tls.settings(in: archive.folder.path), isAcceptor: true, "dicom.tls")
            listeners.append(try listener(on: port, services, options, "DICOM TLS"))
        }
        return listeners
    }

    private func listener(
        on port: Int, _ services: DIMSEServices, _ options: ListenerOptions, _ name: String
    ) throws(ArchiveError) -> DIMSEListener {
        let host = archive.configuration.dicom.host
        do throws(NetworkError) {
            return try DIMSEListener(
                host: host, port: port, services: services,
                policy: AdmissionPolicy(configuration: archive.configuration), options: options, logger: logger)
        } catch {
            throw .unusable("\(name) on \(host) port \(port): \(error.words)")
        }
    }
}
