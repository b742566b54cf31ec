// The way to a destination over associations: C-STORE, one association per lane, and storage commitment as proof.

package import Catalog
import DICOMNetwork
import Dispatch
import Encounters
package import Forwarding
import Foundation
package import Records
import Retrieval
import Synchronization

/// Carries objects to one peer.
package final class AssociationCarrier: Carrier {
    private let peer: KnownPeer
    private let dialing: PeerDialing
    private let forms: OutgoingForms
    private let pace: LinePace
    private let commits: Bool
    private let desk: CarrierDesk

    /// - Parameters:
    ///   - pace: shared by all lanes.
    ///   - commits: whether the peer is asked for storage commitment (PS3.4 Annex J).
    package init(peer: KnownPeer, dialing: PeerDialing, forms: OutgoingForms, pace: LinePace, commits: Bool) {
        self.peer = peer
        self.dialing = dialing
        self.forms = forms
        self.pace = pace
        self.commits = commits
        desk = CarrierDesk(peer: peer.name)
    }

    /// What a peer holds byte for byte cannot be asked by DIMSE.
    package func held(of shipment: ShipmentRecord, _ instances: [StoredInstance]) async -> HeldAnswer { .unknown }

    package func lane() -> any Lane {
        AssociationLane(desk) { [peer, dialing, forms, pace, desk] in
            LaneWork(
                line: PeerLine(peer, dialing, timeouts: CarrierDesk.timeouts), forms: forms, pace: pace, desk: desk)
        }
    }

    package func prove(_ request: ProofRequest) async -> ProofOutcome? {
        guard commits else { return nil }
        let question = CommitmentSCU(peer: peer, dialing: dialing, desk: desk)
        return await desk.answer(orElse: .failed(.failed("stopping"))) { reply in
            let thread = Thread { reply.give(question.ask(request)) }
            thread.name = "commitment"
            thread.start()
        }
    }

    /// Ends what is under way; the lanes let go of their associations themselves.
    package func close() async { desk.end(grace: .zero) }
}

/// An answer that is given once, by whoever is first.
final class Reply<Value: Sendable>: Sendable {
    private struct State {
        var continuation: CheckedContinuation<Value, Never>?
        var onGiven: (@Sendable () -> Void)?
    }

    private let state: Mutex<State>

    init(_ continuation: CheckedContinuation<Value, Never>) { state = Mutex(State(continuation: continuation)) }

    func onGiven(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.onGiven = body } }

    func give(_ value: Value) {
        let (continuation, onGiven) = state.withLock { state in
            defer { state = State() }
            return (state.continuation, state.onGiven)
        }
        continuation?.resume(returning: value)
        onGiven?()
    }
}

/// What the lanes of one destination share.
final class CarrierDesk: Sendable {
    /// An answer may take long while the line's own buffers still drain; a line that is dead is known by TCP.
    static let timeouts = AssociationTimeouts(stall: .seconds(60), response: .seconds(900))
    /// What an object on its way has to arrive when the server stops, and what a thread has to notice that it is ended.
    private static let grace = Duration.seconds(2)
    private static let moment = Duration.milliseconds(500)

    private let peer: String
    private let state = Mutex(State())

    private struct State {
        /// Nothing new is begun, what is under way may end.
        var isEnding = false
        var isClosed = false
        var open: [Int: AssociationControl] = [:]
        var waiting: [Int: @Sendable () -> Void] = [:]
        var lastTicket = 0
    }

    init(peer: String) { self.peer = peer }

    var isEnding: Bool { state.withLock { $0.isEnding } }

    /// Waits for what a thread answers. When the task is cancelled, or the way closed, what is under way has a moment to end;
    /// a thread that is stuck, as in connecting to nobody, is not waited for.
    func answer<Value: Sendable>(
        orElse last: Value, _ begin: @Sendable (Reply<Value>) -> Void
    ) async -> Value {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let reply = Reply(continuation)
                let isClosed = state.withLock { state in
                    state.lastTicket += 1
                    let ticket = state.lastTicket
                    state.waiting[ticket] = { reply.give(last) }
                    reply.onGiven { [self] in self.state.withLock { $0.waiting[ticket] = nil } }
                    return state.isClosed
                }
                if isClosed { reply.give(last) } else { begin(reply) }
            }
        } onCancel: {
            end(grace: Self.grace)
        }
    }

    /// Runs a body during which `end` ends the association.
    func during<Value>(
        _ association: Association, _ body: () throws(NetworkError) -> Value
    ) throws(NetworkError) -> Value {
        let (ticket, isClosed) = state.withLock { state in
            state.lastTicket += 1
            state.open[state.lastTicket] = association.control
            return (state.lastTicket, state.isClosed)
        }
        if isClosed { association.control.interrupt() }
        defer { state.withLock { $0.open[ticket] = nil } }
        return try body()
    }

    /// Ends what is under way, after a grace; for good.
    func end(grace: Duration) {
        let isFirst = state.withLock { state in
            defer { state.isEnding = true }
            return !state.isEnding || grace == .zero
        }
        guard isFirst else { return }
        DispatchQueue.global().asyncAfter(deadline: .now() + grace / .seconds(1)) { [self] in
            let open = state.withLock { state in
                state.isClosed = true
                return Array(state.open.values)
            }
            for control in open { control.interrupt() }
            DispatchQueue.global().asyncAfter(deadline: .now() + Self.moment / .seconds(1)) { [self] in
                for giveUp in state.withLock({ Array($0.waiting.values) }) { giveUp() }
            }
        }
    }

    /// What a C-STORE came to (PS3.4 Table B.2-1).
    func outcome(_ result: StoreResult) -> DeliveryOutcome {
        switch result {
        case .notAccepted(let why): return .refused("\(peer): \(why)")
        case .notReadable(let failure):
            switch failure {
            case .busy, .outOfSpace: return .failed(failure.comment)
            case .absent, .notConvertible, .unreadable: return .refused(failure.comment)
            }
        case .answered(let status, let comment):
            let words = "\(peer) answered \(status)" + (comment.map { ": \($0)" } ?? "")
            if status.isSuccess || status.isWarning { return .taken(status.isSuccess ? "" : words) }
            let isShort = (0xA700...0xA7FF).contains(status.rawValue) || status == .resourceLimitation
            return isShort ? .failed(words) : .refused(words)
        }
    }

    /// What an association that is lost means for the object that was on its way.
    func outcome(_ error: NetworkError, wasOpen: Bool) -> DeliveryOutcome {
        let words = "\(peer): \(error.words)"
        guard wasOpen else {
            if case .refused = error { return .refused(words) }
            return .unreached(words)
        }
        switch error {
        case .refused: return .refused(words)
        case .abortedByPeer, .malformed, .unreachable, .insecure, .rejected, .timedOut, .closed, .stopped, .failed:
            return .failed(words)
        }
    }
}
