// Gives up what another archive has proven to hold, when the disk fills: looked at once an hour.

import Access
package import Forwarding
import Logging
import Metrics
import ServiceLifecycle

/// Runs beside the listeners for as long as the server does.
struct PurgeDuty: Service {
    private static let studies = Counter(label: "phim_purged_studies_total")
    private static let bytes = Counter(label: "phim_purged_bytes_total")
    static let account = "purge"

    let archive: OpenArchive
    let logger: Logger
    var clock: any Clock<Duration> = ContinuousClock()

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await look()
                try? await clock.sleep(for: .seconds(3_600))
            }
        }
    }

    private func look() async {
        do {
            let done = try await ArchiveServer.offThePool { [self] in try work() }
            guard let done, done.studies > 0 else { return }
            Self.studies.increment(by: done.studies)
            Self.bytes.increment(by: Int(clamping: done.bytes))
            logger.notice(
                "images that another archive holds were given up here",
                metadata: ["studies": "\(done.studies)", "bytes": "\(done.bytes)"])
        } catch {
            let why = (error as? ForwardingFailure)?.sentence ?? "\(type(of: error))"
            logger.error("images cannot be given up now", metadata: ["why": "\(why)"])
        }
    }

    /// What a run that was cut short left, and then as much as the disk is too full. Blocks.
    private func work() throws -> PurgeOutcome? {
        try archive.purge.finish()
        let section = archive.configuration.forwarding.purge
        guard section.automatic, let days = section.afterDays else { return nil }
        let (used, total) = try archive.diskUse()
        let excess = used - total / 100 * Int64(section.whenFullerThan)
        guard excess > 0 else { return nil }
        return try archive.purge(PurgeWish(olderThan: days, toFree: excess), by: Self.account) { _, _ in }
    }
}

extension OpenArchive {
    /// Gives up what may go, study by study, and tells the audit trail of each.
    package func purge(
        _ wish: PurgeWish, by actor: String, progress: (_ done: Int, _ total: Int) -> Void
    ) throws -> PurgeOutcome {
        let purge = purge
        let plan = try purge.plan(wish)
        var outcome = PurgeOutcome()
        for (index, candidate) in plan.candidates.enumerated() {
            guard audit.isAccepting else {
                throw ForwardingFailure.unavailable(reason: "The audit trail cannot be written; nothing is deleted")
            }
            do throws(ForwardingFailure) {
                let gone = try purge.carryOut(candidate, wish, by: actor)
                audit.note(
                    AuditEvent(
                        .delete, account: actor, credential: nil, address: "",
                        studyInstanceUID: candidate.studyInstanceUID,
                        detail: "\(gone.instances) objects given up; at \(candidate.destination)"))
                outcome.studies += 1
                outcome.instances += gone.instances
                outcome.bytes += gone.bytes
            } catch {
                outcome.failures[candidate.studyInstanceUID] = error.sentence
            }
            progress(index + 1, plan.candidates.count)
        }
        return outcome
    }
}
