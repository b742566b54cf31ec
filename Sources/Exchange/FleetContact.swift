// Tells each centre how this station is: every minute, and soon after its backlog has changed.

import Encounters
import Forwarding
import Foundation
package import Logging
import NIOHTTP1
package import Records
import ServiceLifecycle
package import Web

/// Reports to every destination that is an archive of this kind.
package struct FleetContact: Service {
    /// How this station is now; what is at hand is asked each time. Blocks.
    private let report: @Sendable () throws -> StationReport
    /// Destinations as they are now. Blocks.
    private let destinations: @Sendable () throws -> [DestinationRecord]
    private let folder: String
    private let work: BlockingWork
    private let logger: Logger
    private let clock: any Clock<Duration>

    /// Between two looks at the backlog; of these a report is due without a change.
    private static let beat = Duration.seconds(5)
    private static let beats = 12
    /// Seconds by which clocks may differ.
    private static let skew = 60.0

    package init(
        folder: String, work: BlockingWork, logger: Logger, clock: any Clock<Duration> = ContinuousClock(),
        report: @escaping @Sendable () throws -> StationReport,
        destinations: @escaping @Sendable () throws -> [DestinationRecord]
    ) {
        self.folder = folder
        self.work = work
        self.logger = logger
        self.clock = clock
        self.report = report
        self.destinations = destinations
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            var contacts: [String: Contact] = [:]
            while !Task.isCancelled {
                await beat(&contacts)
                do { try await clock.sleep(for: Self.beat) } catch { break }
            }
            for contact in contacts.values { await contact.line.close() }
        }
    }

    /// What is known of the line to one centre.
    private struct Contact {
        let settings: DestinationSettings
        let line: ExchangeLine
        /// Studies that waited, by priority, when it was last told.
        var told: [String: Int] = [:]
        var beats = 0
        var isSkewed = false
    }

    private func beat(_ contacts: inout [String: Contact]) async {
        let (report, destinations) = (report, destinations)
        guard let (now, all) = try? await work.run({ (try report(), try destinations()) }) else { return }
        let centres = all.filter { $0.settings.way == .phim && !$0.isPaused }
        for (name, contact) in contacts
        where !centres.contains(where: { $0.name == name && $0.settings == contact.settings }) {
            await contact.line.close()
            contacts[name] = nil
        }
        for centre in centres {
            var contact =
                contacts[centre.name]
                ?? Contact(
                    settings: centre.settings,
                    line: ExchangeLine(centre.settings, folder: folder, pace: LinePace(), work: work), beats: Self.beats
                )
            contact.beats += 1
            let waiting = Dictionary(
                now.backlog.map { ($0.priority, $0.studies) }, uniquingKeysWith: { first, _ in first })
            if contact.beats >= Self.beats || contact.told != waiting {
                contact.beats = 0
                contact.told = waiting
                await tell(now, centre.name, &contact)
            }
            contacts[centre.name] = contact
        }
    }

    private func tell(_ report: StationReport, _ name: String, _ contact: inout Contact) async {
        guard let (headers, body) = try? ExchangeCarrier.json(report),
            let answer = try? await contact.line.ask(.POST, "/contact", headers: headers, body: body),
            answer.status == 200, let said = answer.value(ContactAnswer.self)
        else { return }
        let ahead = Double(report.time.subtractingReportingOverflow(said.time).partialValue) / 1e6
        let isSkewed = abs(ahead) > Self.skew
        if isSkewed, !contact.isSkewed {
            logger.warning(
                "the clock differs from the centre's by more than a minute",
                metadata: ["destination": "\(name)", "seconds": "\(Int(max(-1e9, min(ahead, 1e9))))"])
        }
        contact.isSkewed = isSkewed
    }
}
