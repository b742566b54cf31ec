// A line to one peer: an association that is kept for what comes next, and opened anew when that is not negotiated on it.

import DICOMNetwork

/// Belongs to one thread.
final class PeerLine {
    private let peer: KnownPeer
    private let dialing: PeerDialing
    private let timeouts: AssociationTimeouts
    private(set) var association: Association?

    init(_ peer: KnownPeer, _ dialing: PeerDialing, timeouts: AssociationTimeouts = AssociationTimeouts()) {
        self.peer = peer
        self.dialing = dialing
        self.timeouts = timeouts
    }

    /// An association on which everything that a plan wants of a SOP class was proposed.
    func association(for sopClassUID: String, of plan: ContextPlan) throws(NetworkError) -> Association {
        if let association {
            // What has something to say to a requestor that asked for nothing is leaving, or gone.
            let isOpen = association.failure == nil && !association.hasIncoming
            if isOpen, plan.isCovered(sopClassUID, by: association.request.contexts) { return association }
            if isOpen { release() } else { drop() }
        }
        let opened = try dialing.call(peer, contexts: plan.contexts(from: sopClassUID), timeouts: timeouts)
        association = opened
        return opened
    }

    func release() {
        try? association?.release()
        association = nil
    }

    func drop() {
        association?.abort()
        association = nil
    }
}
