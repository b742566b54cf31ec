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
        while !Task.isCancelled {
            let began = ContinuousClock.now
            var isMore = false
            do {
                let (outbox, book) = (outbox, outbox.book)
                isMore = try await blocking.run { try book.judge() } == RouteBook.pass
                if began - refreshedAt > Self.refreshing {
                    try await blocking.run { try outbox.refresh() }
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

    /// What a runner depends on: with other settings another one takes its place.
    private struct Supply {
        let settings: DestinationSettings
        /// Since when it is this archive.
        let changedAt: Int64
        let task: Task<Void, Never>

        init(_ record: DestinationRecord, _ task: Task<Void, Never>) {
            (settings, changedAt) = (record.settings, record.changedAt)
            self.task = task
        }

        /// Whether the runner, which writes down the key of receipts itself, knows these settings.
        func knows(_ record: DestinationRecord) -> Bool {
            var other = record.settings
            guard record.changedAt == changedAt else { return false }
            if settings.receiptKey.isEmpty { other.receiptKey = "" }
            return other == settings
        }
    }

    private func supply() async {
        var running: [String: Supply] = [:]
        while !Task.isCancelled {
            let outbox = outbox
            if let known = try? await blocking.run({ try outbox.book.look { try $0.destinations() } }) {
                for (name, supply) in running {
                    if let record = known.first(where: { $0.name == name }), supply.knows(record) {
                        running[name] = Supply(record, supply.task)
                        continue
                    }
                    supply.task.cancel()
                    await supply.task.value
                    running[name] = nil
                }
                for destination in known where running[destination.name] == nil {
                    running[destination.name] = Supply(destination, start(destination))
                }
            }
            if (try? await clock.sleep(for: .milliseconds(500))) == nil { break }
        }
        for supply in running.values { supply.task.cancel() }
        for supply in running.values { await supply.task.value }
    }

    private func start(_ destination: DestinationRecord) -> Task<Void, Never> {
        let (outbox, doors, blocking, logger, clock) = (outbox, doors, blocking, logger, clock)
        return Task {
            while !Task.isCancelled {
                do throws(ForwardingFailure) {
                    let runner = try DestinationRunner(
                        destination, outbox: outbox, doors: doors, blocking: blocking, logger: logger, clock: clock)
                    return await runner.run()
                } catch {
                    logger.error(
                        "a destination cannot be used",
                        metadata: ["destination": "\(destination.name)", "why": "\(error.sentence)"])
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
