// The one follower of the change feed: while somebody listens it looks for what is new, whoever committed it, and hands
// it to those who listen to that study.

package import Access
package import Catalog
package import Forwarding
package import Logging
import Metrics
import Records
import ServiceLifecycle
package import Web

/// Live changes of studies, for many listeners. It runs as a service; while nobody listens it does nothing.
package actor EventFeed: Service {
    /// How much is bounded.
    package struct Limits: Sendable {
        /// Listeners at once.
        package var listeners = 320
        /// Listeners of one account at once: nobody takes all places.
        package var perAccount = 240
        /// Changes that wait for one listener.
        package var waiting = 64
        /// Changes told to who comes back; further behind it must read its studies again.
        package var resumable = 512
        /// Numbers of the feed looked through for who comes back.
        var resumableSpan: Int64 = 20_000
        /// Beats that a listener may leave untaken: about a minute.
        package var untakenBeats = 4

        package init() {}
    }

    /// Why nobody can listen now.
    package enum Refusal: Error, Hashable { case full, unavailable }

    /// What a listener starts from.
    package struct Place: Sendable {
        package let number: Int
        package let mailbox: EventMailbox
        /// What it missed, when it said where it stood.
        package let missed: [LiveChange]
        /// It missed more than can be told: it must read its studies again.
        package let mustReset: Bool
        /// The newest change before all that will come.
        package let sequence: Int64
    }

    private struct Listener {
        let mailbox: EventMailbox
        let studies: StudyScope
        let account: String
        /// Changes up to here are not for it.
        let from: Int64
        /// Ends a connection whose peer takes nothing.
        let cut: @Sendable () -> Void
    }

    private static let listenerGauge = Gauge(label: "phim_event_listeners")
    private static let eventCounter = Counter(label: "phim_events_total")
    private static let resetCounter = Counter(label: "phim_event_resets_total")

    private let catalog: CatalogStore
    private let shipments: ShipmentFeed
    private let work: BlockingWork
    private let logger: Logger
    private let limits: Limits
    private let clock: any Clock<Duration>
    /// Twice a second at most.
    private let pause: Duration
    private let pausesPerBeat: Int

    private var listeners: [Int: Listener] = [:]
    private var lastNumber = 0
    private var pauses = 0
    /// Everything up to here has been told; nil while nobody listens.
    private var position: Int64?
    /// The same of shipments; nil also until the first look.
    private var shipmentPosition: Int64?
    private var sleeper: CheckedContinuation<Void, Never>?
    private var hasEnded = false

    package init(catalog: CatalogStore, shipments: ShipmentFeed, work: BlockingWork, logger: Logger) {
        self.init(catalog: catalog, shipments: shipments, work: work, logger: logger, limits: Limits())
    }

    package init(
        catalog: CatalogStore, shipments: ShipmentFeed, work: BlockingWork, logger: Logger, limits: Limits,
        clock: any Clock<Duration> = ContinuousClock(), pause: Duration = .milliseconds(500), pausesPerBeat: Int = 30
    ) {
        self.catalog = catalog
        self.shipments = shipments
        self.work = work
        self.logger = logger
        self.limits = limits
        self.clock = clock
        self.pause = pause
        self.pausesPerBeat = pausesPerBeat
    }

    // MARK: Following

    /// Follows until the server stops or the task is cancelled; then every listener is told that it is over.
    package func run() async throws {
        await cancelWhenGracefulShutdown { await self.follow() }
    }

    private func follow() async {
        while !Task.isCancelled {
            if listeners.isEmpty {
                await waitForListener()
                continue
            }
            await look()
            await lookAtShipments()
            pauses += 1
            if pauses % pausesPerBeat == 0 { beat() }
            try? await clock.sleep(for: pause)
        }
        hasEnded = true
        for listener in listeners.values { listener.mailbox.end(.shutdown) }
    }

    private func waitForListener() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if Task.isCancelled || !listeners.isEmpty { continuation.resume() } else { sleeper = continuation }
            }
        } onCancel: {
            Task { await self.wake() }
        }
    }

    private func wake() {
        sleeper?.resume()
        sleeper = nil
    }

    /// Hands out what is new; page by page, for a migration commits thousands.
    package func look() async {
        do {
            while let after = position {
                let page = 1_000
                let changes = try await work.run { [catalog] in try catalog.changes(after: after, limit: page) }
                guard let last = changes.last else { return }
                position = max(position ?? 0, last.sequence)
                deliver(LiveChange.joined(changes))
                if changes.count < page { return }
            }
        } catch {
            logger.error("cannot read the change feed", metadata: ["failure": "\(error)"])
        }
    }

    /// Hands out what was sent on, and what of it was proven to have arrived. Who comes back is not told what it missed:
    /// the outbox says how things are.
    package func lookAtShipments() async {
        do {
            let after = shipmentPosition
            let news = try await work.run { [shipments] in try shipments.news(after: after) }
            // Nobody listened meanwhile: what comes from now on is told.
            guard !listeners.isEmpty else { return }
            shipmentPosition = news.last
            guard !news.events.isEmpty else { return }
            for listener in listeners.values {
                let concerning = news.events.filter { listener.studies.contains($0.studyInstanceUID) }
                guard !concerning.isEmpty else { continue }
                listener.mailbox.put(shipments: concerning)
                Self.eventCounter.increment(by: concerning.count)
            }
        } catch {
            logger.error("cannot read what was sent on", metadata: ["failure": "\(type(of: error))"])
        }
    }

    private func deliver(_ changes: [LiveChange]) {
        for listener in listeners.values {
            let concerning = changes.filter {
                $0.sequence > listener.from && listener.studies.contains($0.studyInstanceUID)
            }
            guard !concerning.isEmpty else { continue }
            listener.mailbox.put(concerning)
            Self.eventCounter.increment(by: concerning.count)
        }
    }

    package func beat() {
        for (number, listener) in listeners where listener.mailbox.beat() > limits.untakenBeats {
            listener.mailbox.end(.stuck)
            listener.cut()
            leave(number)
        }
    }

    // MARK: Listeners

    /// Begins to listen.
    /// - Parameters:
    ///   - studies: those that it hears of.
    ///   - sequence: where a listener that comes back stood.
    ///   - cut: closes the connection of a listener that takes nothing.
    package func join(
        studies: StudyScope, account: String, after sequence: Int64?, cut: @escaping @Sendable () -> Void
    ) async throws -> Place {
        let bounds = try await work.run { [catalog] in try catalog.changeBounds() }
        guard !hasEnded else { throw Refusal.unavailable }
        guard listeners.count < limits.listeners,
            listeners.values.count(where: { $0.account == account }) < limits.perAccount
        else { throw Refusal.full }
        let from = position ?? bounds.last
        position = from
        lastNumber += 1
        let mailbox = EventMailbox(capacity: limits.waiting)
        listeners[lastNumber] = Listener(mailbox: mailbox, studies: studies, account: account, from: from, cut: cut)
        Self.listenerGauge.record(listeners.count)
        wake()
        let number = lastNumber
        do {
            let missed = try await missed(by: studies, after: sequence, through: from, bounds)
            return Place(
                number: number, mailbox: mailbox, missed: missed ?? [], mustReset: missed == nil, sequence: from)
        } catch {
            leave(number)
            throw error
        }
    }

    /// What has happened to studies since a number, without listening on.
    package func past(of studies: StudyScope, after sequence: Int64?) async throws -> Place {
        let bounds = try await work.run { [catalog] in try catalog.changeBounds() }
        let missed = try await missed(by: studies, after: sequence, through: bounds.last, bounds)
        return Place(
            number: 0, mailbox: EventMailbox(capacity: 0), missed: missed ?? [], mustReset: missed == nil,
            sequence: bounds.last)
    }

    /// Nil when it is too much, or when the number is not of this feed.
    private func missed(
        by studies: StudyScope, after sequence: Int64?, through last: Int64, _ bounds: (first: Int64, last: Int64)
    ) async throws -> [LiveChange]? {
        guard let sequence else { return [] }
        guard sequence <= bounds.last, sequence + 1 >= bounds.first, last - sequence <= limits.resumableSpan else {
            Self.resetCounter.increment()
            return nil
        }
        let limit = limits.resumable
        let changes = try await work.run { [catalog] in
            switch studies {
            case .all: try catalog.changes(after: sequence, limit: limit + 1)
            case .only(let studies): try catalog.changes(of: studies, after: sequence, through: last, limit: limit + 1)
            }
        }
        if changes.count <= limit { return LiveChange.joined(changes.filter { $0.sequence <= last }) }
        Self.resetCounter.increment()
        return nil
    }

    /// Ends to listen; harmless when it has ended already.
    package func leave(_ number: Int) {
        guard listeners.removeValue(forKey: number) != nil else { return }
        if listeners.isEmpty { (position, shipmentPosition) = (nil, nil) }
        Self.listenerGauge.record(listeners.count)
    }

    package var count: Int { listeners.count }
}
