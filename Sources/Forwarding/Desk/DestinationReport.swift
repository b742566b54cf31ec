// Destinations and rules as they are told: to terminals, to pages, to programs.

import Encounters
package import Records

/// A destination, and how its line is.
package struct DestinationReport: Encodable, Sendable {
    /// What keeps things from going there.
    package enum State: String, Encodable, Sendable, CaseIterable {
        case open
        /// By a person.
        case paused
        /// Nothing gets through; it is tried again.
        case waiting
        /// It wants nothing any more, until a person says otherwise.
        case stopped
        /// The timetable lets nothing go now.
        case closed
    }

    package let name: String
    package let way: String
    /// Name of the peer, of way `dimse`.
    package let peer: String?
    package let url: String?
    package let isSecure: Bool
    /// Whether it is asked for storage commitment.
    package let commits: Bool
    package let lanes: Int
    package let timetable: [String]
    package let needsLegalBasis: Bool
    package let contractFrom: String?
    package let contractUntil: String?
    /// Files, relative to the data directory.
    package let tokenFile: String?
    package let caFile: String?
    package let certificateFile: String?
    package let keyFile: String?
    /// Whether the key of its receipts is known.
    package let hasReceiptKey: Bool
    package let isFromFile: Bool
    package let state: State
    /// What the timetable allows now: `all`, `stat`, `closed`, or bits a second such as `2M`.
    package let allowance: String
    package let failures: Int
    /// Since when nothing gets through.
    package let since: String?
    package let nextAt: String?
    /// When it last took something.
    package let reachedAt: String?
    package let reason: String

    package init(_ record: DestinationRecord, now: Int64) {
        func some(_ text: String) -> String? { text.isEmpty ? nil : text }
        let settings = record.settings
        name = record.name
        way = settings.way.rawValue
        peer = some(settings.peer)
        url = some(settings.url)
        isSecure = settings.isSecure || settings.url.hasPrefix("https:")
        commits = settings.commits
        lanes = settings.lanes
        timetable = settings.timetable
        needsLegalBasis = settings.needsLegalBasis
        contractFrom = some(settings.contractFrom)
        contractUntil = some(settings.contractUntil)
        tokenFile = some(settings.tokenFile)
        caFile = some(settings.caFile)
        certificateFile = some(settings.certificateFile)
        keyFile = some(settings.keyFile)
        hasReceiptKey = !settings.receiptKey.isEmpty
        isFromFile = record.isFromFile
        let allowed = (try? Timetable(settings.timetable)).map { OutboxForecast.allowance($0, at: now) } ?? .all
        allowance = allowed.word
        if record.isPaused {
            state = .paused
        } else if record.isStopped {
            state = .stopped
        } else if record.failures > 0 {
            state = .waiting
        } else {
            state = allowed == .closed ? .closed : .open
        }
        failures = record.failures
        since = record.since.map(LocalTime.text)
        nextAt = record.failures > 0 && !record.isStopped ? LocalTime.text(max(record.dueAt, now)) : nil
        reachedAt = record.reachedAt.map(LocalTime.text)
        reason = record.reason
    }

    /// Where it is, for people.
    package var place: String { peer.map { "peer \($0)" } ?? url ?? "" }
}

/// A rule.
package struct RouteReport: Encodable, Sendable {
    package let name: String
    package let destination: String
    package let when: [String]
    package let priority: String
    package let compress: Bool
    package let deidentify: String?
    package let characterSet: String?
    package let legalBasis: String?
    package let isOn: Bool
    package let isFromFile: Bool

    package init(_ record: RouteRecord) {
        func some(_ text: String) -> String? { text.isEmpty ? nil : text }
        let settings = record.settings
        name = record.name
        destination = record.destination
        when = settings.conditions
        priority = settings.priority
        compress = settings.transform.compresses
        deidentify = some(settings.transform.deidentification)
        characterSet = some(settings.transform.characterSet)
        legalBasis = some(settings.legalBasis)
        isOn = record.isOn
        isFromFile = record.isFromFile
    }
}

/// What a rule says of one study.
package struct RouteVerdictReport: Encodable, Sendable {
    package let route: String
    package let destination: String
    package let applies: Bool
    package let priority: String
    /// One sentence: why it applies, does not apply, or may not.
    package let why: String

    package init(_ verdict: RouteVerdict) {
        route = verdict.route.name
        destination = verdict.route.destination
        applies = verdict.obstacle == nil && verdict.refusal == nil
        priority = verdict.priority.word
        let conditions = verdict.route.settings.conditions
        why =
            verdict.obstacle ?? verdict.refusal.map { "it fits, but may not leave: \($0)" }
            ?? (conditions.isEmpty ? "the rule is for every study" : "it fits \(conditions.joined(separator: ", "))")
    }
}
