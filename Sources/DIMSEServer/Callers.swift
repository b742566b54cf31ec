// Who may call, and where a move may go: peers from the configuration and those added while the server runs.

package import DICOMCore
import DICOMNetwork
package import Ingest
package import Records

/// A system known by name (PS3.8 Section 7.1.1.3: calling AE title).
package struct KnownPeer: Sendable, Equatable {
    package let name: String
    package let aeTitle: String
    package let host: String
    package let port: Int
    package let characterSet: OutputCharacterSet?
    package let maxAssociations: Int?
    /// Of all that it sends; nil when its requests say so.
    package let priority: IngestPriority?
    /// Whether it is called by DICOM TLS (PS3.15 Annex B.12).
    package let isSecure: Bool
    /// The same in the word that people write.
    package var priorityName: String? { priority?.rawValue }

    package init(
        name: String, aeTitle: String, host: String, port: Int, characterSet: OutputCharacterSet?,
        maxAssociations: Int?, priority: IngestPriority?, isSecure: Bool
    ) {
        self.isSecure = isSecure
        self.name = name
        self.aeTitle = aeTitle
        self.host = host
        self.port = port
        self.characterSet = characterSet
        self.maxAssociations = maxAssociations
        self.priority = priority
    }
}

extension KnownPeer {
    /// The same, called by TLS.
    package var secured: KnownPeer {
        KnownPeer(
            name: name, aeTitle: aeTitle, host: host, port: port, characterSet: characterSet,
            maxAssociations: maxAssociations, priority: priority, isSecure: true)
    }
}

/// The rules of admission.
package struct AdmissionPolicy: Sendable {
    package var aeTitle: String
    package var trustsLoopback: Bool
    package var checksCalledAETitle: Bool
    package var acceptsUnknownSOPClasses: Bool
    package var characterSet: OutputCharacterSet
    package var configuredPeers: [KnownPeer]
    package var maxAssociationsPerPeer: Int

    package init(
        aeTitle: String, trustsLoopback: Bool, checksCalledAETitle: Bool, acceptsUnknownSOPClasses: Bool,
        characterSet: OutputCharacterSet, configuredPeers: [KnownPeer], maxAssociationsPerPeer: Int
    ) {
        self.aeTitle = aeTitle
        self.trustsLoopback = trustsLoopback
        self.checksCalledAETitle = checksCalledAETitle
        self.acceptsUnknownSOPClasses = acceptsUnknownSOPClasses
        self.characterSet = characterSet
        self.configuredPeers = configuredPeers
        self.maxAssociationsPerPeer = maxAssociationsPerPeer
    }
}

/// Knows peers; asks the records anew each time, so that a peer added a moment ago counts.
struct Callers: Sendable {
    enum Admission: Equatable {
        case admitted(KnownPeer?)
        case refused(AssociationRejection, reason: String)
    }

    let policy: AdmissionPolicy
    let records: RecordStore

    func admission(of request: AssociationRequest) -> Admission {
        let calling = request.callingAETitle.trimmingSpaces
        if policy.checksCalledAETitle, request.calledAETitle.trimmingSpaces != policy.aeTitle {
            return .refused(
                .calledAETitleNotRecognized, reason: "asked for AE title \(request.calledAETitle.trimmingSpaces)")
        }
        let known: [KnownPeer]
        do throws(RecordsError) { known = try peers(aeTitle: calling) } catch {
            return .refused(.temporaryCongestion, reason: "the list of peers cannot be read")
        }
        if let peer = known.first(where: { HostAddress.matches($0.host, request.remoteAddress) }) {
            return .admitted(peer)
        }
        if policy.trustsLoopback, HostAddress.isLoopback(request.remoteAddress) { return .admitted(known.first) }
        if let peer = known.first {
            return .refused(
                .callingAETitleNotRecognized, reason: "peer \(peer.name) is expected from \(peer.host)")
        }
        return .refused(.callingAETitleNotRecognized, reason: "unknown AE title")
    }

    /// Names of the peers that a caller may be: several may share one title and one host.
    func names(of request: AssociationRequest) -> Set<String> {
        let known = (try? peers(aeTitle: request.callingAETitle.trimmingSpaces)) ?? []
        let isLocal = policy.trustsLoopback && HostAddress.isLoopback(request.remoteAddress)
        return Set(known.filter { isLocal || HostAddress.matches($0.host, request.remoteAddress) }.map(\.name))
    }

    /// The destination of a move (PS3.4 Section C.4.2.1.4).
    func destination(aeTitle: String) -> KnownPeer? { (try? peers(aeTitle: aeTitle))?.first }

    /// Who asked for a report of storage commitment: several peers may share one title.
    /// - Parameter name: of the peer; empty, or of one that is not there any more: the first of the title.
    func asker(aeTitle: String, name: String) -> KnownPeer? {
        let known = (try? peers(aeTitle: aeTitle)) ?? []
        return known.first { $0.name.lowercased() == name.lowercased() } ?? known.first
    }

    private func peers(aeTitle: String) throws(RecordsError) -> [KnownPeer] {
        let added = try records.peers(aeTitle: aeTitle).map { KnownPeer($0) }
        return (added + policy.configuredPeers).filter { $0.aeTitle == aeTitle }
    }
}

extension KnownPeer {
    package init(_ peer: Peer) {
        self.init(
            name: peer.name, aeTitle: peer.aeTitle, host: peer.host, port: peer.port,
            characterSet: OutputCharacterSet(rawValue: peer.characterSet.rawValue),
            maxAssociations: peer.maxAssociations,
            priority: peer.priority.flatMap { IngestPriority(rawValue: $0.rawValue) }, isSecure: peer.isSecure)
    }
}

extension String {
    /// AE titles and code strings are padded with spaces that mean nothing (PS3.5 Section 6.2).
    var trimmingSpaces: String {
        String(drop { $0 == " " || $0 == "\0" }.reversed().drop { $0 == " " || $0 == "\0" }.reversed())
    }
}
