// How network work fails, and the one place where the toolkit's errors become it.
internal import DICOMToolkit

/// Why an association, or something on it, failed. Texts never hold attribute values.
package enum NetworkError: Error, Equatable, Sendable {
    /// The peer was silent for too long, or took no bytes.
    case timedOut(String)
    /// The peer closed the connection without a release.
    case closed(String)
    /// The peer sent A-ABORT.
    case abortedByPeer
    /// The peer rejected the association.
    case rejected(AssociationRejection)
    /// The peer broke the protocol; the association was aborted.
    case malformed(String)
    /// This side is stopping.
    case stopped
    /// No connection could be made.
    case unreachable(String)
    /// TLS could not be agreed on, or broke.
    case insecure(String)
    /// What was asked cannot be done on this association, which stays usable.
    case refused(String)
    /// Anything else.
    case failed(String)

    init(_ error: ToolkitError) {
        switch error {
        case .timedOut(let text): self = .timedOut(text)
        case .closed(let text): self = .closed(text)
        case .aborted: self = .abortedByPeer
        case .released: self = .closed("released by the peer")
        case .rejected(let result, let source, let reason):
            self = .rejected(AssociationRejection(result: result, source: source, reason: reason))
        case .malformed(let text): self = .malformed(text)
        case .interrupted: self = .stopped
        case .unreachable(let text): self = .unreachable(text)
        case .insecure(let text): self = .insecure(text)
        case .unsupported(let text), .failed(let text): self = .failed(text)
        }
    }
}

extension NetworkError {
    /// Whether calling again at once is pointless.
    package var isFinal: Bool {
        switch self {
        case .rejected, .unreachable, .insecure, .stopped: true
        case .timedOut, .closed, .abortedByPeer, .malformed, .refused, .failed: false
        }
    }

    /// What happened, for a person.
    package var words: String {
        switch self {
        case .timedOut(let text): "no answer in time (\(text))"
        case .closed(let text): "connection closed (\(text))"
        case .abortedByPeer: "the peer aborted the association"
        case .rejected(let rejection): "the peer refused the association: \(rejection)"
        case .malformed(let text): "the peer broke the protocol (\(text))"
        case .stopped: "stopping"
        case .unreachable(let text): "cannot be reached (\(text))"
        case .insecure(let text): "no TLS (\(text))"
        case .refused(let text), .failed(let text): text
        }
    }
}
