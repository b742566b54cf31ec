// Keeps one destination supplied: its lanes, its rates, its proofs.

import Dispatch
import Encounters
import Logging
import Metrics
package import Records

/// What the engine asks of the rest of the archive.
package struct ForwardingDoors: Sendable {
    /// Whether something may leave now: not while the audit trail cannot be written.
    package let isOpen: @Sendable () -> Bool
    /// The way to a destination; throws what is wrong with its settings. Blocks.
    package let carrier: @Sendable (DestinationRecord, LinePace) throws(ForwardingFailure) -> any Carrier
    /// What that way depends on beside the settings, as it is now; nil when that cannot be found out. Blocks.
    package let stamp: @Sendable (DestinationRecord) -> WayStamp?
    /// An object of a study has left.
    package let sent: @Sendable (Parcel) -> Void

    package init(
        isOpen: @escaping @Sendable () -> Bool,
        carrier: @escaping @Sendable (DestinationRecord, LinePace) throws(ForwardingFailure) -> any Carrier,
        stamp: @escaping @Sendable (DestinationRecord) -> WayStamp?,
        sent: @escaping @Sendable (Parcel) -> Void
    ) {
        self.isOpen = isOpen
        self.carrier = carrier
        self.stamp = stamp
        self.sent = sent
    }
}

/// One destination with settings that stay; ends when it is cancelled.
struct DestinationRunner: Sendable {
    private static let beat = Duration.milliseconds(200)
    private static let pause = Duration.seconds(5)
    /// How long a width of the line is tried.
    private static let span = Duration.seconds(5)

    let destination: DestinationRecord
    let outbox: Outbox
    let carrier: any Carrier
    let pace: LinePace
    let timetable: Timetable
    let doors: ForwardingDoors
    let blocking: BlockingCalls
    let logger: Logger
    let clock: any Clock<Duration>
    let lanes: LaneState

    /// Blocks.
    init(
        _ destination: DestinationRecord, outbox: Outbox, doors: ForwardingDoors, blocking: BlockingCalls,
        logger: Logger, clock: any Clock<Duration>
    ) throws(ForwardingFailure) {
        self.destination = destination
        self.outbox = outbox
        self.doors = doors
        self.blocking = blocking
        self.logger = logger
        self.clock = clock
        pace = LinePace()
        timetable = try Timetable(destination.settings.timetable)
        carrier = try doors.carrier(destination, pace)
        lanes = LaneState(LaneGauge(most: destination.settings.lanes))
    }

    func run() async {
        let queue = ParcelQueue(destination: destination, outbox: outbox, carrier: carrier, blocking: blocking)
        setRate()
        await withDiscardingTaskGroup { group in
            for number in 0..<destination.settings.lanes { group.addTask { await carry(queue, number) } }
            group.addTask { await prove() }
            group.addTask { await measure() }
        }
        await carrier.close()
    }

    private var allowance: Timetable.Allowance {
        OutboxForecast.allowance(timetable, at: outbox.encounters.records.now())
    }

    private func setRate() {
        if case .rate(let rate) = allowance { pace.set(rate: rate) } else { pace.set(rate: nil) }
    }

    // MARK: Objects

