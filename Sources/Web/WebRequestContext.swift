// What the edges know of a request beside the request itself: who calls, from where, and what that caller may.

package import Access
package import Hummingbird
package import NIOCore

/// The context of every HTTP request.
package struct WebRequestContext: RequestContext, RemoteAddressRequestContext {
    package var coreContext: CoreRequestContextStorage
    package let remoteAddress: SocketAddress?
    /// The connection, or the stream of one; for answers that last and a peer that no longer reads.
    package let channel: any Channel
    /// Set by the authentication in front of every route; nil when the request has no valid credential.
    package var caller: Caller?
    /// Looks at the credential once more, for answers that last: nil when it proves nothing any more. Does not count as
    /// use, so that an idle session ends all the same.
    package var lookAgain: (@Sendable () async throws -> Caller?)?
    /// Where every decision is written down; set together with `caller`.
    package var audit: AuditTrail?
    /// Where the request came from, when a trusted proxy says so.
    package var forwardedAddress: String?

    package init(source: Source) {
        coreContext = .init(source: source)
        channel = source.channel
        remoteAddress = source.channel.remoteAddress
    }

    /// The numeric address of the caller.
    package var address: String { forwardedAddress ?? remoteAddress?.ipAddress ?? "" }

    /// The caller, who may do this with this study. The audit trail says so, and says when it was refused.
    ///
    /// Throws 401 without a credential, 403 without the right, 404 for a study outside the caller's scope, and 503 while
    /// the trail can take no more: what cannot be told later is not done.
    package func authorized(
        _ action: Action, study: String? = nil, detail: String = ""
    ) throws(Problem) -> Caller {
        guard let caller else { throw .unauthenticated }
        if let audit, !audit.isAccepting {
            throw Problem(
                .serviceUnavailable, "The audit trail cannot be written; patient data is withheld until it can.",
                headers: [.retryAfter: "30"])
        }
        do throws(AccessDenied) { try Rules.check(caller, may: action, study: study) } catch {
            note(.refused, caller, study: study, detail: action.rawValue)
            switch error {
            case .role: throw Problem(.forbidden, "This account may not \(action.rawValue).")
            case .scope: throw .absent
            case .passwordChange: throw Problem(.forbidden, "Change the password first.")
            }
        }
        if let kind = AuditEvent.Kind(rawValue: action.rawValue) { note(kind, caller, study: study, detail: detail) }
        return caller
    }

    private func note(_ kind: AuditEvent.Kind, _ caller: Caller, study: String?, detail: String) {
        audit?.note(
            AuditEvent(
                kind, account: caller.account, credential: caller.credential, address: caller.address,
                studyInstanceUID: study, detail: detail))
    }
}
