// Why something of forwarding was not done; edges map these to their own codes.

package import Encounters
import Records

/// A refusal. Texts are for people and name no patient.
package enum ForwardingFailure: Error, Hashable, Sendable {
    /// A value is absent or not allowed.
    case invalid(field: String, reason: String)
    /// Nothing of that name or number.
    case unknown(what: String)
    /// It is there, and does not allow this.
    case conflict(reason: String)
    /// The catalogue or the records cannot be read or written now.
    case unavailable(reason: String)

    /// One sentence.
    package var sentence: String {
        switch self {
        case .invalid(let field, let reason): "\(field): \(reason)"
        case .unknown(let what): "There is no such \(what)"
        case .conflict(let reason), .unavailable(let reason): reason
        }
    }

    package init(_ failure: EncounterFailure) {
        switch failure {
        case .invalid(let field, let reason), .records(.invalid(let field, let reason)):
            self = .invalid(field: field, reason: reason)
        case .unknown(let what): self = .unknown(what: what)
        case .records(.notFound): self = .unknown(what: "record")
        case .conflict(let reason): self = .conflict(reason: reason)
        default: self = .unavailable(reason: failure.sentence)
        }
    }
}
