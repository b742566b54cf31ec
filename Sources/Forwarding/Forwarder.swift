// The engine: follows what is to be sent on, and runs one line for every destination that there is.

import Encounters
package import Logging
import Records
import ServiceLifecycle

/// Sends on what the outbox holds, until the server stops. Destinations and rules may change while it runs.
package struct Forwarder: Service {
    private static let beat = Duration.milliseconds(250)
    private static let refreshing = Duration.seconds(600)

    private let outbox: Outbox
    private let doors: ForwardingDoors
    private let blocking: BlockingCalls
    private let logger: Logger
    private let clock: any Clock<Duration>

    package init(
        outbox: Outbox, doors: ForwardingDoors, logger: Logger, clock: any Clock<Duration> = ContinuousClock()
    ) {
        self.outbox = outbox
        self.doors = doors
        self.logger = logger
        self.clock = clock
        blocking = BlockingCalls(threads: 4)
    }

    package func run() async throws {
        let outbox = outbox
        do { try await blocking.run { try outbox.begin() } } catch {
            logger.error("the outbox cannot be read now", metadata: ["why": "\(Self.why(error))"])
        }
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await follow() }
                group.addTask { await supply() }
            }
        }
    }

    /// Studies that came, or were put right, go through the rules.
    private func follow() async {
        var isFailing = false
        var refreshedAt = ContinuousClock.now
        var day = ""
        while !Task.isCancelled {
            let began = ContinuousClock.now
            var isMore = false
            do {
                let (outbox, book) = (outbox, outbox.book)
                isMore = try await blocking.run { try book.judge() } == RouteBook.pass
                if began - refreshedAt > Self.refreshing {
                    let before = day
                    day = try await blocking.run { try outbox.refresh(after: before) }
                    refreshedAt = began
                }
                isFailing = false
            } catch {
                // What cannot be read or written now may be later; nothing is skipped. It is said once.
                if !isFailing { logger.error("rules cannot be followed now", metadata: ["why": "\(Self.why(error))"]) }
                isFailing = true
            }
            // A large study that is still coming is looked at again and again: a fifth of one processor's time at most.
            let spent = ContinuousClock.now - began
            let rest = isMore ? spent : max(Self.beat, spent * 4)
            guard (try? await clock.sleep(for: rest)) != nil else { return }
        }
    }

    /// What a runner depends on: with other settings, or another way there, another one takes its place.
    private struct Supply {
        let settings: DestinationSettings
        /// Since when it is this archive.
        let changedAt: Int64
        let stamp: WayStamp?
        let task: Task<Void, Never>

        init(_ record: DestinationRecord, _ stamp: WayStamp?, _ task: Task<Void, Never>) {
            (settings, changedAt) = (record.settings, record.changedAt)
            (self.stamp, self.task) = (stamp, task)
        }

        /// Whether the runner, which writes down the key of receipts itself, knows these settings.
        func knows(_ record: DestinationRecord, _ now: WayStamp?) -> Bool {
            var other = record.settings
            guard record.changedAt == changedAt else { return false }
            if settings.receiptKey.isEmpty { other.receiptKey = "" }
            return other == settings && (now == nil || stamp == nil || now == stamp)
        }
    }

    private func supply() async {
        var running: [String: Supply] = [:]
        while !Task.isCancelled {
            let (outbox, doors) = (outbox, doors)
            let known = try? await blocking.run {
                try outbox.book.look { try $0.destinations() }.map { ($0, doors.stamp($0)) }
            }
            if let known {
                var former: Set<String> = []
                for (name, supply) in running {
                    if let (record, stamp) = known.first(where: { $0.0.name == name }), supply.knows(record, stamp) {
                        running[name] = Supply(record, stamp ?? supply.stamp, supply.task)
                        continue
                    }
                    supply.task.cancel()
                    await supply.task.value
                    running[name] = nil
                    former.insert(name)
                }
                for (destination, stamp) in known where running[destination.name] == nil {
                    let task = start(destination, hastens: former.contains(destination.name))
                    running[destination.name] = Supply(destination, stamp, task)
                }
            }
            if (try? await clock.sleep(for: .milliseconds(500))) == nil { break }
        }
        for supply in running.values { supply.task.cancel() }
        for supply in running.values { await supply.task.value }
    }

    /// - Parameter hastens: the way there is another one than before: it is tried at once.
    private func start(_ destination: DestinationRecord, hastens: Bool) -> Task<Void, Never> {
        let (outbox, doors, blocking, logger, clock) = (outbox, doors, blocking, logger, clock)
        return Task {
            let name = destination.name
            var hastens = hastens
            while !Task.isCancelled {
                do {
                    let runner = try await blocking.run {
                        try DestinationRunner(
                            destination, outbox: outbox, doors: doors, blocking: blocking, logger: logger, clock: clock)
                    }
                    if hastens { try? await blocking.run { try outbox.hasten(name) } }
                    return await runner.run()
                } catch {
                    let why = Self.why(error)
                    logger.error(
                        "a destination cannot be used", metadata: ["destination": "\(name)", "why": "\(why)"])
                    // Who asks why nothing is sent is told.
                    try? await blocking.run {
                        try outbox.close(name, after: .unreached(why), chance: Double.random(in: 0...1))
                    }
                    hastens = true
                    // A file that is missing now may be there later.
                    if (try? await clock.sleep(for: .seconds(30))) == nil { return }
                }
            }
        }
    }

    private static func why(_ error: any Error) -> String {
        (error as? ForwardingFailure)?.sentence ?? "\(type(of: error))"
    }
}
