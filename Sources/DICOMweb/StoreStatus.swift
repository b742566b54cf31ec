// The one place where failures of storing become reasons and HTTP statuses (PS3.18 Section 10.5.3, Annex I.2).

import Hummingbird
import Ingest

/// Why an instance of a request was not stored.
enum StoreFault: Error, Equatable, Sendable {
    case ingest(IngestFailure)
    /// It belongs to another study than the resource that it was sent to.
    case otherStudy
    /// The caller may not store into its study.
    case notPermitted
    /// The part is of a kind that cannot be stored.
    case unsupportedMedia
    /// Metadata and bulk data do not make an object; the reason names attributes, never values.
    case incomplete(reason: String)

    /// Failure Reason (0008,1197): PS3.18 Table I.2-2, and Refused: Not Authorized of PS3.7 Section C.5.
    var reason: UInt16 {
        switch self {
        case .ingest(.outOfSpace), .ingest(.busy), .ingest(.stopped), .ingest(.tooLarge): 0xA700
        case .ingest(.identifierMismatch), .otherStudy: 0xA900
        case .ingest(.unreadable), .ingest(.invalidIdentifier), .incomplete: 0xC000
        case .unsupportedMedia: 0xC122
        case .ingest(.refused): 0x0122
        case .ingest(.storage): 0x0110
        case .notPermitted: 0x0124
        }
    }

    /// Whether the same bytes may be taken later.
    var isPassing: Bool {
        switch self {
        case .ingest(.outOfSpace), .ingest(.busy), .ingest(.stopped): true
        case .ingest(.tooLarge), .ingest(.identifierMismatch), .ingest(.unreadable), .ingest(.invalidIdentifier),
            .ingest(.refused), .ingest(.storage), .otherStudy, .notPermitted, .unsupportedMedia, .incomplete:
            false
        }
    }

    /// For the log; no values of a data set.
    var words: String {
        switch self {
        case .ingest(let failure): "\(failure)"
        case .otherStudy: "another study than the resource"
        case .notPermitted: "the caller may not store into this study"
        case .unsupportedMedia: "media type not supported"
        case .incomplete(let reason): reason
        }
    }
}

extension Receipt.Outcome {
    /// Warning Reason (0008,1196): PS3.18 Table I.2-1. Of two different objects with one UID both are kept, and the
    /// earlier one is shown: what was sent is not what is given back.
    var warningReason: UInt16? {
        switch self {
        case .stored, .duplicate: nil
        case .conflict: 0xB000
        }
    }
}

/// What became of one instance of a request.
struct StoreOutcome: Sendable {
    var sopClassUID: String?
    var sopInstanceUID: String?
    var studyInstanceUID: String?
    var seriesInstanceUID: String?
    let result: Result<Receipt.Outcome, StoreFault>

    init(_ result: Result<Receipt.Outcome, StoreFault>) { self.result = result }

    var fault: StoreFault? {
        if case .failure(let fault) = result { fault } else { nil }
    }

    /// The status of a response (PS3.18 Table 10.5.3-1).
    static func status(of outcomes: [StoreOutcome]) -> HTTPResponse.Status {
        let faults = outcomes.compactMap(\.fault)
        if faults.isEmpty {
            let warns = outcomes.contains { (try? $0.result.get())?.warningReason != nil }
            return warns ? .accepted : .ok
        }
        if faults.count < outcomes.count { return .accepted }
        return faults.allSatisfy(\.isPassing) ? .serviceUnavailable : .conflict
    }
}
