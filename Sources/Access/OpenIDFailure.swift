// Why somebody whom the identity provider vouches for is not let in.

/// The failures of signing in at the identity provider. None holds a token, a name or the provider's own text.
package enum OpenIDFailure: Error, Sendable, Hashable {
    /// It cannot be reached, or what it answers is not what the standard says; why is for the log.
    case providerAway(String)
    /// It said no, with one of its error codes (RFC 6749 Section 4.1.2.1), or did not take the code.
    case providerRefused(String)
    /// No sign-in of this browser waits for this answer: another's, too old, or used already.
    case wrongState
    /// A token proves nothing.
    case token(TokenFault)
    /// No role here follows from what the provider says of this person.
    case noRole
    /// The account is disabled here.
    case disabled
    /// Too many failed attempts from this address.
    case tooMany(seconds: Int)
    case access(AccessFailure)
}

/// What is wrong with a token.
package enum TokenFault: String, Error, Sendable, Hashable, CaseIterable {
    case malformed, algorithm, unknownKey, signature, issuer, subject, audience, party, expired, notYetValid, nonce
    case accessTokenHash
    /// An identity token where an access token is asked for.
    case kind
}
