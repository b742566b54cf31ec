// What a server said that it does not take (415, 406): left out of what is offered to it, until it is asked again.

package import Forwarding
import Synchronization

/// Remembered for an hour, since servers are set up anew while we run.
package final class UnwantedForms: Sendable {
    private static let memory = Duration.seconds(3_600)

    private let saidAt = Mutex<[ObjectForm: ContinuousClock.Instant]>([:])

    package init() {}

    /// - Returns: false when it was known already.
    package func insert(_ form: ObjectForm, at now: ContinuousClock.Instant = .now) -> Bool {
        saidAt.withLock { known in
            known = known.filter { now - $0.value < Self.memory }
            return known.updateValue(now, forKey: form) == nil
        }
    }

    package func forms(at now: ContinuousClock.Instant = .now) -> Set<ObjectForm> {
        saidAt.withLock { known in Set(known.filter { now - $0.value < Self.memory }.keys) }
    }
}
