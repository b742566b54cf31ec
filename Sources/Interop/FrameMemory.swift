// How many bytes of messages all connections together hold, and how many connections there are.

import Synchronization

/// The bytes of frames that are arriving or wait for their answer.
final class FrameMemory: Sendable {
    private let most: Int
    private let held = Atomic(0)

    init(most: Int) { self.most = most }

    /// Adds what a connection holds more, or less; whether that is too much.
    @discardableResult
    func add(_ bytes: Int) -> Bool {
        held.add(bytes, ordering: .relaxed).newValue > most
    }
}

/// Places for connections, in all and for one address.
final class ConnectionPlaces: Sendable {
    private struct State {
        var open = 0
        var byAddress: [String: Int] = [:]
    }

    private let most: Int
    private let mostPerAddress: Int
    private let state = Mutex(State())

    init(most: Int, perAddress: Int) {
        self.most = most
        mostPerAddress = perAddress
    }

    /// Whether there is a place; it is given back by `leave`.
    func enter(_ address: String) -> Bool {
        state.withLock { state in
            guard state.open < most, state.byAddress[address, default: 0] < mostPerAddress else { return false }
            state.open += 1
            state.byAddress[address, default: 0] += 1
            return true
        }
    }

    func leave(_ address: String) {
        state.withLock { state in
            state.open -= 1
            let left = state.byAddress[address, default: 1] - 1
            state.byAddress[address] = left > 0 ? left : nil
        }
    }
}
