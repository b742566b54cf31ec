// Lists come in pages; where one ends is a mark that says nothing of a patient.

import Foundation
import Hummingbird
import Records
import Web

/// How long a page may be.
enum PageLimit {
    static let usual = 100
    static let most = 1_000

    static func checked(_ limit: Int?) throws(Problem) -> Int {
        guard (1...most).contains(limit ?? usual) else { throw Problem(.badRequest, "limit: from 1 to \(most)") }
        return limit ?? usual
    }
}

/// The parameters of a query string: what is not known is refused.
struct ListParameters {
    private var values: [String: String] = [:]

    init(_ request: Request, known: [String]) throws(Problem) {
        for (key, value) in request.uri.queryParameters {
            guard known.contains(String(key)) else {
                throw Problem(.badRequest, "known are \(known.joined(separator: ", "))")
            }
            values[String(key)] = String(value)
        }
    }

    subscript(_ key: String) -> String? { values[key] }

    func number(_ key: String) throws(Problem) -> Int64? {
        guard let text = values[key] else { return nil }
        guard let number = Int64(text), number >= 0 else { throw Problem(.badRequest, "\(key): a number") }
        return number
    }

    var limit: Int {
        get throws(Problem) {
            guard let text = values["limit"] else { return PageLimit.usual }
            guard let limit = Int(text) else { throw Problem(.badRequest, "limit: from 1 to \(PageLimit.most)") }
            return try PageLimit.checked(limit)
        }
    }

    func flag(_ key: String) throws(Problem) -> Bool {
        switch values[key] {
        case nil, "false": return false
        case "true": return true
        default: throw Problem(.badRequest, "\(key): true or false")
        }
    }
}

/// A mark of two parts, such as `20261121093000-57`.
enum PageMark {
    static func text(_ order: WorklistRow) -> String {
        "\(order.procedure.details.scheduledAt)-\(order.procedure.id)"
    }

    static func order(_ text: String) throws(Problem) -> WorklistPosition {
        let parts = text.split(separator: "-")
        guard parts.count == 2, parts[0].count == 14, parts[0].allSatisfy(\.isASCII), let id = Int64(parts[1]) else {
            throw wrong
        }
        return WorklistPosition(scheduledAt: String(parts[0]), id: id)
    }

    static func text(_ item: InboxRecord) -> String { "\(item.since)-\(item.facts.studyInstanceUID)" }

    static func inbox(_ text: String) throws(Problem) -> InboxPosition {
        let parts = text.split(separator: "-")
        guard parts.count == 2, let since = Int64(parts[0]) else { throw wrong }
        return InboxPosition(since: since, studyInstanceUID: String(parts[1]))
    }

    private static let wrong = Problem(.badRequest, "after: as the page before gave it")
}
