// Why something was not done to the hospital's records; edges map these to their own codes.

package import Records

/// A refusal. Texts are for people, and name fields, never what stands in them.
package enum EncounterFailure: Error, Hashable, Sendable {
    /// A value is absent or not allowed; the field in the words of the caller's standard.
    case invalid(field: String, reason: String)
    /// Nothing of that number.
    case unknown(what: String)
    /// What is known is newer than what came.
    case outdated(what: String)
    /// The patient was merged into another.
    case merged
    /// It is there, and it is not what the caller takes it for.
    case conflict(reason: String)
    /// The state does not allow the step.
    case unlawful(state: ProcedureState, step: ProcedureStep)
    case records(RecordsError)

    /// One sentence.
    package var sentence: String {
        switch self {
        case .invalid(let field, let reason): "\(field): \(reason)"
        case .unknown(let what): "There is no such \(what)"
        case .outdated(let what): "What is known of this \(what) is newer than this message"
        case .merged: "This patient was merged into another; use the surviving patient's identifier"
        case .conflict(let reason): reason
        case .unlawful(let state, let step):
            "The procedure is \(state.rawValue); it cannot \(step.rawValue) any more"
        case .records(let error):
            switch error {
            case .invalid(let field, let reason): "\(field): \(reason)"
            case .notFound: "There is no such record"
            case .busy, .full: "The archive cannot write now; send again later"
            default: "The archive's records failed"
            }
        }
    }

    /// Whether the same may succeed when it is sent again.
    package var isPassing: Bool {
        switch self {
        case .records(.busy), .records(.full): true
        default: false
        }
    }

    init(_ error: any Error) {
        switch error {
        case let own as EncounterFailure: self = own
        case let records as RecordsError: self = .records(records)
        default: self = .records(.failed(code: -1))
        }
    }
}
