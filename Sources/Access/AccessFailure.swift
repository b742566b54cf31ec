// Why access, or a change to it, was not given.

package import Records

/// The failures of this room.
package enum AccessFailure: Error, Sendable, Hashable {
    /// Name or password wrong, or the account locked or disabled: one answer for all, so that nothing can be learnt.
    case wrongCredentials
    /// Too many failed attempts, or too many at once; to be tried again after so many seconds.
    case tooMany(seconds: Int)
    /// A value that cannot be; `reason` says what can.
    case invalid(field: String, reason: String)
    case nameTaken
    case notFound
    /// The caller may not give what it does not have.
    case notCovered
    /// Nobody could administer the archive any more.
    case lastAdministrator
    case records(RecordsError)

    init(_ error: RecordsError) {
        switch error {
        case .invalid(let field, let reason): self = .invalid(field: field, reason: reason)
        case .nameTaken: self = .nameTaken
        case .notFound: self = .notFound
        case .full, .busy, .corrupt, .newerSchema, .failed: self = .records(error)
        }
    }

    /// Runs what the records do, with their failures as ours.
    static func wrap<Value>(_ body: () throws -> Value) throws(AccessFailure) -> Value {
        do { return try body() } catch let error as RecordsError {
            throw AccessFailure(error)
        } catch {
            throw error as? AccessFailure ?? .records(.failed(code: -1))
        }
    }
}
