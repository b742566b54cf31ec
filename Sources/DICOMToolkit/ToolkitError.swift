// How calls into DCMTK fail, as Swift sees it.
internal import CDCMTK

/// Why the toolkit could not do what was asked. Texts never hold attribute values.
package enum ToolkitError: Error, Equatable, Sendable {
    /// Nothing came, or could be sent, in time.
    case timedOut(String)
    /// The peer closed the connection.
    case closed(String)
    /// The peer sent A-ABORT.
    case aborted
    /// The peer sent A-RELEASE-RQ.
    case released
    /// The peer sent A-ASSOCIATE-RJ (PS3.8 Table 9-21).
    case rejected(result: UInt8, source: UInt8, reason: UInt8)
    /// The peer broke the protocol.
    case malformed(String)
    /// This side ended it.
    case interrupted
    /// No connection could be made.
    case unreachable(String)
    /// TLS could not be agreed on, or broke.
    case insecure(String)
    /// There is no codec for this.
    case unsupported(String)
    /// Anything else.
    case failed(String)

    init(_ error: phim_error) {
        let text = unsafe withUnsafeBytes(of: error.text) { raw in
            unsafe String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
        }
        switch Int(error.code) {
        case PHIM_TIMED_OUT: self = .timedOut(text)
        case PHIM_CLOSED: self = .closed(text)
        case PHIM_ABORTED: self = .aborted
        case PHIM_RELEASED: self = .released
        case PHIM_REJECTED: self = .rejected(result: error.result, source: error.source, reason: error.reason)
        case PHIM_MALFORMED: self = .malformed(text)
        case PHIM_INTERRUPTED: self = .interrupted
        case PHIM_UNREACHABLE: self = .unreachable(text)
        case PHIM_INSECURE: self = .insecure(text)
        case PHIM_UNSUPPORTED: self = .unsupported(text)
        default: self = .failed(text)
        }
    }

    /// Runs a C call and throws what it reports.
    static func check(_ call: (UnsafeMutablePointer<phim_error>) -> Int32) throws(ToolkitError) {
        var error = phim_error()
        let code = unsafe call(&error)
        if code != 0 {
            error.code = code
            throw ToolkitError(error)
        }
    }
}
