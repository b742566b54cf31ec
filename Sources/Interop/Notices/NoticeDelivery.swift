// Carries the outbox to its destinations: each has a task of its own, so that none waits for another.

package import Encounters
import Foundation
import HL7
package import Logging
import Metrics
package import Records
import ServiceLifecycle
package import Web

/// What the delivery asks of the rest of the archive.
package struct NoticeDeliveryDoors: Sendable {
    /// Whether something may be told now: not while the audit trail cannot be written.
    package let isOpen: @Sendable () -> Bool
    /// The pictures of a study, at most so many. Blocks.
    package let pictures: @Sendable (_ study: String, _ most: Int) -> KeyImageSet
    /// A destination has a notice.
    package let told: @Sendable (NoticeRecord) -> Void

    package init(
        isOpen: @escaping @Sendable () -> Bool, pictures: @escaping @Sendable (String, Int) -> KeyImageSet,
        told: @escaping @Sendable (NoticeRecord) -> Void
    ) {
        self.isOpen = isOpen
        self.pictures = pictures
        self.told = told
    }
}

/// Sends what waits, one notice of a destination at a time, in the order of each study.
package struct NoticeDelivery: Service {
    private static let beat = Duration.milliseconds(500)
    /// While the records cannot be read or written.
    private static let pause = Duration.seconds(5)

    private let outbox: NoticeOutbox
    private let routes: [NoticeRoute]
    private let sender: NoticeSender
    private let doors: NoticeDeliveryDoors
    private let work: BlockingWork
    private let logger: Logger
    private let clock: any Clock<Duration>

    package init(
        outbox: NoticeOutbox, routes: [NoticeRoute], sender: NoticeSender, doors: NoticeDeliveryDoors,
        work: BlockingWork, logger: Logger, clock: any Clock<Duration> = ContinuousClock()
    ) {
        self.outbox = outbox
        self.routes = routes
        self.sender = sender
        self.doors = doors
        self.work = work
        self.logger = logger
        self.clock = clock
    }

    /// Runs until the server stops.
    package func run() async throws {
        let outbox = outbox
        do { try await work.run { try outbox.begin() } } catch {
            logger.error("notices cannot be read now", metadata: ["why": "\(Self.why(error))"])
        }
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                for route in routes { group.addTask { await deliver(route) } }
            }
        }
    }

    private func deliver(_ route: NoticeRoute) async {
        let carrier = NoticeCarrier(route, sender)
        let counts = NoticeCounts(route.name)
        var (isFailing, isAway) = (false, false)
        while !Task.isCancelled {
            do {
                let (outbox, doors) = (outbox, doors)
                let next = try await work.run { doors.isOpen() ? try outbox.next(for: route.name) : nil }
                isFailing = false
                guard let notice = next else {
                    try await clock.sleep(for: Self.beat)
                    continue
                }
                let outcome = try await attempt(notice, route, carrier)
                let step = try await work.run {
                    try outbox.note(outcome, of: notice, chance: Double.random(in: 0...1))
                }
                counts.count(step)
                if step == .end { doors.told(notice) }
                say(step, notice, &isAway)
            } catch {
                if Task.isCancelled { break }
                // What cannot be read or written now may be later; nothing is lost. It is said once.
                if !isFailing { logger.error("notices cannot be sent now", metadata: ["why": "\(Self.why(error))"]) }
                isFailing = true
                try? await clock.sleep(for: Self.pause)
            }
        }
        await carrier.close()
    }

    private func attempt(
        _ notice: NoticeRecord, _ route: NoticeRoute, _ carrier: NoticeCarrier
    ) async throws -> DeliveryOutcome {
        guard NoticeKind(rawValue: notice.kind) == .studyAvailable, let told = try? notice.studyNotice() else {
            return .refused("this version of the archive cannot read the notice")
        }
        var pictures = KeyImageSet()
        if route.keyImages > 0, told.status != .withdrawn {
            let doors = doors
            pictures = try await work.run { doors.pictures(told.study.uid, route.keyImages) }
        }
        return await carrier.send(notice, told, pictures)
    }

    /// What receivers write may hold patient data: it is kept with the notice, and not in the log.
    private func say(_ step: DeliveryStep, _ notice: NoticeRecord, _ isAway: inout Bool) {
        let metadata: Logger.Metadata = ["destination": "\(notice.destination)", "notice": "\(notice.id)"]
        switch step {
        case .end:
            if isAway { logger.notice("notices get through again", metadata: metadata) }
            isAway = false
        case .postponeNotice:
            logger.warning("a notice is refused; it is tried again (phim notice show)", metadata: metadata)
            isAway = false
        case .postponeLine:
            if !isAway { logger.warning("notices do not get through; they are tried again", metadata: metadata) }
            isAway = true
        case .stop:
            logger.error("a destination wants no notices any more (phim notice retry)", metadata: metadata)
        }
    }

    private static func why(_ error: any Error) -> String {
        (error as? EncounterFailure)?.sentence ?? "\(type(of: error))"
    }
}

/// One destination's line and forms.
private struct NoticeCarrier: Sendable {
    private let route: NoticeRoute
    private let sender: NoticeSender
    private let webhook: Webhook?

    init(_ route: NoticeRoute, _ sender: NoticeSender) {
        self.route = route
        self.sender = sender
        guard case .webhook(let url, let secret, let tls) = route.line else {
            webhook = nil
            return
        }
        webhook = Webhook(url: url, secret: secret, tls: tls)
    }

    func close() async { await webhook?.close() }

    func send(_ record: NoticeRecord, _ notice: StudyNotice, _ pictures: KeyImageSet) async -> DeliveryOutcome {
        switch route.line {
        case .webhook:
            guard let webhook,
                let body = try? NoticeDocument(sender: sender, patient: route.patient).bytes(record, notice, pictures)
            else { return .refused("the notice cannot be written as JSON") }
            return await webhook.post(body, id: record.messageID, at: Int64(Date().timeIntervalSince1970))
        case .mllp(let host, let port, let tls, let form):
            var client = MLLPClient(host: host, port: port, tls: tls)
            client.connectTimeout = .seconds(4)
            let message = NoticeMessage(sender: sender, route: route, form: form).message(record, notice, pictures)
            do throws(MLLPFailure) {
                let answer = try await client.send(message)
                let words = answer.code + (answer.text.map { ": \($0)" } ?? "")
                return answer.isPositive ? .taken(words) : .refused(words)
            } catch {
                if case .unreachable = error { return .unreached("\(error)") }
                return .failed("\(error)")
            }
        }
    }
}

/// What became of the attempts for one destination.
private struct NoticeCounts: Sendable {
    private let sent: Counter
    private let refused: Counter
    private let failed: Counter

    init(_ destination: String) {
        let dimensions = [("destination", destination)]
        sent = Counter(label: "phim_notices_sent_total", dimensions: dimensions)
        refused = Counter(label: "phim_notices_refused_total", dimensions: dimensions)
        failed = Counter(label: "phim_notices_failed_total", dimensions: dimensions)
    }

    func count(_ step: DeliveryStep) {
        switch step {
        case .end: sent.increment()
        case .postponeNotice: refused.increment()
        case .postponeLine, .stop: failed.increment()
        }
    }
}
