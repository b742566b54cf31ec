// A service class provider for the tests: accepts what it is told to, answers as scripted, remembers what happened.
import DICOMNetwork
import Foundation
import Synchronization

/// Keeps what it receives. `behaviour` decides how requests other than C-ECHO and C-STORE are served.
final class RecordingServer: AssociationServer {
    typealias Behaviour = @Sendable (Association, Message) throws -> Void
    typealias Decision = @Sendable (AssociationRequest) -> NegotiationAnswer

    let decision: Decision
    let behaviour: Behaviour
    private let state = Mutex(State())
    private let changed = NSCondition()

    struct State {
        var stored: [String: [UInt8]] = [:]
        var requests: [AssociationRequest] = []
        var events: [AssociationEvent] = []
        var notes: [String] = []
    }

    /// Accepts everything, and serves what is not C-ECHO or C-STORE by `behaviour`.
    init(_ behaviour: @escaping Behaviour = RecordingServer.refuse) {
        decision = RecordingServer.acceptFirstSyntax
        self.behaviour = behaviour
    }

    /// Negotiates by `decision`.
    init(decision: @escaping Decision, _ behaviour: @escaping Behaviour = RecordingServer.refuse) {
        self.decision = decision
        self.behaviour = behaviour
    }

    /// Answers that the operation is not recognized.
    @Sendable static func refuse(_ association: Association, _ message: Message) throws {
        try association.discardDataSet()
        try association.send(
            CommandSet(answering: message.command, status: .unrecognizedOperation), on: message.contextID)
    }

    /// Accepts every context with its first transfer syntax and the roles proposed.
    @Sendable static func acceptFirstSyntax(_ request: AssociationRequest) -> NegotiationAnswer {
        .accept(
            request.contexts.map {
                AcceptedContext(
                    id: $0.id, transferSyntax: $0.transferSyntaxes[0], scuRole: $0.scuRole, scpRole: $0.scpRole)
            }, extendedNegotiation: request.extendedNegotiation)
    }

    var snapshot: State { state.withLock { $0 } }

    func note(_ text: String) {
        update { $0.notes.append(text) }
    }

    func negotiate(_ request: AssociationRequest) -> NegotiationAnswer {
        update { $0.requests.append(request) }
        return decision(request)
    }

    func serve(_ association: Association) {
        do {
            while let message = try association.nextMessage() {
                switch message.command.field {
                case .cEchoRequest:
                    try association.send(
                        CommandSet(answering: message.command, status: .success), on: message.contextID)
                case .cStoreRequest:
                    var bytes: [UInt8] = []
                    try unsafe association.readDataSet { unsafe bytes.append(contentsOf: $0) }
                    let received = bytes
                    update { $0.stored[message.command.affectedSOPInstanceUID ?? ""] = received }
                    try association.send(
                        CommandSet(answering: message.command, status: .success), on: message.contextID)
                default:
                    try behaviour(association, message)
                }
            }
        } catch {
            note("\(error)")
        }
    }

    func record(_ event: AssociationEvent) {
        update { $0.events.append(event) }
    }

    /// Waits until what happened satisfies `condition`; false after a time that only a hung program needs.
    func waits(until condition: (State) -> Bool) -> Bool {
        changed.lock()
        defer { changed.unlock() }
        let deadline = Date(timeIntervalSinceNow: 30)
        while !condition(snapshot) {
            if !changed.wait(until: deadline) { return condition(snapshot) }
        }
        return true
    }

    private func update(_ body: (inout State) -> Void) {
        changed.lock()
        state.withLock { body(&$0) }
        changed.broadcast()
        changed.unlock()
    }
}

/// A started listener on a free loopback port.
func startListener(_ server: RecordingServer, _ options: ListenerOptions = ListenerOptions()) throws
    -> AssociationListener
{
    let listener = try AssociationListener(host: "127.0.0.1", port: 0, options: options, server: server)
    listener.start()
    return listener
}

enum UIDs {
    static let verification = "1.2.840.10008.1.1"
    static let ctImageStorage = "1.2.840.10008.5.1.4.1.1.2"
    static let studyRootFind = "1.2.840.10008.5.1.4.1.2.2.1"
    static let studyRootGet = "1.2.840.10008.5.1.4.1.2.2.3"
    static let implicitLittleEndian = "1.2.840.10008.1.2"
    static let explicitLittleEndian = "1.2.840.10008.1.2.1"
    static let privateClass = "1.3.6.1.4.1.99999.7.1"
    static let privateSyntax = "1.3.6.1.4.1.99999.7.2"
}

/// An association to a listener, proposing each abstract syntax with both little endian syntaxes.
func connect(
    to listener: AssociationListener, _ abstractSyntaxes: [String] = [UIDs.verification, UIDs.ctImageStorage],
    timeouts: AssociationTimeouts = AssociationTimeouts()
) throws(NetworkError) -> Association {
    try AssociationRequestor.connect(
        host: "127.0.0.1", port: listener.port, callingAETitle: "TESTSCU", calledAETitle: "TESTSCP",
        contexts: abstractSyntaxes.enumerated().map { index, syntax in
            ProposedContext(
                id: UInt8(index * 2 + 1), abstractSyntax: syntax,
                transferSyntaxes: [UIDs.explicitLittleEndian, UIDs.implicitLittleEndian])
        }, timeouts: timeouts)
}