    private func carry(_ queue: ParcelQueue, _ number: Int) async {
        let lane = carrier.lane()
        let counts = ForwardingCounts(destination.name)
        var isResting = true
        var isFailing = false
        // Of the object before, written down while the next one is on its way.
        var noting: Task<Void, any Error>?
        while !Task.isCancelled {
            do {
                let allowance = allowance
                let mayRun = number < lanes.width && allowance != .closed && doors.isOpen()
                let parcel = mayRun ? try await queue.next(onlyStat: allowance == .stat) : nil
                guard let parcel else {
                    try await noting?.value
                    noting = nil
                    if mayRun { lanes.idle() }
                    if !isResting { await lane.rest() }
                    isResting = true
                    try await clock.sleep(for: Self.beat)
                    continue
                }
                (isResting, isFailing) = (false, false)
                let began = DispatchTime.now().uptimeNanoseconds
                let result = await lane.send(parcel)
                if Task.isCancelled, result.outcome.isOfLine {
                    await queue.giveBack(parcel)
                    break
                }
                let closesLine = !lanes.othersTook(since: began, but: number)
                let last = noting
                noting = Task {
                    _ = try? await last?.value
                    try await queue.note(result, of: parcel, closesLine: closesLine)
                }
                counts.count(result)
                switch result.outcome {
                case .taken:
                    lanes.taken(by: number)
                    doors.sent(parcel)
                case .refused:
                    logger.warning("an object is not taken (phim outbox explain)", metadata: metadata(parcel))
                case .unreached, .failed, .gone:
                    try await noting?.value
                    noting = nil
                    await lane.rest()
                    await queue.forget()
                    lanes.lost()
                    if lanes.say() {
                        logger.warning("nothing gets through; it is tried again", metadata: metadata(parcel))
                    }
                    try await clock.sleep(for: Self.beat)
                }
                // At most one object is not written down yet.
                try await last?.value
            } catch {
                if Task.isCancelled { break }
                // What could not be written down is sent again.
                _ = try? await noting?.value
                noting = nil
                // What cannot be read or written now may be later; nothing is lost. It is said once.
                if !isFailing { logger.error("cannot send on now", metadata: ["why": "\(Self.why(error))"]) }
                isFailing = true
                try? await clock.sleep(for: Self.pause)
            }
        }
        try? await noting?.value
        await lane.rest()
    }

    private func metadata(_ parcel: Parcel) -> Logger.Metadata {
        ["destination": "\(destination.name)", "shipment": "\(parcel.shipment.id)"]
    }

    private static func why(_ error: any Error) -> String {
        (error as? ForwardingFailure)?.sentence ?? "\(type(of: error))"
    }

    /// Sets the hour's rate, and tries how many lanes carry most.
    private func measure() async {
        var before = pace.octets
        while !Task.isCancelled {
            guard (try? await clock.sleep(for: Self.span)) != nil else { return }
            setRate()
            let now = pace.octets
            if now > before { lanes.measured(octetsPerSecond: Double(now - before) / 5) }
            before = now
        }
    }

    // MARK: Proofs

    private func prove() async {
        while !Task.isCancelled {
            do {
                try await clock.sleep(for: .seconds(1))
                guard doors.isOpen(), allowance != .closed else { continue }
                let (outbox, name) = (outbox, destination.name)
                let kind: ReceiptRecord.Kind = destination.settings.way == .phim ? .signature : .commitment
                guard destination.settings.givesProof else { continue }
                let destination = destination
                for shipment in try await blocking.run({ try outbox.unproven(name, limit: 4) }) {
                    guard let request = try await blocking.run({ try outbox.ask(kind, shipment, of: destination) })
                    else { continue }
                    let outcome = await carrier.prove(request)
                    // What ended because this ends says nothing of the destination.
                    if Task.isCancelled { return }
                    try await blocking.run {
                        try outbox.note(outcome, of: request, chance: Double.random(in: 0...1))
                    }
                }
            } catch {
                if Task.isCancelled { return }
                try? await clock.sleep(for: Self.pause)
            }
        }
    }
}

/// What became of objects for one destination.
private struct ForwardingCounts: Sendable {
    private let taken: Counter
    private let refused: Counter
    private let failed: Counter
    private let octets: Counter

    init(_ destination: String) {
        let dimensions = [("destination", destination)]
        taken = Counter(label: "phim_forwarded_objects_total", dimensions: dimensions)
        refused = Counter(label: "phim_forwarding_refused_total", dimensions: dimensions)
        failed = Counter(label: "phim_forwarding_failed_total", dimensions: dimensions)
        octets = Counter(label: "phim_forwarded_line_bytes_total", dimensions: dimensions)
    }

    func count(_ result: ParcelOutcome) {
        octets.increment(by: result.lineOctets)
        switch result.outcome {
        case .taken: taken.increment()
        case .refused: refused.increment()
        case .unreached, .failed, .gone: failed.increment()
        }
    }
}

extension DeliveryOutcome {
    /// Whether it speaks of the line, not of the object.
    fileprivate var isOfLine: Bool {
        switch self {
        case .taken, .refused: false
        case .unreached, .failed, .gone: true
        }
    }
}
