// What threads other than an association's own may do to it.
import DICOMToolkit
import Synchronization

/// Ends an association from outside: at once, or as soon as it is between two messages.
package final class AssociationControl: Sendable {
    private let layer: UpperLayer
    private let phase = Mutex(Phase())

    private struct Phase {
        /// Waiting for the peer to ask for something; the association itself comes first.
        var idle = true
        var draining = false
    }

    init(layer: UpperLayer) {
        self.layer = layer
    }

    /// Ends it now, whatever it is doing; a blocked call throws `.stopped`.
    package func interrupt() {
        phase.withLock { $0.draining = true }
        layer.interrupt()
    }

    /// Ends it when it waits for its next request: now, or once the current message is answered.
    package func drain() {
        phase.withLock { phase in
            phase.draining = true
            // Under the lock: whoever has taken a message is busy before this, or knows that it is stopped.
            if phase.idle { layer.interrupt() }
        }
    }

    /// False when it must not wait for another request.
    func becomeIdle() -> Bool {
        phase.withLock { phase in
            phase.idle = !phase.draining
            return phase.idle
        }
    }

    /// False when it was ended before: what has just come is not begun.
    func becomeBusy() -> Bool {
        phase.withLock { phase in
            phase.idle = false
            return !phase.draining
        }
    }
}

/// How long each kind of silence is borne.
package struct AssociationTimeouts: Sendable {
    /// For the whole negotiation, and for the answer to a release (the ARTIM timer of PS3.8 Section 9.1.5).
    package var negotiation: Duration
    /// Between messages.
    package var idle: Duration
    /// Within a message, in both directions.
    package var stall: Duration
    /// For the response to a request of ours.
    package var response: Duration

    package init(
        negotiation: Duration = .seconds(30), idle: Duration = .seconds(300), stall: Duration = .seconds(60),
        response: Duration = .seconds(120)
    ) {
        self.negotiation = negotiation
        self.idle = idle
        self.stall = stall
        self.response = response
    }
}

/// How this program names itself in negotiation (PS3.7 Annex D.3.3.2).
package struct ImplementationIdentity: Sendable {
    package var classUID: String
    package var versionName: String

    /// By default what DICOMCore writes into file headers, which this room cannot see.
    package init(
        classUID: String = "2.25.330879553092293481499467654470473438095", versionName: String = "PHIM_1"
    ) {
        self.classUID = classUID
        self.versionName = versionName
    }
}
