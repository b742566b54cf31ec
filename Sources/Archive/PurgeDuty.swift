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

    /// Between two looks; sooner where proofs were asked for anew, which takes minutes.
    private static let pause = Duration.seconds(3_600)
    private static let shortPause = Duration.seconds(300)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                let isMore = await look()
                try? await clock.sleep(for: isMore ? Self.shortPause : Self.pause)
            }
        }
    }

    /// - Returns: Whether more may go soon.
    private func look() async -> Bool {
        do {
            let done = try await ArchiveServer.offThePool { [self] in try work() }
            if done.studies > 0 {
                Self.studies.increment(by: done.studies)
                Self.bytes.increment(by: Int(clamping: done.bytes))
                logger.notice(
                    "images that another archive holds were given up here",
                    metadata: ["studies": "\(done.studies)", "bytes": "\(done.bytes)"])
            }
            // What keeps one study keeps no other.
            if let why = done.failures.values.min() {
                logger.error(
                    "some images cannot be given up now",
                    metadata: ["studies": "\(done.failures.count)", "why": "\(why)"])
            }
            return done.asked > 0
        } catch {
            let why = (error as? ForwardingFailure)?.sentence ?? "\(type(of: error))"
            logger.error("images cannot be given up now", metadata: ["why": "\(why)"])
            return false
        }
    }

    /// What a run that was cut short left, and then as much as the disk is too full. Blocks.
    private func work() throws -> PurgeOutcome {
        let finished = try archive.finishPurges(by: Self.account)
        let section = archive.configuration.forwarding.purge
        guard section.automatic, let days = section.afterDays else { return finished }
        let (used, total) = try archive.diskUse()
        let excess = used - total / 100 * Int64(section.whenFullerThan)
        guard excess > 0 else { return finished }
        let wish = PurgeWish(olderThan: days, toFree: excess)
        let plan = try archive.purge.plan(wish)
        if plan.bytes < excess, !plan.kept.isEmpty {
            // A technician who wonders why the disk is full finds it here.
            let kept = plan.kept.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            logger.notice(
                "the disk is too full, and images that another archive holds stay",
                metadata: ["studies": "\(kept.map { "\($0.value): \($0.key)" }.joined(separator: "; "))"])
        }
        return try archive.purge(plan, wish, by: Self.account, after: finished) { _, _ in }
    }
}

extension OpenArchive {
    /// Gives up what a run that was cut short left here; what cannot go now keeps nothing else.
    package func finishPurges(by actor: String) throws -> PurgeOutcome {
        try demandTrail()
        var outcome = PurgeOutcome()
        let (gone, failures) = try purge.finish()
        for study in gone { outcome.add(note(study, by: actor)) }
        outcome.failures = failures
        return outcome
    }

    /// Gives up what may go, study by study, and tells the audit trail of each; of what is proven too long ago the proof is
    /// asked for anew.
    /// - Parameter finished: what it is added to.
    package func purge(
        _ plan: PurgePlan, _ wish: PurgeWish, by actor: String, after finished: PurgeOutcome = PurgeOutcome(),
        progress: (_ done: Int, _ total: Int) -> Void
    ) throws -> PurgeOutcome {
        let purge = purge
        var outcome = finished
        try purge.askAnew(plan.stale, by: actor)
        outcome.asked = plan.stale.count + plan.awaited
        for (index, candidate) in plan.candidates.enumerated() {
            try demandTrail()
            do throws(ForwardingFailure) {
                outcome.add(note(try purge.carryOut(candidate, wish, by: actor), by: actor))
            } catch {
                outcome.failures[candidate.studyInstanceUID] = error.sentence
            }
            progress(index + 1, plan.candidates.count)
        }
        return outcome
    }

    private func demandTrail() throws {
        guard audit.isAccepting else {
            throw ForwardingFailure.unavailable(reason: "The audit trail cannot be written; nothing is deleted")
        }
    }

    private func note(_ gone: PurgedStudy, by actor: String) -> PurgedStudy {
        audit.note(
            AuditEvent(
                .delete, account: actor, credential: nil, address: "", studyInstanceUID: gone.studyInstanceUID,
                detail: "\(gone.instances) objects given up; at \(gone.destination)"))
        return gone
    }
}
