// What a failed retrieval says over HTTP: the one place where the two meet (PS3.18 Table 10.4.3-1).

import Catalog
import Hummingbird
import Retrieval
import Web

extension Problem {
    init(_ failure: RetrievalFailure) {
        switch failure {
        case .absent: self = .absent
        case .notConvertible(let from, let reason):
            self.init(
                .notAcceptable,
                "What is stored as \(from) cannot be given in the form that was asked for (\(reason)). "
                    + "Accept transfer-syntax=* to get it as it is stored.")
        case .busy: self = .busy
        case .unreadable:
            self.init(.internalServerError, "The archive cannot read this instance; its log says why.")
        case .outOfSpace:
            self.init(
                .serviceUnavailable,
                "The disk of the archive has no room to convert this. Accept transfer-syntax=* to get it as it is stored.",
                headers: [.retryAfter: "60"])
        }
    }

    /// Nothing that the caller accepts can be given.
    static func notAcceptable(_ category: ResourceCategory) -> Problem {
        var known: [String] = []
        for row in MediaRow.table where row.category == category && !known.contains(row.mediaType) {
            known.append(row.mediaType)
        }
        return Problem(
            .notAcceptable,
            "Nothing that the request accepts can be given. This resource comes as \(known.joined(separator: ", ")).")
    }
}
