// Accepting associations: one thread waits for connections, one thread serves each, and both are bounded.
internal import DICOMToolkit
import Foundation

/// What a server of associations decides and does. Every call comes on the association's own thread, and may block.
package protocol AssociationServer: Sendable {
    /// Answers a request for an association.
    func negotiate(_ request: AssociationRequest) -> NegotiationAnswer
    /// Whether a caller over the limit may have a reserved place.
    func isUrgent(_ request: AssociationRequest) -> Bool
    /// Serves an association until it ends. One that is still open on return is aborted.
    func serve(_ association: Association)
    /// Something for the log or the metrics.
    func record(_ event: AssociationEvent)
}

extension AssociationServer {
    package func isUrgent(_ request: AssociationRequest) -> Bool { false }
}

/// What happens to connections and associations, for logs and metrics.
package enum AssociationEvent: Sendable {
    /// Rejected for want of a free place; with `hungUp`, without a word: it had asked for nothing when a later caller
    /// needed its place among those that have not, or came faster than such are sent away.
    case overLimit(address: String, rejection: AssociationRejection, hungUp: Bool)
    /// Failed before there was an association: silence, garbage, a malformed request.
    case failed(address: String, error: NetworkError)
    case rejected(AssociationRequest, AssociationRejection)
    case accepted(AssociationRequest)
    /// The end of an accepted association; nil when it was released in order.
    case ended(AssociationRequest, failure: NetworkError?)
    /// The listening socket failed; accepting goes on after a pause.
    case acceptFailed(String)
}

/// What a listener allows.
package struct ListenerOptions: Sendable {
    package var maxPDU: UInt32
    package var maxAssociations: Int
    /// Places above `maxAssociations` for urgent callers. Who is one is known from the A-ASSOCIATE-RQ.
    package var reservedAssociations: Int
    /// Nil means only the total counts.
    package var maxAssociationsPerAddress: Int?
    /// How many connections may be without an association, beside those that have one: silent so far, or being rejected.
    /// When there are more, the oldest one of the address that has the most of them is closed.
    package var callers: Int
    package var timeouts: AssociationTimeouts
    package var identity: ImplementationIdentity
    /// Nil: as plain text.
    package var tls: SecureTransport?

    package init(
        maxPDU: UInt32 = 131_072, maxAssociations: Int = 64, reservedAssociations: Int = 0,
        maxAssociationsPerAddress: Int? = nil, callers: Int = 128,
        timeouts: AssociationTimeouts = AssociationTimeouts(),
        identity: ImplementationIdentity = ImplementationIdentity()
    ) {
        self.maxPDU = maxPDU
        self.maxAssociations = maxAssociations
        self.reservedAssociations = reservedAssociations
        self.maxAssociationsPerAddress = maxAssociationsPerAddress
        self.callers = callers
        self.timeouts = timeouts
        self.identity = identity
    }

    var upperLayer: UpperLayerOptions {
        UpperLayerOptions(
            maxPDU: maxPDU, negotiationTimeout: timeouts.negotiation, stallTimeout: timeouts.stall,
            implementationClassUID: identity.classUID, implementationVersionName: identity.versionName,
            tls: tls?.identity())
    }
}

