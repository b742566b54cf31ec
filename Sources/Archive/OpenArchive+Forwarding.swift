// What is sent on, as commands and the server ask for it: rules, the outbox, what may be given up here.

import Catalog
import DIMSEServer
package import Forwarding
import Foundation
import Ingest
import Portal
import Records
import Volumes
import Web

extension OpenArchive {
    package var routeBook: RouteBook { RouteBook(catalog: catalog, encounters: encounters) }

    /// Gives up what another archive has proven to hold, by the same deletion as any other.
    package var purge: Purge {
        Purge(catalog: catalog, encounters: encounters, devices: configuration.forwarding.purge.devices) {
            [self] copies in try delete(copies: copies).bytes
        }
    }

    /// Destinations and rules of the configuration file become those of the records.
    package func declareForwarding() throws {
        let section = configuration.forwarding
        do throws(ForwardingFailure) {
            let declared = Set(section.destinations.map { $0.name.lowercased() })
            for route in section.routes where !declared.contains(route.to.lowercased()) {
                _ = try makeDestination(ofPeer: route.to, by: "configuration file")
            }
            try routeBook.declare(section.destinations.map(\.declared), section.routes.map(\.declared))
        } catch {
            throw ArchiveError.unusable("forwarding: \(error.sentence)")
        }
        // One that the file has elsewhere than before is another archive: what was proven by the former does not count.
        let peers = try allPeers().map(\.peer)
        try records.transaction { records in
            try records.meet(
                Dictionary(peers.map { ($0.name.lowercased(), $0) }, uniquingKeysWith: { first, _ in first }).values.map
                {
                    PeerAddress(name: $0.name, aeTitle: $0.aeTitle, host: $0.host, port: $0.port)
                })
        }
    }

    /// Makes a destination of a peer's name where there is none, so that a rule may name a peer.
    /// - Returns: Whether it was made.
    package func makeDestination(ofPeer name: String, by actor: String) throws(ForwardingFailure) -> Bool {
        try routeBook.makeDestination(named: name, of: try peerNames, by: actor)
    }

    package var peerNames: [String] {
        get throws(ForwardingFailure) {
            do { return try allPeers().map(\.peer.name) } catch {
                throw .unavailable(reason: "The archive's records failed")
            }
        }
    }

    /// How full the disk of the volumes is: octets in use, and in all.
    package func diskUse() throws -> (used: Int64, total: Int64) {
        let facts = try FileManager.default.attributesOfFileSystem(forPath: folder.volumes)
        let total = (facts[.systemSize] as? NSNumber)?.int64Value ?? 0
        return (max(0, total - (try volumes.freeBytes())), total)
    }
}

extension OpenArchive {
    package var shipmentFeed: ShipmentFeed { outbox.feed }
}

extension ArchiveServer {
    /// The outbox, rules and destinations over HTTP, on threads of their own.
    func forwardingServices() -> ForwardingServices {
        let archive = archive
        return ForwardingServices(
            outbox: archive.outbox, book: archive.routeBook,
            peers: { () throws(ForwardingFailure) in try archive.peerNames }, work: BlockingWork(threads: 4))
    }
}
