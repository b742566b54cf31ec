// The one place where the rooms are wired together into a running server.

import Access
import CLinux
import Catalog
import DICOMNetwork
import DICOMweb
import DIMSEServer
import Encounters
import FHIR
import Forwarding
import Foundation
import Ingest
import Interop
import Logging
import Metrics
import Portal
import Records
import Retrieval
import ServiceLifecycle
package import Telemetry
import UnixSignals
import Volumes
import Web

/// Runs the archive until it is told to stop.
package struct ArchiveServer: Sendable {
    let archive: OpenArchive
    private let registry: PrometheusRegistry
    let logger: Logger

    package init(archive: OpenArchive, registry: PrometheusRegistry) {
        self.archive = archive
        self.registry = registry
        logger = archive.logger
    }

    /// Catches up with the volumes, opens both listeners, calls `ready` once, and returns after SIGTERM or SIGINT.
    /// - Parameter first: called once before `ready`, on the first start alone, with the account that was made.
    package func run(
        ready: @escaping @Sendable (RunningServer) -> Void,
        first: @escaping @Sendable (_ account: String, _ password: String) -> Void
    ) async throws {
        Self.keepPages()
        let lock = try await serverLock()
        defer { withExtendedLifetime(lock) {} }
        defer { try? FileManager.default.removeItem(atPath: archive.folder.runningServer) }
        let replayed = try await Self.offThePool { [archive] in try archive.catchUp() }
        if replayed > 0 { logger.notice("enrolled what the volumes held", metadata: ["instances": "\(replayed)"]) }

        Thread { [archive] in archive.ingest.warm() }.start()
        archive.volumes.prepare()
        refreshSeals()
        archive.folder.clearScratch()
        // What everybody who follows the change feed has read need not be kept for ever.
        try await Self.offThePool { [archive] in
            let last = try archive.catalog.changeBounds().last - 1_000_000
            guard let read = try archive.follower.position(), last > 0 else { return }
            try archive.catalog.forgetChanges(through: min(read, last))
        }

        let services = try dimseServices()
        let dimse = try dimseListeners(services)
        let messages = try await messageListener()
        let notices = try noticeDelivery()
        let announce = announcement(
            dicomPorts: dimse.map(\.port), hl7Port: messages?.port, ready: ready, first: first)
        let http = archive.configuration.http
        let sources = try sources(dicomPort: dimse[0].port)
        let web = WebServer.application(
            transport: try transport(), sources: sources, logger: logger,
            onServerRunning: announce)
        let ahead = metadataAhead(sources.dicomweb.imaging)
        ahead.start()
        defer { ahead.stop() }
        do { try await Self.offThePool { [archive] in try archive.follower.begin() } } catch {
            // A full disk is no reason not to show what is there.
            logger.error("studies cannot be linked now", metadata: ["why": "\(error)"])
        }
        try await Self.offThePool { [archive] in try archive.declareForwarding() }
        archive.follower.start()
        defer { archive.follower.stop() }
        let commitments = CommitmentReporter(
            services: services, policy: AdmissionPolicy(configuration: archive.configuration), logger: logger)
        commitments.start()
        defer { commitments.stop() }
        let priors = priorFetching()
        priors?.start()
        defer { priors?.stop() }
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(
                        service: Edges(
                            dimse: dimse, web: web, events: sources.portal.events, messages: messages,
                            notices: notices, forwarder: forwarder(), contact: fleetContact())),
                    .init(
                        service: AuditRetention(
                            audit: archive.audit, notices: NoticeOutbox(archive.encounters),
                            months: archive.configuration.access.auditMonths, logger: logger)),
                    .init(service: PurgeDuty(archive: archive, logger: logger)),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        do { try await group.run() } catch {
            // Of these services only HTTP fails once it has begun.
            throw ArchiveError.unusable("HTTP on \(http.host) port \(http.port): \(error)")
        }
        // Ten seconds in all: the listener has taken up to eight of them.
        try await Self.offThePool { [archive] in archive.close(within: 1.5) }
    }

    /// Runs what blocks on a thread of its own.
    static func offThePool<Value: Sendable>(
        _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Thread { continuation.resume(with: Result { try body() }) }.start()
        }
    }

    /// Commands that look for a server hold its lock for a moment: only who holds it for longer is one.
    private func serverLock() async throws -> FolderLock {
        for _ in 0..<10 {
            if let lock = try FolderLock(archive.folder.serverLock) { return lock }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw ArchiveError.inUse("\(archive.folder.path): a server is running here already")
    }

    /// Manifests that a crash or a late erasure left out are written while the server is up already: it reads volumes whole.
    private func refreshSeals() {
        let (volumes, logger) = (archive.volumes, logger)
        let thread = Thread {
            do throws(VolumeFailure) { try volumes.refreshSeals() } catch {
                logger.error("cannot write a manifest", metadata: ["failure": "\(error)"])
            }
        }
        thread.name = "phim-seals"
        thread.start()
    }

    /// - Parameter section: the key of the configuration, for the message.
    func certificate(_ tls: TLSSection, _ section: String) throws(ArchiveError) -> TLSCertificate {
        func path(_ name: String) -> String { name.hasPrefix("/") ? name : archive.folder.path + "/" + name }
        do throws(TLSFailure) {
            return try TLSCertificate(certificate: path(tls.certificate), key: path(tls.key), logger: logger)
        } catch {
            throw .unusable("\(section): \(error)")
        }
    }

    private func transport() throws(ArchiveError) -> WebTransport {
        let http = archive.configuration.http
        var certificate: TLSCertificate?
        if let tls = http.tls {
            certificate = try self.certificate(tls, "http.tls")
        } else if !http.isLocal {
            logger.warning(
                "HTTP listens beyond this machine without encryption: names, passwords and images can be read on the way",
                metadata: ["remedy": "http.tls in phim.yaml, or a proxy in front with http.host 127.0.0.1"])
        }
        var transport = WebTransport(host: http.host, port: http.port, certificate: certificate)
        transport.connections = http.maxConnections
        transport.connectionsPerAddress = http.maxConnectionsPerAddress
        transport.idle = http.idleTimeout
        return transport
    }

    private func announcement(
        dicomPorts: [Int], hl7Port: Int?, ready: @escaping @Sendable (RunningServer) -> Void,
        first: @escaping @Sendable (_ account: String, _ password: String) -> Void
    ) -> @Sendable (Int) async -> Void {
        let (folder, access, logger) = (archive.folder, archive.access, logger)
        let (dicom, http) = (archive.configuration.dicom, archive.configuration.http)
        return { httpPort in
            let server = RunningServer(
                pid: ProcessInfo.processInfo.processIdentifier, aeTitle: dicom.aeTitle, dicomHost: dicom.host,
                dicomPort: dicomPorts[0], dicomTLSPort: dicomPorts.dropFirst().first, httpHost: http.host,
                httpPort: httpPort,
                httpScheme: http.tls == nil ? "http" : "https", hl7Port: hl7Port, data: folder.path,
                version: Version.current)
            try? Data((server.jsonLine + "\n").utf8).write(
                to: URL(fileURLWithPath: folder.runningServer), options: .atomic)
            // Only now that nothing can keep the server from starting: the password is shown once.
            do {
                let password = try await Self.offThePool { try access.makeFirstAccount() }
                if let password { first(AccessControl.firstAccount, password) }
            } catch {
                logger.error("the first account cannot be made", metadata: ["why": "\(error)"])
            }
            ready(server)
        }
    }

    private func accessServices() throws(ArchiveError) -> AccessServices {
        let section = archive.configuration.access
        var authentication = AuthenticationPolicy()
        authentication.trustedProxies = Set(section.trustedProxies)
        authentication.origins = Set(section.origins)
        authentication.isSecure = section.secureCookies || archive.configuration.http.tls != nil
        let catalog = archive.catalog
        return AccessServices(
            access: archive.access, authentication: authentication, work: BlockingWork(threads: 4),
            openID: try section.oidc.map { section throws(ArchiveError) in try signOn(section) },
            hasStudy: { uid in try catalog.holds(study: uid) })
    }

    /// The provider is asked when somebody signs in: the archive starts without it.
    private func signOn(_ section: OpenIDSection) throws(ArchiveError) -> OpenIDSignOn {
        let now = archive.records.now
        do throws(ConfigurationError) {
            return OpenIDSignOn(
                settings: try section.settings(in: archive.folder.path), now: { Double(now()) / 1_000_000 },
                logger: logger, fetch: OpenIDClient.fetch)
        } catch { throw .unusable(error.description) }
    }

    /// Frames go through memory by the thousand a second: their pages stay with the process, up to a bound for each heap.
    private static func keepPages() {
        _ = mallopt(Int32(LINUX_MAPPING_THRESHOLD), 2 << 20)
        _ = mallopt(Int32(LINUX_TRIM_THRESHOLD), 8 << 20)
    }

    /// Metadata is built ahead while nothing waits to be taken in, and no picture to be drawn.
    private func metadataAhead(_ imaging: BlockingWork) -> MetadataAhead {
        MetadataAhead(catalog: archive.catalog, source: archive.metadata) { [ingest = archive.ingest] in
            imaging.waiting > 0 || IngestPriority.allCases.contains { ingest.waiting($0) > 0 }
        }
    }

    private var crossOrigin: CrossOriginPolicy {
        var policy = CrossOriginPolicy()
        policy.origins = Set(archive.configuration.http.allowedOrigins)
        policy.credentialedOrigins = Set(archive.configuration.access.origins)
        policy.isolatesPages = archive.configuration.http.isolatePages
        return policy
    }

    private func sources(dicomPort: Int) throws -> WebServerSources {
        let (archive, registry) = (archive, registry)
        let work = BlockingWork()
        let viewer = ViewerLocation(archive.configuration.http).files
        if viewer == nil { logger.notice("no viewer at /ohif: add it with scripts/fetch-ohif") }
        let dicomweb = DICOMwebServices(
            catalog: archive.catalog, ingest: archive.ingest, retrieval: archive.retrieval, metadata: archive.metadata,
            deletion: archive.deletion, generation: try CatalogGeneration(archive.catalog),
            address: PublicAddress(
                trustedProxies: Set(archive.configuration.access.trustedProxies),
                isEncrypted: archive.configuration.http.tls != nil,
                configured: archive.configuration.http.publicURL),
            work: work, scratch: archive.folder.scratch, logger: logger,
            compactFrames: archive.configuration.http.compactFrames?.transferSyntaxUID)
        return WebServerSources(
            portal: PortalServices(
                facts: ServerFacts(
                    version: Version.current, aeTitle: archive.configuration.dicom.aeTitle, dicomPort: dicomPort,
                    signsInElsewhere: archive.configuration.access.oidc != nil),
                catalog: archive.catalog, retrieval: archive.retrieval,
                events: EventFeed(
                    catalog: archive.catalog, shipments: archive.shipmentFeed, work: work, logger: logger),
                viewer: viewer,
                hospital: hospitalServices(), forwarding: forwardingServices(), work: work, logger: logger),
            dicomweb: dicomweb,
            fhir: FHIRServices(
                catalog: archive.catalog, retrieval: archive.retrieval, encounters: archive.encounters,
                address: dicomweb.address, work: work, version: Version.current, dicomwebPrefix: dicomweb.prefix),
            exchange: try exchangeServices(), crossOrigin: crossOrigin,
            access: try accessServices(), hasOpenMetrics: archive.configuration.access.openMetrics,
            readiness: {
                do { _ = try archive.catalog.statistics(perModality: false) } catch {
                    return .notReady(reason: "catalogue: \(error)")
                }
                guard !archive.audit.isFailing else { return .notReady(reason: "the audit trail cannot be written") }
                guard archive.volumes.hasSpace else { return .notReady(reason: "storage is full; reading goes on") }
                return .ready
            },
            metrics: {
                ArchiveGauges.refresh(archive)
                Meter(label: "phim_codec_waiting_requests").set(dicomweb.imaging.waiting)
                return registry.exposition()
            })
    }
}

extension AdmissionPolicy {
    package init(configuration: Configuration) {
        let dicom = configuration.dicom
        self.init(
            aeTitle: dicom.aeTitle, trustsLoopback: dicom.trustLoopback, checksCalledAETitle: dicom.checkCalledAETitle,
            acceptsUnknownSOPClasses: dicom.acceptUnknownSOPClasses, characterSet: dicom.characterSet,
            configuredPeers: configuration.peers.map(KnownPeer.init),
            maxAssociationsPerPeer: dicom.maxAssociationsPerPeer
        )
    }
}

extension KnownPeer {
    package init(_ entry: PeerEntry) {
        self.init(
            name: entry.name, aeTitle: entry.aeTitle, host: entry.host, port: entry.port,
            characterSet: entry.characterSet, maxAssociations: entry.maxAssociations, priority: entry.priority,
            isSecure: entry.tls)
    }
}
