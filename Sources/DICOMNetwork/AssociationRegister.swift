// Who is being served: the counts that bound a listener, and the list that ends it.
import Foundation

/// Places for associations, counted in total and by address, and the associations that hold them.
final class AssociationRegister: Sendable {
    /// What to do with a connection.
    enum Admission {
        case admitted
        case reject(AssociationRejection)
        case hangUp(AssociationRejection)
    }

    enum Change {
        case stopped, running
    }

    private struct State {
        var accepting = false
        var draining = false
        var active = 0
        var rejecting = 0
        var byAddress: [String: Int] = [:]
        var controls: [Int: AssociationControl] = [:]
        var lastTicket = 0

        var isEmpty: Bool { !accepting && active == 0 && rejecting == 0 }
    }

    private let limit: Int
    private let reserved: Int
    private let perAddress: Int?
    private let rejections: Int
    private let state = Guarded(State())

    init(limit: Int, reserved: Int, perAddress: Int?, rejections: Int) {
        self.limit = limit
        self.reserved = reserved
        self.perAddress = perAddress
        self.rejections = rejections
    }

    var activeCount: Int { state.withLock { $0.active } }

    func acceptorStarted() { state.withLock { $0.accepting = true } }

    func acceptorEnded() { state.withLock { $0.accepting = false } }

    func admit(_ address: String) -> Admission {
        state.withLock { state in
            let rejection: AssociationRejection
            if state.draining || state.active >= limit {
                rejection = .temporaryCongestion
            } else if let perAddress, state.byAddress[address, default: 0] >= perAddress {
                rejection = .localLimitExceeded
            } else {
                state.active += 1
                state.byAddress[address, default: 0] += 1
                return .admitted
            }
            guard state.rejecting < rejections else { return .hangUp(rejection) }
            state.rejecting += 1
            return .reject(rejection)
        }
    }

    /// Turns a place for rejection into a reserved place for an association; false when all of those are taken.
    func promote(_ address: String) -> Bool {
        state.withLock { state in
            guard !state.draining, state.active < limit + reserved else { return false }
            if let perAddress, state.byAddress[address, default: 0] >= perAddress { return false }
            state.rejecting -= 1
            state.active += 1
            state.byAddress[address, default: 0] += 1
            return true
        }
    }

    func leave(_ address: String) {
        state.withLock { state in
            state.active -= 1
            let left = state.byAddress[address, default: 1] - 1
            state.byAddress[address] = left > 0 ? left : nil
        }
    }

    func leaveRejection() { state.withLock { $0.rejecting -= 1 } }

    func add(_ control: AssociationControl) -> Int {
        let (ticket, draining) = state.withLock { state in
            state.lastTicket += 1
            state.controls[state.lastTicket] = control
            return (state.lastTicket, state.draining)
        }
        if draining { control.drain() }
        return ticket
    }

    func remove(_ ticket: Int) { state.withLock { $0.controls[ticket] = nil } }

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

    /// Waits until a place is freed or the listener stops.
    func waitForChange(_ timeout: Duration) -> Change {
        let before = state.withLock { $0.active }
        _ = state.wait(timeout) { $0.draining || $0.active < before }
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
