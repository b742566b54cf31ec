// Cuts what is too old off the audit trail, once a day.

import Access
import Logging
import Metrics
import ServiceLifecycle

/// Runs beside the listeners for as long as the server does.
struct AuditRetention: Service {
    private static let steps = Counter(label: "phim_audit_cuts_total")

    let audit: AuditTrail
    let months: Int
    let logger: Logger
    var clock: any Clock<Duration> = ContinuousClock()

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await cut()
                try? await clock.sleep(for: .seconds(86_400))
            }
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
