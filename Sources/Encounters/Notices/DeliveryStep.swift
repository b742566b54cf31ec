// What becomes of a notice after an attempt: one pure state machine.

/// How an attempt ended, with what the receiver said or why nothing was heard.
package enum DeliveryOutcome: Hashable, Sendable {
    /// The receiver has it.
    case taken(String)
    /// The receiver does not want this very notice; others may get through.
    case refused(String)
    /// There is no connection: it has certainly not arrived.
    case unreached(String)
    /// Nothing was heard of it. It may have arrived all the same: it is sent again under the same message ID.
    case failed(String)
    /// The receiver wants nothing any more.
    case gone(String)

    package var words: String {
        switch self {
        case .taken(let words), .refused(let words), .unreached(let words), .failed(let words), .gone(let words):
            words
        }
    }
}

/// What is done after an attempt.
package enum DeliveryStep: Hashable, Sendable {
    case end
    /// This notice, and those of its study behind it, wait so many microseconds.
    case postponeNotice(Int64)
    /// Everything for this destination waits so many microseconds.
    case postponeLine(Int64)
    /// Everything waits until a person says otherwise.
    case stop
}

/// What counts for the next step.
package struct DeliveryState: Hashable, Sendable {
    /// How often the receiver refused this notice.
    package var refusals: Int
    /// How often in a row nothing got through.
    package var failures: Int

    package init(refusals: Int, failures: Int) {
        self.refusals = refusals
        self.failures = failures
    }

    /// The shortest and the longest wait, in microseconds.
    package static let waits: ClosedRange<Int64> = 1_000_000...900_000_000

    /// Changes the counts, and says what is to be done.
    /// - Parameter chance: 0 to 1; it shortens a wait by up to a half, so that not everybody knocks at once.
    package mutating func step(after outcome: DeliveryOutcome, chance: Double) -> DeliveryStep {
        switch outcome {
        case .taken:
            failures = 0
            return .end
        case .refused:
            refusals += 1
            failures = 0
            return .postponeNotice(Self.wait(after: refusals, chance: chance))
        case .unreached, .failed:
            failures += 1
            return .postponeLine(Self.wait(after: failures, chance: chance))
        case .gone:
            failures += 1
            return .stop
        }
    }

    /// Doubles with every time, from a second to a quarter of an hour.
    static func wait(after times: Int, chance: Double) -> Int64 {
        let full = min(waits.lowerBound << Int64(min(max(times, 1) - 1, 20)), waits.upperBound)
        return max(waits.lowerBound, full - Int64(Double(full) * 0.5 * min(max(chance, 0), 1)))
    }
}
