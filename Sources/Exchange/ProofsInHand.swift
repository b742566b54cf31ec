// Proofs that are being made: what was read again for them is remembered from one request to the next.

import Synchronization

/// One proof for each account at a time, so that none of them keeps the disks from the others. What was read for a few more
/// of its proofs is remembered: they take turns.
package final class ProofsInHand: Sendable {
    package enum Verdict: Sendable {
        case same
        /// The same data set under another file header.
        case equivalent
        case missing
    }

    private struct Proof {
        var isRunning = false
        var verdicts: [String: Verdict] = [:]
        let beganAt: ContinuousClock.Instant
        /// When something was last read for it.
        var readAt: ContinuousClock.Instant

        func isTrusted(at now: ContinuousClock.Instant) -> Bool { now - readAt < trust && now - beganAt < longest }
    }

    /// By account, then by name.
    private let proofs = Mutex<[String: [String: Proof]]>([:])
    /// What is not gone on with for so long is read again, and in any case what takes longer than a day.
    private static let trust = Duration.seconds(1_800)
    private static let longest = Duration.seconds(86_400)
    /// Proofs that are remembered for an account.
    private static let most = 4

    package init() {}

    /// What is known already, by SOP Instance UID; nil where another proof of the account is being made at this moment.
    package func begin(
        _ name: String, of account: String, at now: ContinuousClock.Instant = .now
    ) -> [String: Verdict]? {
        proofs.withLock { proofs in
            for other in proofs.keys {
                proofs[other] = proofs[other]?.filter { $0.value.isRunning || $0.value.isTrusted(at: now) }
            }
            var own = proofs[account] ?? [:]
            if own.values.contains(where: \.isRunning) { return nil }
            if own[name] == nil, own.count >= Self.most, let oldest = own.min(by: { $0.value.readAt < $1.value.readAt })
            {
                own[oldest.key] = nil
            }
            own[name, default: Proof(beganAt: now, readAt: now)].isRunning = true
            proofs[account] = own
            return own[name]?.verdicts
        }
    }

    /// - Parameter verdicts: what was found so far; nil where the proof is given.
    package func end(
        _ name: String, of account: String, with verdicts: [String: Verdict]?, at now: ContinuousClock.Instant = .now
    ) {
        proofs.withLock { proofs in
            guard var proof = proofs[account]?[name], let verdicts else {
                proofs[account]?[name] = nil
                if proofs[account]?.isEmpty == true { proofs[account] = nil }
                return
            }
            if verdicts.count > proof.verdicts.count { proof.readAt = now }
            (proof.verdicts, proof.isRunning) = (verdicts, false)
            proofs[account]?[name] = proof
        }
    }
}
