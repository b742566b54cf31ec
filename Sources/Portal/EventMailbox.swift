// What waits for one listener: bounded, taken all at once, and never in the way of the feed or of other listeners.

package import Catalog
import Metrics
package import Records
import Synchronization

/// One change as listeners hear of it: several of one kind in one series that came close together are one.
package struct LiveChange: Hashable, Sendable {
    package let sequence: Int64
    package let kind: Change.Kind
    package let studyInstanceUID: String
    package let seriesInstanceUID: String
    package let instances: Int
    /// Microseconds since 1970.
    package let at: Int64

    /// Joins changes of one kind in one series, in the order of the last of each.
    package static func joined(_ changes: [Change]) -> [LiveChange] {
        struct Key: Hashable {
            package let kind: Change.Kind
            let study: String
            let series: String
        }
        var joined: [Key: LiveChange] = [:]
        for change in changes {
            let key = Key(kind: change.kind, study: change.studyInstanceUID, series: change.seriesInstanceUID)
            joined[key] = LiveChange(
                sequence: change.sequence, kind: change.kind, studyInstanceUID: change.studyInstanceUID,
                seriesInstanceUID: change.seriesInstanceUID,
                instances: (joined[key]?.instances ?? 0) + change.instances, at: change.at)
        }
        return joined.values.sorted { $0.sequence < $1.sequence }
    }
}

/// The mailbox of one listener.
package final class EventMailbox: Sendable {
    /// Why nothing more will come.
    package enum End: String, Sendable {
        /// The listener went away.
        case left
        case shutdown
        /// It has not taken anything for a minute.
        case stuck
    }

    /// Everything that has come since the last time.
    package struct Delivery: Sendable, Equatable {
        package var changes: [LiveChange] = []
        package var shipments: [ShipmentEventRecord] = []
        /// Some changes were dropped: the listener must read its studies again. The number is that of the last one.
        package var reset: Int64?
        /// Time to show that the connection lives, and to look whether the listener may still listen.
        package var isBeat = false
        package var end: End?

        var isEmpty: Bool { changes.isEmpty && shipments.isEmpty && reset == nil && !isBeat && end == nil }
    }

    private struct State {
        var delivery = Delivery()
        var beatsWaiting = 0
        var waiter: CheckedContinuation<Void, Never>?
    }

    private static let resets = Counter(label: "phim_event_resets_total")

    private let capacity: Int
    private let state = Mutex(State())

    /// - Parameter capacity: changes kept at most; one more, and the listener is told to read again.
    package init(capacity: Int) { self.capacity = capacity }

    package func put(_ changes: [LiveChange]) {
        guard let last = changes.last else { return }
        update { state in
            guard state.delivery.reset == nil, state.delivery.changes.count + changes.count <= capacity else {
                if state.delivery.reset == nil { Self.resets.increment() }
                state.delivery.changes = []
                state.delivery.reset = last.sequence
                return
            }
            state.delivery.changes += changes
        }
    }

    /// Studies that were sent on; the newest, when there is no room for all.
    package func put(shipments: [ShipmentEventRecord]) {
        update { state in state.delivery.shipments = (state.delivery.shipments + shipments).suffix(capacity) }
    }

    /// - Returns: how many beats wait to be taken, this one included.
    @discardableResult
    package func beat() -> Int {
        update { state in
            state.delivery.isBeat = true
            state.beatsWaiting += 1
            return state.beatsWaiting
        }
    }

    /// The first reason counts.
    package func end(_ reason: End) { update { if $0.delivery.end == nil { $0.delivery.end = reason } } }

    /// Waits until there is something, and takes all of it. For one task at a time.
    package func next() async -> Delivery {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isThere = state.withLock { state in
                    if state.delivery.isEmpty { state.waiter = continuation }
                    return !state.delivery.isEmpty
                }
                if isThere { continuation.resume() }
            }
        } onCancel: {
            end(.left)
        }
        return state.withLock { state in
            let delivery = state.delivery
            state.delivery = Delivery(end: delivery.end)
            state.beatsWaiting = 0
            return delivery
        }
    }

    @discardableResult
    private func update<Value: Sendable>(_ body: (inout State) -> Value) -> Value {
        let (value, waiter) = state.withLock { state in
            let value = body(&state)
            defer { state.waiter = nil }
            return (value, state.waiter)
        }
        waiter?.resume()
        return value
    }
}
