// Where senders wait for the one writer: urgent before routine before bulk, and in turn within each.

package import Dispatch
import Synchronization

/// A bounded queue for plain threads that lets the more urgent pass and gives every source its turn.
///
/// Within a class the sources take turns, so that one sender's ten thousand objects hold up another's single one by one
/// object, not by ten thousand. A higher class goes first; yet what has waited for `patience` goes before all, one object
/// at a time, so that nothing waits for ever.
package final class WaitingLine<Element: Sendable>: Sendable {
    private struct Place {
        let element: Element
        let since: DispatchTime
    }

    private struct Class {
        /// Sources that wait, in the order of their turns, each with its objects in order.
        var sources: [(name: String, places: [Place])] = []
        var count = 0

        mutating func add(_ place: Place, of source: String) {
            count += 1
            if let index = sources.firstIndex(where: { $0.name == source }) {
                sources[index].places.append(place)
            } else {
                sources.append((source, [place]))
            }
        }

        /// Whose turn it is.
        var next: Int? { sources.isEmpty ? nil : 0 }

        /// Who has waited longest.
        var longest: Int? {
            sources.indices.min { sources[$0].places[0].since < sources[$1].places[0].since }
        }

        /// Takes the first object of a source, which then goes to the end of the turns.
        mutating func take(_ index: Int) -> Element {
            count -= 1
            var (name, places) = sources.remove(at: index)
            let place = places.removeFirst()
            if !places.isEmpty { sources.append((name, places)) }
            return place.element
        }
    }

    private struct State {
        var classes: [Class]
        var isClosed = false
    }

    private let state: Mutex<State>
    private let filled = DispatchSemaphore(value: 0)
    private let vacancies: [DispatchSemaphore]
    private let patience: DispatchTimeInterval
    private let now: @Sendable () -> DispatchTime

    /// - Parameters:
    ///   - capacity: objects of one class that may wait.
    ///   - patience: how long an object of a lower class lets others pass.
    package init(
        capacity: Int, patience: DispatchTimeInterval = .seconds(1),
        now: @escaping @Sendable () -> DispatchTime = { .now() }
    ) {
        state = Mutex(State(classes: IngestPriority.allCases.map { _ in Class() }))
        vacancies = IngestPriority.allCases.map { _ in DispatchSemaphore(vacancies: capacity) }
        self.patience = patience
        self.now = now
    }

    package func count(_ priority: IngestPriority) -> Int { state.withLock { $0.classes[priority.rank].count } }

    /// Waits for a place; false when none came free within `timeout` or the line is closed.
    package func put(
        _ element: Element, _ priority: IngestPriority, source: String, timeout: DispatchTimeInterval
    ) -> Bool {
        guard vacancies[priority.rank].wait(timeout: .now() + timeout) == .success else { return false }
        let place = Place(element: element, since: now())
        let isOpen = state.withLock { state in
            if !state.isClosed { state.classes[priority.rank].add(place, of: source) }
            return !state.isClosed
        }
        if isOpen { filled.signal() } else { vacancies[priority.rank].signal() }
        return isOpen
    }

    /// Takes what waits, in order of urgency, as long as `fits` says so; it is asked of the first as well, which fits
    /// whatever it says. Nil once closed and empty.
    package func take(while fits: (_ taken: Int, _ next: Element) -> Bool) -> [Element]? {
        while true {
            // One signal may stand for several elements taken at once: a wake-up that finds nothing waits again.
            filled.wait()
            var vacated: [Int] = []
            let (taken, isClosed) = state.withLock { state -> ([Element], Bool) in
                var taken: [Element] = []
                if let overdue = overdue(state), let index = state.classes[overdue].longest {
                    _ = fits(0, state.classes[overdue].sources[index].places[0].element)
                    taken.append(state.classes[overdue].take(index))
                    vacated.append(overdue)
                }
                while let rank = state.classes.lastIndex(where: { $0.count > 0 }),
                    let index = state.classes[rank].next
                {
                    let fit = fits(taken.count, state.classes[rank].sources[index].places[0].element)
                    guard fit || taken.isEmpty else { break }
                    taken.append(state.classes[rank].take(index))
                    vacated.append(rank)
                }
                if state.isClosed || state.classes.contains(where: { $0.count > 0 }) { filled.signal() }
                return (taken, state.isClosed)
            }
            for rank in vacated { vacancies[rank].signal() }
            if !taken.isEmpty { return taken }
            if isClosed { return nil }
        }
    }

    /// The class below the first in turn whose longest waiting object has run out of patience.
    private func overdue(_ state: State) -> Int? {
        guard let first = state.classes.lastIndex(where: { $0.count > 0 }), first > 0 else { return nil }
        let limit = now()
        return state.classes.indices.first { rank in
            let line = state.classes[rank]
            guard rank < first, let index = line.longest else { return false }
            return line.sources[index].places[0].since + patience <= limit
        }
    }

    /// Whether nothing is taken in any more.
    package var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Lets the taker finish what waits, then end; nothing more is taken in.
    package func close() {
        state.withLock { $0.isClosed = true }
        filled.signal()
    }
}
