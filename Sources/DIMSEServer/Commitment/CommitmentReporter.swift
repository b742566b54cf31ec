// Reports of storage commitment on associations of our own, again and again until each is acknowledged.

import Catalog
import DICOMCore
import DICOMNetwork
import Foundation
package import Logging
import Records
import Synchronization

/// Sends what is due, on a thread of its own.
package final class CommitmentReporter: Sendable {
    private static let beat = DispatchTimeInterval.seconds(1)
    private static let batch = 100
    /// The time to the next attempt doubles from here up to there.
    static let delays: ClosedRange<Int64> = 2_000_000...900_000_000
    /// What was acknowledged is kept for as long.
    private static let kept: Int64 = 30 * 86_400_000_000

    private let desk: CommitmentDesk
    private let callers: Callers
    private let dialing: PeerDialing
    private let logger: Logger
    private let stopping = DispatchSemaphore(value: 0)

    package init(services: DIMSEServices, policy: AdmissionPolicy, logger: Logger) {
        desk = CommitmentDesk(services, aeTitle: policy.aeTitle)
        dialing = services.dialing
        callers = Callers(policy: policy, records: services.records)
        self.logger = logger
    }

    /// Begins with everything that nobody acknowledged before the last end.
    package func start() {
        let thread = Thread { [self] in
            try? desk.records.hastenCommitments()
            while stopping.wait(timeout: .now() + Self.beat) == .timedOut { reportDue() }
        }
        thread.name = "phim-commitment"
        thread.start()
    }

    /// Ends the thread, after the report that it is at.
    package func stop() { stopping.signal() }

    /// Sends every report that is due, all of one peer over one association.
    func reportDue() {
        guard let due = try? desk.records.dueCommitments(limit: Self.batch), !due.isEmpty else { return }
        for (asker, records) in Dictionary(grouping: due, by: Asker.init) { report(records, to: asker) }
        try? desk.records.pruneCommitments(before: desk.records.now() - Self.kept)
    }

    /// Who is told: a peer of this title.
    private struct Asker: Hashable {
        let aeTitle: String
        let peer: String

        init(_ record: CommitmentRecord) { (aeTitle, peer) = (record.aeTitle, record.peer) }
    }

    private func report(_ due: [CommitmentRecord], to asker: Asker) {
        let (association, context): (Association, NegotiatedContext)
        do throws(NetworkError) { (association, context) = try called(asker) } catch {
            // Nobody is there: all that is due waits, also what this round had no room for.
            noteFirst(due, error.words)
            try? desk.records.setUnreported(
                commitmentsOf: asker.aeTitle, peer: asker.peer, failure: error.words, delays: Self.delays)
            return
        }
        defer { association.abort() }
        do throws(NetworkError) {
            for record in due { try report(record, on: association, context) }
            try association.release()
        } catch {
            for record in due { postpone(record, error.words) }
        }
    }

    /// We are the SCP on an association that we request (PS3.4 Section J.2).
    private func called(_ asker: Asker) throws(NetworkError) -> (Association, NegotiatedContext) {
        guard let peer = callers.asker(aeTitle: asker.aeTitle, name: asker.peer) else {
            throw .unreachable("no peer with this AE title has an address")
        }
        let context = ProposedContext(
            id: 1, abstractSyntax: StorageCommitment.sopClassUID,
            transferSyntaxes: ServiceTable.messageTransferSyntaxes.map(\.uid), scuRole: false, scpRole: true)
        let association = try dialing.call(peer, contexts: [context])
        guard let accepted = association.contexts[context.id] else {
            association.abort()
            throw .refused("the peer takes no reports of storage commitment")
        }
        return (association, accepted)
    }

    private func report(
        _ record: CommitmentRecord, on association: Association, _ context: NegotiatedContext
    ) throws(NetworkError) {
        guard let report = record.report ?? (try? desk.verify(record, hold: 0)) else {
            return postpone(record, "instances cannot be verified now")
        }
        let status = try desk.send(report, on: association, context)
        guard status.isSuccess || status.isWarning else { return postpone(record, "the peer answered \(status)") }
        try? desk.records.setAcknowledged(commitment: record.id)
    }

    private func postpone(_ record: CommitmentRecord, _ why: String) {
        // Those that were acknowledged before the association broke are not told again.
        guard (try? desk.records.isOpen(commitment: record.id)) ?? true else { return }
        noteFirst([record], why)
        let delay = Self.delay(afterAttempts: record.attempts)
        let jitter = Int64.random(in: 0...delay / 5)
        try? desk.records.setUnreported(
            commitment: record.id, failure: why, nextAt: desk.records.now() + delay + jitter)
    }

    private func noteFirst(_ records: [CommitmentRecord], _ why: String) {
        guard let record = records.first(where: { $0.attempts == 0 }) else { return }
        logger.notice(
            "a report of storage commitment is not acknowledged; it is sent again",
            metadata: ["to": "\(record.aeTitle)", "why": "\(why)"])
    }

    /// Microseconds.
    static func delay(afterAttempts attempts: Int) -> Int64 {
        min(delays.upperBound, delays.lowerBound << Int64(min(attempts, 20)))
    }
}

extension CommitmentDesk {
    init(_ services: DIMSEServices, aeTitle: String) {
        self.init(
            catalog: services.catalog, retrieval: services.retrieval, records: services.records, aeTitle: aeTitle)
    }
}
