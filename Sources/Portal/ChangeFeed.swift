// One follower of the catalogue's changes for everybody who listens: it asks once, and tells all whom it concerns.

package import Catalog
package import Logging
import ServiceLifecycle
import Synchronization
package import Web

/// Follows the change feed while somebody listens. Several processes write to the catalogue, so it is asked.
package final class ChangeFeed: Service, Sendable {
    /// What a listener gets.
    package enum Signal: Sendable, Equatable {
        /// Everything after this number will come.
        case ready(Int64)
        case change(Change)
        /// What came between was forgotten: look again at everything.
        case reset(Int64)
        /// Keeps the connection alive.
        case heartbeat
    }

    /// One listener's stream; it ends when the listener is too slow, after some minutes, and when the server stops.
    package struct Subscription: Sendable {
        package let signals: AsyncStream<Signal>
        private let end: @Sendable () -> Void

        fileprivate init(signals: AsyncStream<Signal>, end: @escaping @Sendable () -> Void) {
            self.signals = signals
            self.end = end
        }

        /// Leaves.
        package func cancel() { end() }
    }

    /// No place for another listener.
    package struct Full: Error {}

    private struct Listener {
        let account: String
        let wants: @Sendable (Change) -> Bool
        let continuation: AsyncStream<Signal>.Continuation
        var position: Int64
        var age = 0
    }

    private struct State {
        var listeners: [Int: Listener] = [:]
        var nextID = 0
        /// Last number that was read; nil while nobody listens.
        var position: Int64?
        var ticks = 0
        var isStopped = false
    }

    private let catalog: CatalogStore
    private let work: BlockingWork
    private let logger: Logger
    private let limits: ChangeFeedLimits
    private let state = Mutex(State())

    package init(
        catalog: CatalogStore, work: BlockingWork, logger: Logger, limits: ChangeFeedLimits = ChangeFeedLimits()
    ) {
        self.catalog = catalog
        self.work = work
        self.logger = logger
        self.limits = limits
    }

    /// Follows until the server stops; then every stream ends.
    package func run() async throws {
        await cancelWhenGracefulShutdown { await self.follow() }
        let left = state.withLock { state in
            state.isStopped = true
            defer { state.listeners = [:] }
            return Array(state.listeners.values)
        }
        // Outside the lock: what ends a stream calls back, and takes the lock itself.
        for listener in left { listener.continuation.finish() }
    }

    private func follow() async {
        var failed = false
        while (try? await Task.sleep(for: limits.interval)) != nil {
            do {
                try await advance()
                failed = false
            } catch {
                if !failed { logger.warning("cannot follow the changes", metadata: ["failure": "\(error)"]) }
                failed = true
            }
        }
    }

    /// One step: reads what is new and tells those whom it concerns.
    package func advance() async throws {
        guard let position = state.withLock({ $0.listeners.isEmpty ? nil : $0.position }) else {
            return state.withLock { if $0.listeners.isEmpty { $0.position = nil } }
        }
        let (catalog, most) = (catalog, limits.mostAtOnce)
        let changes = try await work.run { try catalog.changes(after: position, limit: most) }
        let left = state.withLock { state in
            state.ticks += 1
            let left = state.listeners.keys.compactMap { tell(&state, $0, changes) }
            if let last = changes.last { state.position = max(state.position ?? 0, last.sequence) }
            return left
        }
        // Outside the lock: what ends a stream calls back, and takes the lock itself.
        for listener in left { listener.continuation.finish() }
    }

    /// Tells one listener what it wants to know. - Returns: the listener when it is to leave.
    private func tell(_ state: inout State, _ id: Int, _ changes: [Change]) -> Listener? {
        guard var listener = state.listeners[id] else { return nil }
        var keepsUp = true
        for change in changes where change.sequence > listener.position {
            listener.position = change.sequence
            if listener.wants(change) { keepsUp = keepsUp && listener.continuation.hears(.change(change)) }
        }
        listener.age += 1
        if listener.age % limits.heartbeatEvery == 0 { keepsUp = keepsUp && listener.continuation.hears(.heartbeat) }
        if keepsUp, listener.age < limits.mostTicks {
            state.listeners[id] = listener
            return nil
        }
        // It comes back with the number it has seen, and is asked again who it is.
        state.listeners[id] = nil
        return listener
    }

    /// Listens from now on, or after a change that was seen already.
    /// - Parameters:
    ///   - after: the last number seen.
    ///   - wants: which changes concern this listener.
    package func subscribe(
        account: String, after seen: Int64? = nil, wants: @escaping @Sendable (Change) -> Bool
    ) async throws -> Subscription {
        let (catalog, most) = (catalog, limits.mostAtOnce)
        let bounds = try await work.run { try catalog.changeBounds() }
        // Numbers grow for ever; one beyond the last is of another catalogue.
        let isForgotten = seen.map { $0 > bounds.last || $0 + 1 < bounds.first } ?? false
        let (signals, continuation) = AsyncStream.makeStream(
            of: Signal.self, bufferingPolicy: .bufferingOldest(limits.mostWaiting))
        var reached = isForgotten ? bounds.last : seen ?? bounds.last
        _ = continuation.hears(isForgotten ? .reset(reached) : .ready(reached))
        var read = 0
        while true {
            let from = reached
            let changes = try await work.run { try catalog.changes(after: from, limit: most) }
            reached = changes.last?.sequence ?? reached
            read += changes.count
            if read > limits.mostMissed {
                _ = continuation.hears(.reset(reached))
            } else {
                for change in changes where wants(change) { _ = continuation.hears(.change(change)) }
            }
            if let id = try enter(account: account, at: reached, continuation: continuation, wants: wants) {
                let leave: @Sendable () -> Void = { [weak self] in
                    self?.state.withLock { _ = $0.listeners.removeValue(forKey: id) }
                }
                continuation.onTermination = { _ in leave() }
                return Subscription(signals: signals) {
                    leave()
                    continuation.finish()
                }
            }
        }
    }

    /// - Returns: nil while the follower is ahead: there is more to read first.
    private func enter(
        account: String, at position: Int64, continuation: AsyncStream<Signal>.Continuation,
        wants: @escaping @Sendable (Change) -> Bool
    ) throws -> Int? {
        try state.withLock { state in
            let own = state.listeners.values.count { $0.account == account }
            guard !state.isStopped, state.listeners.count < limits.mostListeners, own < limits.mostPerAccount else {
                throw Full()
            }
            if state.listeners.isEmpty { state.position = nil }
            if let ahead = state.position, ahead > position { return nil }
            state.position = state.position ?? position
            state.nextID += 1
            state.listeners[state.nextID] = Listener(
                account: account, wants: wants, continuation: continuation, position: position)
            return state.nextID
        }
    }

    /// How many listen now.
    package var listeners: Int { state.withLock { $0.listeners.count } }
}

/// How much the feed gives.
package struct ChangeFeedLimits: Sendable {
    /// Between two looks at the catalogue.
    package var interval: Duration = .milliseconds(250)
    /// Looks between two heartbeats: 15 seconds.
    package var heartbeatEvery = 60
    /// Looks after which a stream ends and its listener signs in anew: five minutes.
    package var mostTicks = 1_200
    package var mostListeners = 256
    package var mostPerAccount = 32
    /// Signals that wait for one slow listener.
    package var mostWaiting = 1_024
    /// Changes read at once.
    package var mostAtOnce = 1_000
    /// Changes that one who comes back is told; beyond that it is told to look again.
    package var mostMissed = 10_000

    package init() {}
}

extension AsyncStream<ChangeFeed.Signal>.Continuation {
    /// Whether there was place for the signal.
    fileprivate func hears(_ signal: ChangeFeed.Signal) -> Bool {
        if case .enqueued = self.yield(signal) { return true }
        return false
    }
}
