// Cuts what is too old off the audit trail and the notices, once a day.

import Access
import Encounters
import Foundation
import Logging
import Metrics
import ServiceLifecycle

/// Runs beside the listeners for as long as the server does.
struct AuditRetention: Service {
    private static let steps = Counter(label: "phim_audit_cuts_total")

    let audit: AuditTrail
    let notices: NoticeOutbox
    let months: Int
    let logger: Logger
    var clock: any Clock<Duration> = ContinuousClock()

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await cut()
                await prune()
                try? await clock.sleep(for: .seconds(86_400))
            }
        }
    }

    /// Notices name patients: those that ended and were followed by another stay no longer than the trail that tells of them.
    private func prune() async {
        let months = months
        let seconds = Date().timeIntervalSince1970 - Double(months) * 30.44 * 86_400
        do {
            let count = try await ArchiveServer.offThePool { [notices] in
                try notices.prune(endedBefore: Int64(seconds * 1_000_000))
            }
            if count > 0 { logger.notice("old notices were removed", metadata: ["notices": "\(count)"]) }
        } catch {
            logger.error("old notices cannot be removed", metadata: ["why": "\(error)"])
        }
    }

    private func cut() async {
        do {
            let steps = try await ArchiveServer.offThePool { [audit, months] in
                try audit.cut(keepingMonths: months)
            }
            Self.steps.increment(by: steps)
            if steps > 0 { logger.notice("old rows of the audit trail were cut", metadata: ["months": "\(months)"]) }
        } catch {
            logger.error("old rows of the audit trail cannot be cut", metadata: ["why": "\(error)"])
        }
    }
}
