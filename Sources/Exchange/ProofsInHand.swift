// Proofs that are being made: what was read again for them is remembered from one request to the next.

import Synchronization

/// One proof for each account at a time, so that none of them keeps the disks from the others.
final class ProofsInHand: Sendable {
    enum Verdict: Sendable {
        case same
        /// The same data set under another file header.
        case equivalent
        case missing
    }

    private struct Proof {
        let name: String
        var isRunning: Bool
        var verdicts: [String: Verdict]
        let beganAt: ContinuousClock.Instant
    }

    private let proofs = Mutex<[String: Proof]>([:])
    /// What was read longer ago is read again.
    private static let trust = Duration.seconds(1_800)

    /// What is known already, by SOP Instance UID; nil where another proof of the account is being made at this moment.
    func begin(_ name: String, of account: String) -> [String: Verdict]? {
        proofs.withLock { proofs in
            let now = ContinuousClock.now
            if let known = proofs[account] {
                if known.isRunning { return nil }
                if known.name == name, now - known.beganAt < Self.trust {
                    proofs[account]?.isRunning = true
                    return known.verdicts
                }
            }
            proofs[account] = Proof(name: name, isRunning: true, verdicts: [:], beganAt: now)
            return [:]
        }
    }

    /// - Parameter verdicts: what was found so far; nil where the proof is given.
    func end(_ name: String, of account: String, with verdicts: [String: Verdict]?) {
        proofs.withLock { proofs in
            guard proofs[account]?.name == name else { return }
            if let verdicts {
                proofs[account]?.verdicts = verdicts
                proofs[account]?.isRunning = false
            } else {
                proofs[account] = nil
            }
        }
    }
}
