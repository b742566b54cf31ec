// People, searched by everything that they are known by.

import GRDB

/// An identifier as somebody looks for it; what is nil matches everything.
package struct IdentifierKey: Hashable, Sendable {
    package var type: String?
    package var issuer: String?
    package var value: String

    package init(type: String? = nil, issuer: String? = nil, value: String) {
        self.type = type
        self.issuer = issuer
        self.value = value
    }
}

/// How a name is looked for; texts are folded, but for the exact one.
package enum NameKey: Hashable, Sendable {
    /// Each word begins a word of the name.
    case words([String])
    /// The name contains the text.
    case contains(String)
    /// The name begins with the text: by family.
    case begins(String)
    /// Each word begins a word of the name that is not its first.
    case given([String])
    /// Letter by letter.
    case exactly(String, folded: String)
}

/// What people are narrowed by. Outer lists must all hold, of an inner one any.
package struct PatientFilter: Sendable {
    /// Row numbers; nil for everybody. Merged rows are found by their number alone.
    package var ids: [Set<Int64>] = []
    package var identifiers: [[IdentifierKey]] = []
    package var names: [[NameKey]] = []
    package var birthDates: [[SpanCondition]] = []
    package var sexes: [[String]] = []
    package var telephones: [[String]] = []

    package init() {}
}

extension RecordTransaction {
    /// People that match, the newest row first; one more than the page holds when there are more.
    package func patients(_ filter: PatientFilter, page: RecordPage) throws -> [PatientRecord] {
        try search("patient", conditions(filter), page).map(PatientRecord.init)
    }

    package func count(_ filter: PatientFilter, to bound: Int) throws -> Int {
        try count("patient", conditions(filter), to: bound)
    }

    /// Whom identifiers belong to, as they are seen.
    package func roots(identifiedByAny keys: [IdentifierKey]) throws -> Set<Int64> {
        var roots: Set<Int64> = []
        for key in keys {
            let found = try patients(identifierValue: key.value, type: key.type, issuer: key.issuer)
            roots.formUnion(found.map(\.id))
        }
        return roots
    }

    private func conditions(_ filter: PatientFilter) throws -> SearchConditions {
        var conditions = SearchConditions()
        if filter.ids.isEmpty { conditions.add("root = id") }
        for ids in filter.ids { conditions.add("id", isOneOf: ids) }
        for keys in filter.identifiers { conditions.add("id", isOneOf: try roots(identifiedByAny: keys)) }
        for names in filter.names {
            conditions.add(anyOf: names) { name in
                switch name {
                case .words(let words):
                    (words.map { _ in "instr(' ' || nameKey, ' ' || ?) > 0" }.joined(separator: " AND "), words)
                case .given(let words):
                    (
                        words.map { _ in "instr(substr(nameKey, instr(nameKey || ' ', ' ')), ' ' || ?) > 0" }
                            .joined(separator: " AND "), words
                    )
                case .contains(let text): ("instr(nameKey, ?) > 0", [text])
                // The last letter of all stands behind every text that begins so.
                case .begins(let text): ("(nameKey >= ? AND nameKey < ?)", [text, text + "\u{10FFFF}"])
                case .exactly(let text, let folded):
                    ("(nameKey = ? AND replace(body ->> '$.name', '^', ' ') = ?)", [folded, text])
                }
            }
        }
        for spans in filter.birthDates { conditions.add(from: "birthDate", anyOf: spans) }
        for sexes in filter.sexes { try conditions.add("body ->> '$.sex'", isOneOf: sexes) }
        for telephones in filter.telephones { try conditions.add("body ->> '$.telephone'", isOneOf: telephones) }
        return conditions
    }
}
