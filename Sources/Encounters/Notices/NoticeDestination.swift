// Who is told of studies, of which ones, and when a study is complete.

import Records

/// Of which studies somebody wants to hear.
package struct NoticeDestination: Hashable, Sendable {
    package let name: String
    /// Any of these; all when empty.
    package var modalities: Set<String> = []
    /// The visit's facility, or who gave its number; any when empty.
    package var facility = ""
    /// Studies that belong to nobody's order, visit or patient are left out.
    package var isLinkedOnly = true

    package init(name: String) { self.name = name }

    func wants(_ notice: StudyNotice) -> Bool {
        if isLinkedOnly, notice.target == nil { return false }
        if !modalities.isEmpty, modalities.isDisjoint(with: notice.study.modalities) { return false }
        return facility.isEmpty || notice.visit?.facility == facility || notice.visit?.issuer == facility
    }
}

/// When a study's images are all there, and what follows.
package struct SettlingRules: Hashable, Sendable {
    /// Without a further image for so long a study is complete, in microseconds.
    package var quiet: Int64 = 60_000_000
    /// While a modality says that it is still at it: so much longer.
    package var patience: Int64 = 30 * 60_000_000
    /// A procedure whose modality reports nothing is completed then.
    package var completesProcedures = true
    package var destinations: [NoticeDestination] = []

    package init() {}
}

/// What decides whether a study is told of now. One pure function.
package struct Readiness: Sendable {
    /// It is not in the archive any more.
    package var isGone = false
    /// It belongs elsewhere than somebody was told.
    package var hasMoved = false
    /// Somebody was told of it.
    package var isTold = false
    /// The modality is done, and every image that it named is here.
    package var isWhole = false
    /// The modality says that it is still at it.
    package var isUnderWay = false
    /// Microseconds since 1970.
    package let quietAt: Int64

    package init(quietAt: Int64) { self.quietAt = quietAt }

    package enum Answer: Hashable, Sendable {
        case now
        case later(Int64)
    }

    package func answer(now: Int64, _ rules: SettlingRules) -> Answer {
        // What was told wrongly is put right at once; what the modality vouches for needs no waiting.
        if isGone || hasMoved || isWhole && !isTold { return .now }
        let at = isUnderWay ? quietAt + rules.patience : quietAt
        return now >= at ? .now : .later(at)
    }
}
