// A row of the trail as programs read it: over HTTP and from the command line alike.

package import Foundation
package import Records

/// One row of the audit trail for an answer in JSON.
package struct AuditReport: Encodable, Sendable {
    package let number: Int64
    package let at: Date
    /// Of several alike the last.
    package let until: Date
    package let count: Int
    package let kind: String
    package let account: String
    package let credential: String
    package let address: String
    package let study: String?
    package let detail: String

    package init(_ row: AuditRow) {
        func date(_ microseconds: Int64) -> Date { Date(timeIntervalSince1970: Double(microseconds) / 1e6) }
        number = row.number
        at = date(row.entry.at)
        until = date(row.entry.until)
        count = row.entry.count
        kind = row.entry.kind
        account = row.entry.account
        credential = row.entry.credential
        address = row.entry.address
        study = row.entry.studyInstanceUID
        detail = row.entry.detail
    }
}
