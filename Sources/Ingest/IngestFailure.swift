// Why an object was not taken; edges map these to their own status codes.

/// A refusal. None of the cases carries a value of the data set.
package enum IngestFailure: Error, Equatable, Sendable {
    /// The disk, or the reserve kept on it, is full; reading goes on.
    case outOfSpace
    /// The pipeline did not take the object in time; the sender may try again.
    case busy
    /// The archive is stopping.
    case stopped
    /// The bytes cannot be read as far as the identifiers.
    case unreadable(reason: String)
    /// A UID is absent or not a UID (PS3.5 Section 9.1).
    case invalidIdentifier(attribute: String)
    /// The data set names another object than the request did.
    case identifierMismatch(attribute: String)
    /// The site's policy does not take this SOP class.
    case refused(reason: String)
    /// Larger than the archive takes.
    case tooLarge
    /// Storage failed otherwise.
    case storage(reason: String)
}
