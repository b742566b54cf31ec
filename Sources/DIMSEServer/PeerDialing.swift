// How this archive calls its peers: under which title, and how encrypted.

import DICOMCore
package import DICOMNetwork

/// Calls peers, as plain text or by TLS as each of them wants it.
package struct PeerDialing: Sendable {
    package let callingAETitle: String
    /// For peers that are called by TLS; nil where none is set up.
    private let tls: SecureTransport?

    package init(callingAETitle: String, tls: SecureTransport?) {
        self.callingAETitle = callingAETitle
        self.tls = tls
    }

    /// Connects and negotiates; the calling thread blocks.
    package func call(
        _ peer: KnownPeer, contexts: [ProposedContext], timeouts: AssociationTimeouts = AssociationTimeouts()
    ) throws(NetworkError) -> Association {
        guard tls != nil || !peer.isSecure else { throw .insecure("no TLS is set up here") }
        return try AssociationRequestor.connect(
            host: peer.host, port: peer.port, callingAETitle: callingAETitle, calledAETitle: peer.aeTitle,
            contexts: contexts, timeouts: timeouts, tls: peer.isSecure ? tls : nil)
    }

    /// C-ECHO (PS3.7 Section 9.1.5).
    /// - Returns: nil when the peer answered with success, otherwise why not.
    package func echo(_ peer: KnownPeer) -> String? {
        let context = ProposedContext(
            id: 1, abstractSyntax: "1.2.840.10008.1.1", transferSyntaxes: [TransferSyntax.implicitVRLittleEndian.uid])
        do throws(NetworkError) {
            let association = try call(peer, contexts: [context])
            let status = try association.echo()
            try? association.release()
            return status == .success ? nil : "it answered \(status)"
        } catch {
            return error.words
        }
    }
}
