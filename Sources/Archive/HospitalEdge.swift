// The hospital's side of a running archive: its messages come in, and studies find their orders.

import Access
import DIMSEServer
import Encounters
import Foundation
import HL7
import Interop
import Logging
import Portal
import ServiceLifecycle
import Web

extension ArchiveServer {
    /// The listener for messages; nil where none is configured.
    func messageListener() async throws(ArchiveError) -> MLLPListener? {
        let section = archive.configuration.hl7
        guard let port = section.port else { return nil }
        var options = MLLPOptions(host: section.host, port: port)
        options.allowed = section.allowedAddresses.compactMap(AddressRange.init)
        options.maxConnections = section.maxConnections
        options.idleTimeout = .seconds(section.idleTimeout)
        if let tls = section.tls {
            options.tls = try certificate(tls, "hl7.tls").configuration
        } else if !section.isLocal {
            logger.warning(
                "HL7 listens beyond this machine without encryption: names and orders can be read on the way",
                metadata: ["remedy": "hl7.tls in phim.yaml, or a network of its own"])
        }
        do throws(MLLPListener.Failure) {
            return try await MLLPListener.bind(options, door: messageDoor(), logger: logger)
        } catch {
            throw .unusable(error.description)
        }
    }

    /// Messages are applied on threads of their own, several connections at a time. They are kept themselves, whole: the
    /// audit trail names only who sent what kind. While it cannot be written nothing is taken.
    private func messageDoor() -> MessageDoor {
        let intake = MessageIntake(encounters: archive.encounters, logger: logger)
        let work = BlockingWork(threads: 4)
        let audit = archive.audit
        let later = "The archive cannot take messages now; send again later"
        return MessageDoor(
            receive: { received in
                guard audit.isAccepting else { return Acknowledgement(.reject, isStored: false, text: later) }
                let message = received.message
                audit.note(
                    AuditEvent(
                        .store, account: "hl7:" + (message.sendingApplication?.namespace ?? ""), credential: nil,
                        address: received.peer, detail: "messages"))
                let answer = try? await work.run { intake.receive(message, received.text, from: received.peer) }
                return answer ?? Acknowledgement(.reject, isStored: false, text: later)
            },
            keep: { unreadable in
                _ = try? await work.run { intake.keep(unreadable.bytes, unreadable.failure, from: unreadable.peer) }
            })
    }

    /// People, visits, orders and links over HTTP, on threads of their own.
    func hospitalServices() -> HospitalServices {
        let archive = archive
        return HospitalServices(
            encounters: archive.encounters, follower: archive.follower,
            intake: MessageIntake(encounters: archive.encounters, logger: logger), access: archive.access,
            catalog: archive.catalog,
            preview: { name, question in
                let peers = try archive.allPeers()
                guard let found = peers.first(where: { $0.peer.name.lowercased() == name.lowercased() }) else {
                    return nil
                }
                return (found.peer, try archive.preview(question, for: found.peer))
            }, work: BlockingWork(threads: 4))
    }
}
