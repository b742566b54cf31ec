// Making an association as requestor.
internal import DICOMToolkit

/// The requestor's side of association establishment (PS3.8 Section 7.1).
package enum AssociationRequestor {
    /// Connects and negotiates. The calling thread blocks. Contexts the peer refused are missing from the result.
    /// - Parameter tls: nil: as plain text.
    package static func connect(
        host: String, port: Int, callingAETitle: String, calledAETitle: String, contexts: [ProposedContext],
        extendedNegotiation: [ExtendedNegotiation] = [], maxPDU: UInt32 = 131_072,
        timeouts: AssociationTimeouts = AssociationTimeouts(),
        identity: ImplementationIdentity = ImplementationIdentity(), tls: SecureTransport? = nil
    ) throws(NetworkError) -> Association {
        let options = UpperLayerOptions(
            maxPDU: maxPDU, negotiationTimeout: timeouts.negotiation, stallTimeout: timeouts.stall,
            implementationClassUID: identity.classUID, implementationVersionName: identity.versionName,
            tls: tls?.identity())
        let layer: UpperLayer
        do throws(ToolkitError) {
            layer = try UpperLayer.request(
                callingAETitle: callingAETitle, calledAETitle: calledAETitle, options: options)
            for context in contexts {
                try layer.propose(
                    contextID: context.id, abstractSyntax: context.abstractSyntax,
                    transferSyntaxes: context.transferSyntaxes, scuRole: context.scuRole, scpRole: context.scpRole)
            }
            for item in extendedNegotiation {
                layer.proposeExtendedNegotiation(sopClassUID: item.sopClassUID, information: item.information)
            }
            try layer.connect(host: host, port: port)
        } catch {
            throw NetworkError(error)
        }
        let request = AssociationRequest(
            callingAETitle: callingAETitle, calledAETitle: calledAETitle, remoteAddress: host, maxPDU: maxPDU,
            implementationClassUID: identity.classUID, implementationVersionName: identity.versionName,
            contexts: contexts, extendedNegotiation: extendedNegotiation)
        return Association(
            layer: layer, request: request, contexts: layer.contexts.compactMap(negotiated),
            acceptedExtendedNegotiation: layer.extendedNegotiation.map {
                ExtendedNegotiation(sopClassUID: $0.sopClassUID, information: $0.information)
            },
            timeouts: timeouts, control: AssociationControl(layer: layer))
    }

    private static func negotiated(_ context: UpperLayerContext) -> NegotiatedContext? {
        guard context.result == 0 else { return nil }
        return NegotiatedContext(
            id: context.id, abstractSyntax: context.abstractSyntax, transferSyntax: context.acceptedTransferSyntax,
            requestorIsSCU: context.scuRole ?? true, requestorIsSCP: context.scpRole ?? false)
    }
}
