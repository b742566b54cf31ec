// Who is being served, and who has yet to ask: the counts that bound a listener, and the list that ends it.
import Foundation

/// Places for associations, counted in total and by address, and a pool beside them for callers that hold none: a
/// connection takes a place when its request has come, so that silence keeps nobody out.
final class AssociationRegister: Sendable {
    /// What to do with a connection.
    enum Admission {
        /// Hear it out; `instead`, which was silent for longest, gives way.
        case admitted(ticket: Int, instead: AssociationControl?)
        case hangUp
    }

    enum Change {
        case stopped, running
    }

    private struct State {
        var accepting = false
        var draining = false
        /// By ticket, in the order in which they came: whence.
        var served: [Int: String] = [:]
        /// They have not asked for an association yet, or are being told that there is none.
        var callers: [Int: String] = [:]
        /// Gave way to later callers; their threads are about to end.
        var leaving: Set<Int> = []
        var controls: [Int: AssociationControl] = [:]
        var lastTicket = 0

        var isEmpty: Bool { !accepting && connections == 0 }
        var connections: Int { served.count + callers.count + leaving.count }

        /// The oldest caller of the address that has the most of them: one host that says nothing keeps out itself at most.
        func longestSilent(before newcomer: String) -> Int? {
            let counts = Dictionary((callers.values + [newcomer]).map { ($0, 1) }, uniquingKeysWith: +)
            let most = counts.values.max()
            return callers.filter { counts[$0.value] == most }.keys.min()
        }
    }

    private let limit: Int
    private let reserved: Int
    private let perAddress: Int?
    private let callers: Int
    private let state = Guarded(State())

    init(limit: Int, reserved: Int, perAddress: Int?, callers: Int) {
        self.limit = limit
        self.reserved = reserved
        self.perAddress = perAddress
        self.callers = callers
    }

    var activeCount: Int { state.withLock { $0.served.count } }

    func acceptorStarted() { state.withLock { $0.accepting = true } }

    func acceptorEnded() { state.withLock { $0.accepting = false } }

    func admit(_ address: String) -> Admission {
        state.withLock { state in
            // So many may be on their way out at once: connections that come faster than threads end are not heard.
            guard !state.draining, state.leaving.count < callers else { return .hangUp }
            var instead: AssociationControl?
            if state.callers.count >= callers, let ticket = state.longestSilent(before: address) {
                state.callers[ticket] = nil
                state.leaving.insert(ticket)
                instead = state.controls[ticket]
            }
            state.lastTicket += 1
            state.callers[state.lastTicket] = address
            return .admitted(ticket: state.lastTicket, instead: instead)
        }
    }

    /// Gives a caller whose request has come a place; without one it stays a caller, to be told why.
    /// - Parameter isUrgent: whether it may have a reserved place.
    func seat(_ ticket: Int, isUrgent: Bool) -> AssociationRejection? {
        state.withLock { state in
            guard !state.draining, let address = state.callers[ticket] else { return .temporaryCongestion }
            guard state.served.count < (isUrgent ? limit + reserved : limit) else { return .temporaryCongestion }
            if let perAddress, state.served.values.count(where: { $0 == address }) >= perAddress {
                return .localLimitExceeded
            }
            state.callers[ticket] = nil
            state.served[ticket] = address
            return nil
        }
    }

    /// Whether this caller was sent away for a later one.
    func gaveWay(_ ticket: Int) -> Bool { state.withLock { $0.leaving.contains(ticket) } }

    /// Ends what a ticket stands for.
    func leave(_ ticket: Int) {
        state.withLock { state in
            state.served[ticket] = nil
            state.callers[ticket] = nil
            state.leaving.remove(ticket)
        }
    }

    func attach(_ control: AssociationControl, _ ticket: Int) {
        let (draining, gaveWay) = state.withLock { state in
            state.controls[ticket] = control
            return (state.draining, state.leaving.contains(ticket))
        }
        if gaveWay { control.interrupt() } else if draining { control.drain() }
    }

    func detach(_ ticket: Int) { state.withLock { $0.controls[ticket] = nil } }

    func drain() {
        let controls = state.withLock { state in
            state.draining = true
            return Array(state.controls.values)
        }
        for control in controls { control.drain() }
    }

    func interruptAll() {
        for control in state.withLock({ Array($0.controls.values) }) { control.interrupt() }
    }

    /// Waits until nobody accepts, negotiates or serves; false when `timeout` came first.
    func waitUntilEmpty(_ timeout: Duration) -> Bool {
        state.wait(timeout) { $0.isEmpty }
    }

    /// Waits until a connection ends or the listener stops.
    func waitForChange(_ timeout: Duration) -> Change {
        let before = state.withLock { $0.connections }
        _ = state.wait(timeout) { $0.draining || $0.connections < before }
        return state.withLock { $0.draining } ? .stopped : .running
    }
}

/// A value under a lock whose changes can be waited for.
private final class Guarded<Value: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    private var value: Value

    init(_ value: Value) {
        self.value = value
    }

    func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        condition.lock()
        defer {
            condition.broadcast()
            condition.unlock()
        }
        return body(&value)
    }

    func wait(_ timeout: Duration, until satisfied: (Value) -> Bool) -> Bool {
        let deadline = Date(
            timeIntervalSinceNow: Double(timeout.components.seconds) + Double(timeout.components.attoseconds) / 1e18)
        condition.lock()
        defer { condition.unlock() }
        while !satisfied(value) {
            if !condition.wait(until: deadline) { return satisfied(value) }
        }
        return true
    }
}
