// How slow a client may be: a state machine over what a connection does, with the time given from outside.

package import NIOCore

/// Bounds for one connection, or for one stream of one.
package struct PaceLimits: Sendable {
    /// From the connection, or from the last answer, to the whole header of the next request.
    package var idle = TimeAmount.seconds(30)
    /// While we wait for a body, so much must come in each window; our own waiting does not count.
    package var window = TimeAmount.seconds(10)
    package var windowBytes = 10 << 10
    /// The same for what other archives send: over a line that is shared by many, and throttled, it comes as slowly as it must.
    package var patientWindow = TimeAmount.seconds(60)
    package var patientWindowBytes = 256
    /// How long an answer may lie here because nobody takes it.
    package var stall = TimeAmount.seconds(120)
    /// What is still read of a body whose answer has been given already.
    package var uselessBytes = 16 << 20

    package init() {}
}

/// The clock of one connection. Events go in; `verdict` says what to do.
package struct ClientPace: Sendable {
    package enum Verdict: Equatable, Sendable {
        case fine
        /// Nothing was asked: close without a word.
        case idle
        /// A request that comes too slowly.
        case slow
        /// An answer that nobody takes, or a body that nobody needs.
        case hopeless
    }

    private let limits: PaceLimits
    /// Since when no request is in hand; nil while one is.
    private var idleSince: NIODeadline?
    private var isReading = false
    private var isPatient = false
    private var isAnswering = false
    /// Whether the answer has been given, be the request read or not.
    package private(set) var isAnswered = false
    /// Since when we have been ready for more of a body.
    private var demandedAt: NIODeadline?
    private var waited = TimeAmount.zero
    private var received = 0
    private var useless = 0
    private var stalledSince: NIODeadline?

    package init(_ limits: PaceLimits, now: NIODeadline) {
        self.limits = limits
        idleSince = now
    }

    /// Whether an answer can still be put on the wire by others than the application.
    package var canAnswer: Bool { !isAnswering }
    /// Whether no request is in hand.
    package var isIdle: Bool { idleSince != nil }

    /// - Parameter isPatient: whether the body may come very slowly.
    package mutating func began(at now: NIODeadline, isPatient: Bool = false) {
        idleSince = nil
        self.isPatient = isPatient
        isReading = true
        isAnswering = false
        isAnswered = false
        (waited, received, useless) = (.zero, 0, 0)
        demandedAt = nil
    }

    /// We are ready for more.
    package mutating func demanded(at now: NIODeadline) {
        if isReading, demandedAt == nil { demandedAt = now }
    }

    package mutating func receivedBody(_ count: Int, at now: NIODeadline) {
        settle(now)
        received += count
        if isAnswered { useless += count }
    }

    package mutating func ended(at now: NIODeadline) {
        isReading = false
        demandedAt = nil
        if isAnswered { idleSince = now }
    }

    package mutating func beganAnswer() { isAnswering = true }

    package mutating func answered(at now: NIODeadline) {
        isAnswered = true
        if !isReading { idleSince = now }
    }

    package mutating func becameWritable(_ isWritable: Bool, at now: NIODeadline) {
        stalledSince = isWritable ? nil : stalledSince ?? now
    }

    package mutating func verdict(at now: NIODeadline) -> Verdict {
        if let stalledSince, now - stalledSince >= limits.stall { return .hopeless }
        if useless > limits.uselessBytes { return .hopeless }
        if let idleSince { return now - idleSince >= limits.idle ? .idle : .fine }
        guard isReading else { return .fine }
        if demandedAt != nil {
            settle(now)
            demandedAt = now
        }
        guard waited >= (isPatient ? limits.patientWindow : limits.window) else { return .fine }
        let isSlow = received < (isPatient ? limits.patientWindowBytes : limits.windowBytes)
        (waited, received) = (.zero, 0)
        return isSlow ? .slow : .fine
    }

    /// Adds up the time since we were ready for more.
    private mutating func settle(_ now: NIODeadline) {
        guard let since = demandedAt else { return }
        waited = waited + (now - since)
        demandedAt = nil
    }
}
