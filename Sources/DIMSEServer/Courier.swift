// Carries instances to another system on associations of our own: C-MOVE sub-operations and `phim send`.

package import Catalog
import DICOMCore
package import DICOMNetwork
package import Retrieval

/// Sends to one destination; belongs to one thread.
///
/// An association has room for 128 presentation contexts (PS3.8 Section 9.3.2.2: odd identifiers of one byte), so a
/// selection of many SOP classes and transfer syntaxes is split over several associations, one after the other.
package final class Courier {
    private let destination: KnownPeer
    private let callingAETitle: String
    private let retrieval: InstanceRetrieval
    private let originator: MoveOriginator?
    private var routes: [Route] = []
    private var routeBySOPClass: [String: Int] = [:]
    private var open: (route: Int, association: Association)?
    /// Why the destination is given up: it is not called again for every instance.
    private var surrender: String?
    private var failedCalls = 0

    /// Contexts for one association.
    private struct Route {
        var contexts: [ProposedContext] = []
    }

    private static let contextsPerAssociation = 128
    private static let callsBeforeSurrender = 3

    package init(
        destination: KnownPeer, callingAETitle: String, retrieval: InstanceRetrieval, originator: MoveOriginator? = nil
    ) {
        self.destination = destination
        self.callingAETitle = callingAETitle
        self.retrieval = retrieval
        self.originator = originator
    }

    /// Decides which contexts to propose: for each SOP class every stored syntax by itself, so that the peer cannot
    /// choose another in its place, and the uncompressed ones as a fallback.
    package func plan(_ instances: [StoredInstance]) {
        var syntaxes: [String: Set<String>] = [:]
        var order: [String] = []
        for instance in instances {
            if syntaxes[instance.sopClassUID] == nil { order.append(instance.sopClassUID) }
            syntaxes[instance.sopClassUID, default: []].insert(instance.transferSyntaxUID)
        }
        for sopClass in order {
            var proposals = (syntaxes[sopClass] ?? []).sorted().map { [$0] }
            proposals.append(InstanceSender.fallbackSyntaxes.prefix(2).map(\.uid))
            proposals = Array(proposals.suffix(Self.contextsPerAssociation))
            if routes.last.map({ $0.contexts.count + proposals.count > Self.contextsPerAssociation }) ?? true {
                routes.append(Route())
            }
            for proposal in proposals {
                let id = UInt8(routes[routes.count - 1].contexts.count * 2 + 1)
                routes[routes.count - 1].contexts.append(
                    ProposedContext(id: id, abstractSyntax: sopClass, transferSyntaxes: proposal))
            }
            routeBySOPClass[sopClass] = routes.count - 1
        }
    }

    /// Sends one instance of the plan. Nothing that happens to the association is thrown: it is this instance's failure.
    package func send(_ instance: StoredInstance) -> SubOperationResult {
        if let surrender { return .failed(surrender) }
        guard let route = routeBySOPClass[instance.sopClassUID] else { return .failed("not in the plan") }
        do throws(NetworkError) {
            let association = try association(for: route)
            let sender = InstanceSender(
                association: association, contexts: Array(association.contexts.values), retrieval: retrieval,
                originator: originator, cancelling: nil)
            var cancelled = false
            let result = try sender.send(instance, cancelled: &cancelled)
            failedCalls = 0
            return result
        } catch {
            open?.association.abort()
            open = nil
            failedCalls += 1
            let why = "\(destination.name): \(error.words)"
            if failedCalls >= Self.callsBeforeSurrender || error.isFinal { surrender = why }
            return .failed(why)
        }
    }

    /// Releases what is open.
    package func close() {
        try? open?.association.release()
        open = nil
    }

    private func association(for route: Int) throws(NetworkError) -> Association {
        if let open, open.route == route { return open.association }
        close()
        let association = try AssociationRequestor.connect(
            host: destination.host, port: destination.port, callingAETitle: callingAETitle,
            calledAETitle: destination.aeTitle, contexts: routes[route].contexts)
        open = (route, association)
        return association
    }
}

extension NetworkError {
    /// Whether calling again at once is pointless.
    var isFinal: Bool {
        switch self {
        case .rejected, .unreachable, .stopped: true
        case .timedOut, .closed, .abortedByPeer, .malformed, .refused, .failed: false
        }
    }

    /// What happened, for a person.
    package var words: String {
        switch self {
        case .timedOut(let text): "no answer in time (\(text))"
        case .closed(let text): "connection closed (\(text))"
        case .abortedByPeer: "the peer aborted the association"
        case .rejected(let rejection): "the peer refused the association: \(rejection)"
        case .malformed(let text): "the peer broke the protocol (\(text))"
        case .stopped: "stopping"
        case .unreachable(let text): "cannot be reached (\(text))"
        case .refused(let text), .failed(let text): text
        }
    }
}

/// Short calls to one peer.
package enum PeerCall {
    /// C-ECHO (PS3.7 Section 9.1.5).
    /// - Returns: nil when the peer answered with success, otherwise why not.
    package static func echo(_ peer: KnownPeer, callingAETitle: String) -> String? {
        let context = ProposedContext(
            id: 1, abstractSyntax: "1.2.840.10008.1.1", transferSyntaxes: [TransferSyntax.implicitVRLittleEndian.uid])
        do throws(NetworkError) {
            let association = try AssociationRequestor.connect(
                host: peer.host, port: peer.port, callingAETitle: callingAETitle, calledAETitle: peer.aeTitle,
                contexts: [context])
            let status = try association.echo()
            try? association.release()
            return status == .success ? nil : "it answered \(status)"
        } catch {
            return error.words
        }
    }
}