/// A bound address on which associations are accepted once started.
package final class AssociationListener: Sendable {
    private let socket: ListeningSocket
    private let options: ListenerOptions
    private let server: any AssociationServer
    private let register: AssociationRegister

    /// Binds; port 0 picks a free one. Connections are taken after `start`.
    package init(
        host: String, port: Int, options: ListenerOptions = ListenerOptions(), server: any AssociationServer
    ) throws(NetworkError) {
        do throws(ToolkitError) {
            socket = try ListeningSocket(host: host, port: port)
        } catch {
            throw NetworkError(error)
        }
        self.options = options
        self.server = server
        register = AssociationRegister(
            limit: options.maxAssociations, reserved: options.reservedAssociations,
            perAddress: options.maxAssociationsPerAddress, callers: options.callers)
    }

    /// The port bound to.
    package var port: Int { socket.port }

    /// Associations under way, those that are being answered included.
    package var activeCount: Int { register.activeCount }

    /// Starts accepting.
    package func start() {
        register.acceptorStarted()
        BlockingThread.start("dicom-accept") { [self] in
            acceptUntilStopped()
            socket.close()
            register.acceptorEnded()
        }
    }

    /// Stops accepting, aborts idle associations, lets busy ones answer their current message, and after `grace` ends
    /// all. Blocks until every thread is gone, at most a moment longer than `grace`.
    package func stop(grace: Duration) {
        socket.stop()
        register.drain()
        if !register.waitUntilEmpty(grace) {
            register.interruptAll()
            _ = register.waitUntilEmpty(.seconds(2))
        }
    }

    private func acceptUntilStopped() {
        var failures = 0
        while true {
            do throws(ToolkitError) {
                guard let connection = try socket.accept() else { return }
                failures = 0
                admit(connection)
            } catch {
                // Out of descriptors, usually: some association must end first.
                failures += 1
                if failures == 1 { server.record(.acceptFailed("\(error)")) }
                if register.waitForChange(.milliseconds(200)) == .stopped { return }
            }
        }
    }

    private func admit(_ connection: AcceptedSocket) {
        switch register.admit(connection.address) {
        case .admitted(let ticket, let instead):
            instead?.interrupt()
            BlockingThread.start("dicom-association") { [self] in
                negotiateAndServe(connection, ticket)
                register.leave(ticket)
            }
        case .hangUp:
            connection.close()
            server.record(.overLimit(address: connection.address, rejection: .temporaryCongestion, hungUp: true))
        }
    }

    /// Hears what a caller asks for, and serves it if there is a place. One for which there is none is told so, so that
    /// it knows to come again later.
    private func negotiateAndServe(_ connection: AcceptedSocket, _ ticket: Int) {
        let address = connection.address
        do throws(ToolkitError) {
            let layer = try UpperLayer.accepting(connection, options: options.upperLayer)
            let control = AssociationControl(layer: layer)
            register.attach(control, ticket)
            defer { register.detach(ticket) }
            try layer.receive()
            let request = AssociationRequest(layer, address: address)
            var rejection = register.seat(ticket, isUrgent: false)
            if rejection != nil, server.isUrgent(request) { rejection = register.seat(ticket, isUrgent: true) }
            guard let rejection else { return try answerAndServe(request, layer, control) }
            try layer.reject(result: rejection.result, source: rejection.source, reason: rejection.reason)
            server.record(.overLimit(address: address, rejection: rejection, hungUp: false))
        } catch {
            server.record(
                register.gaveWay(ticket)
                    ? .overLimit(address: address, rejection: .temporaryCongestion, hungUp: true)
                    : .failed(address: address, error: NetworkError(error)))
        }
    }

    private func answerAndServe(
        _ request: AssociationRequest, _ layer: UpperLayer, _ control: AssociationControl
    ) throws(ToolkitError) {
        guard control.becomeBusy() else { throw .interrupted }
        let isDICOM = ["", "1.2.840.10008.3.1.1.1"].contains(layer.applicationContext)
        switch isDICOM ? server.negotiate(request) : .reject(.applicationContextNotSupported) {
        case .reject(let rejection):
            server.record(.rejected(request, rejection))
            try layer.reject(result: rejection.result, source: rejection.source, reason: rejection.reason)
        case .accept(let contexts, let extended):
            let agreed = try layer.answer(request, contexts, extended)
            serve(
                Association(
                    layer: layer, request: request, contexts: agreed, acceptedExtendedNegotiation: extended,
                    timeouts: options.timeouts, control: control))
        }
    }

    private func serve(_ association: Association) {
        server.record(.accepted(association.request))
        server.serve(association)
        association.abort()
        server.record(.ended(association.request, failure: association.failure))
    }
}

extension AssociationRequest {
    fileprivate init(_ layer: UpperLayer, address: String) {
        self.init(
            callingAETitle: layer.callingAETitle, calledAETitle: layer.calledAETitle, remoteAddress: address,
            maxPDU: layer.peerMaxPDU, implementationClassUID: layer.peerImplementationClassUID,
            implementationVersionName: layer.peerImplementationVersionName,
            contexts: layer.contexts.map {
                ProposedContext(
                    id: $0.id, abstractSyntax: $0.abstractSyntax, transferSyntaxes: $0.transferSyntaxes,
                    scuRole: $0.scuRole, scpRole: $0.scpRole)
            },
            extendedNegotiation: layer.extendedNegotiation.map {
                ExtendedNegotiation(sopClassUID: $0.sopClassUID, information: $0.information)
            })
    }
}

extension UpperLayer {
    /// Puts the decision into the A-ASSOCIATE-AC and sends it.
    fileprivate func answer(
        _ request: AssociationRequest, _ answers: [AcceptedContext], _ extended: [ExtendedNegotiation]
    ) throws(ToolkitError) -> [NegotiatedContext] {
        let byID = Dictionary(answers.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        var agreed: [NegotiatedContext] = []
        for context in request.contexts {
            let answer = byID[context.id] ?? AcceptedContext(id: context.id, refusal: .noReason)
            guard let syntax = answer.transferSyntax else {
                try refuse(contextID: context.id, reason: answer.refusal.rawValue)
                continue
            }
            try accept(
                contextID: context.id, transferSyntax: syntax, scuRole: answer.scuRole, scpRole: answer.scpRole)
            agreed.append(
                NegotiatedContext(
                    id: context.id, abstractSyntax: context.abstractSyntax, transferSyntax: syntax,
                    requestorIsSCU: answer.scuRole ?? true, requestorIsSCP: answer.scpRole ?? false))
        }
        for item in extended {
            addAcceptedExtendedNegotiation(sopClassUID: item.sopClassUID, information: item.information)
        }
        try acknowledge()
        return agreed
    }
}
