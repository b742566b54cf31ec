// The line of notices to each destination: what is next, what came of it, and what a person does about it.

package import Records

/// The outbox of one archive. Calls block: make them on plain threads.
package struct NoticeOutbox: Sendable {
    private let encounters: Encounters

    package init(_ encounters: Encounters) { self.encounters = encounters }

    /// A new run: whom the last one could not reach is tried at once.
    package func begin() throws(EncounterFailure) {
        try encounters.change(by: "rule") { try $0.records.forgetNoticeWaits() }
    }

    /// The next notice for a destination; nil while nothing is due. That it is being sent is durable when this returns:
    /// whatever happens then, the receiver may have it.
    package func next(for destination: String) throws(EncounterFailure) -> NoticeRecord? {
        // Most of the time there is nothing: that costs no write.
        guard try encounters.look({ try Self.due(destination, $0) }) != nil else { return nil }
        return try encounters.change(by: "rule") { desk in
            guard let notice = try Self.due(destination, desk.records) else { return nil }
            try desk.records.noteAttempt(of: notice.id)
            return try desk.records.notice(id: notice.id)
        }
    }

    private static func due(_ destination: String, _ records: RecordTransaction) throws -> NoticeRecord? {
        if let line = try records.noticeLine(destination), line.isStopped || line.dueAt > records.now { return nil }
        return try records.nextNotice(destination: destination)
    }

    /// Writes down how an attempt ended.
    /// - Parameter chance: 0 to 1, see `DeliveryState`.
    /// - Returns: What is done now.
    @discardableResult
    package func note(
        _ outcome: DeliveryOutcome, of notice: NoticeRecord, chance: Double
    ) throws(EncounterFailure) -> DeliveryStep {
        try encounters.change(by: "rule") { desk in
            let records = desk.records
            let words = String(outcome.words.prefix(1000))
            var state = DeliveryState(
                refusals: notice.refusals, failures: try records.noticeLine(notice.destination)?.failures ?? 0)
            let step = state.step(after: outcome, chance: chance)
            switch step {
            case .end:
                try records.removeNoticeLine(notice.destination)
                try records.endNotice(notice.id, .delivered, answer: words)
            case .postponeNotice(let wait):
                try records.removeNoticeLine(notice.destination)
                try records.postponeNotice(notice.id, until: records.now + wait, answer: words, isRefused: true)
            case .postponeLine(let wait):
                if case .unreached = outcome {
                    try records.takeBackAttempt(of: notice.id, answer: words)
                } else {
                    // It may be of this notice alone: the next attempt is another study's, and this one waits the longer
                    // the more often it was tried.
                    let own = max(wait, DeliveryState.wait(after: notice.attempts, chance: chance))
                    try records.postponeNotice(
                        notice.id, until: records.now + own, answer: words, isRefused: false)
                }
                try records.setNoticeLine(
                    notice.destination, failures: state.failures, dueAt: records.now + wait, isStopped: false,
                    reason: words)
            case .stop:
                try records.postponeNotice(notice.id, until: notice.dueAt, answer: words, isRefused: false)
                try records.setNoticeLine(
                    notice.destination, failures: state.failures, dueAt: records.now, isStopped: true, reason: words)
            }
            return step
        }
    }

    /// Removes notices that ended long ago, but for the last that each destination was told of a study.
    /// - Returns: How many.
    package func prune(endedBefore instant: Int64) throws(EncounterFailure) -> Int {
        var count = 0
        while true {
            let old = try encounters.look { try $0.outlivedNotices(endedBefore: instant, limit: Self.batch) }
            if old.isEmpty { return count }
            try encounters.change(by: "rule") { try $0.records.removeNotices(old) }
            count += old.count
        }
    }

    private static let batch = 1_000

    // MARK: By hand

    /// Tries a notice again at once; its destination as well, if it was stopped or waits.
    package func retry(_ id: Int64, by actor: String) throws(EncounterFailure) {
        try encounters.change(by: actor) { desk in
            let notice = try desk.records.notice(id: id)
            guard notice.state == .waiting else {
                throw EncounterFailure.conflict(reason: "This notice is \(notice.state.rawValue); it is not sent again")
            }
            try desk.records.hastenNotices(destination: notice.destination, id: id)
            try desk.records.removeNoticeLine(notice.destination)
        }
    }

    /// Tries everything that waits for a destination again at once.
    package func retry(destination: String, by actor: String) throws(EncounterFailure) {
        try encounters.change(by: actor) { desk in
            try desk.records.hastenNotices(destination: destination)
            try desk.records.removeNoticeLine(destination)
        }
    }

    /// A notice is not sent any more.
    package func drop(_ id: Int64, reason: String, by actor: String) throws(EncounterFailure) {
        try encounters.change(by: actor) { desk in
            let notice = try desk.records.notice(id: id)
            guard notice.state == .waiting else {
                throw EncounterFailure.conflict(reason: "This notice is \(notice.state.rawValue) already")
            }
            let words = "dropped by \(actor)" + (reason.isEmpty ? "" : ": \(reason)")
            try desk.records.endNotice(id, .dropped, answer: words)
        }
    }
}
