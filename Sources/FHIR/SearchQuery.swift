// The parameters of a search, read against the table of its type (FHIR R4 Section 3.1.1).

import DICOMCore
import Foundation
import Records
import Web

/// One parameter of a search.
struct SearchTerm: Hashable, Sendable {
    let name: String
    let modifier: String?
    /// Any of them; still escaped.
    let values: [String]
}

/// A search as it was asked.
struct SearchQuery: Sendable {
    enum Total: String, Sendable {
        case none, estimate, accurate
    }

    private(set) var terms: [SearchTerm] = []
    private(set) var count = Self.usualCount
    private(set) var cursor: String?
    private(set) var includes: [String] = []
    private(set) var revincludes: [String] = []
    private(set) var total: Total?
    private(set) var isCountOnly = false
    private(set) var isPretty = false
    private(set) var format: String?
    /// What was used, for the link to itself.
    private(set) var used: [QueryParameters.Parameter] = []

    static let usualCount = 50
    static let mostCount = 200
    /// Values of one parameter, and of a whole search: each is a question, or a condition of one.
    static let (mostValues, mostInAll) = (200, 400)
    /// Words of a name.
    static let mostWords = 20

    /// - Parameter isLenient: what is not known is left out; otherwise it is refused, as leaving it out would give more
    ///   than was asked for.
    init(_ parameters: QueryParameters, of definition: ResourceDefinition, isLenient: Bool) throws {
        for parameter in parameters.all {
            do {
                // A parameter without a value narrows nothing (Section 3.1.1.3).
                if parameter.value.isEmpty || parameter.name == "_format" || parameter.name == "_pretty" {
                    try read(parameter)
                } else if try take(parameter, definition) {
                    used.append(parameter)
                }
            } catch let unknown as UnknownParameter {
                guard isLenient else { throw unknown.fault(definition.type) }
            }
        }
    }

    private struct UnknownParameter: Error {
        let name: String

        func fault(_ type: String) -> FHIRFault {
            let shown = Problem.shown(name)
            return .search(
                "\(type) is not searched here by \(shown); Prefer: handling=lenient leaves it out.",
                code: "not-supported")
        }
    }

    private mutating func read(_ parameter: QueryParameters.Parameter) throws {
        switch parameter.name {
        case "_format": format = parameter.value.unlessEmpty
        case "_pretty": isPretty = parameter.value == "true"
        default: break
        }
    }

    /// Whether the parameter was used.
    private mutating func take(
        _ parameter: QueryParameters.Parameter, _ definition: ResourceDefinition
    ) throws -> Bool {
        let value = parameter.value
        switch parameter.name {
        case "_count":
            guard let number = Int(value), number >= 0 else { throw FHIRFault.search("_count is a number.") }
            (count, isCountOnly) = number == 0 ? (count, true) : (min(number, Self.mostCount), isCountOnly)
        case "_cursor": cursor = value
        case "_total":
            guard let wish = Total(rawValue: value) else {
                throw FHIRFault.search("_total is none, estimate or accurate.")
            }
            total = wish
        case "_summary":
            switch value {
            case "count": isCountOnly = true
            case "false": break
            default: throw UnknownParameter(name: "_summary")
            }
        case "_sort":
            guard definition.sorts.contains(value) else { throw UnknownParameter(name: "_sort") }
        case "_include": includes += try wished(value, of: definition.includes, "_include")
        case "_revinclude": revincludes += try wished(value, of: definition.revincludes, "_revinclude")
        default: terms.append(try term(parameter, definition))
        }
        return true
    }

    /// `Type:parameter` with a target type behind it, or all there are.
    private func wished(_ value: String, of known: [String], _ name: String) throws -> [String] {
        if value == "*" { return known }
        let wish = value.split(separator: ":").prefix(2).joined(separator: ":")
        guard known.contains(wish) else { throw UnknownParameter(name: name) }
        return [wish]
    }

    private func term(
        _ parameter: QueryParameters.Parameter, _ definition: ResourceDefinition
    ) throws -> SearchTerm {
        // `subject:Patient.identifier` is `subject.identifier`, there is no other kind of subject.
        let plain = parameter.name.replacing(":Patient", with: "").replacing(":identifier", with: ".identifier")
        let parts = plain.split(separator: ":", maxSplits: 1).map(String.init)
        guard let first = parts.first, let known = definition.parameter(first) else {
            throw UnknownParameter(name: parameter.name)
        }
        let modifier = parts.count > 1 ? parts[1] : nil
        if let modifier, !known.modifiers.contains(modifier) {
            throw FHIRFault.search(
                "\(first) has no modifier \(Problem.shown(modifier)) here.", code: "not-supported")
        }
        let values = Self.split(parameter.value, at: ",")
        let all = terms.reduce(values.count) { $0 + $1.values.count }
        guard values.count <= Self.mostValues, all <= Self.mostInAll else {
            throw FHIRFault.search(
                "At most \(Self.mostValues) values of a parameter, \(Self.mostInAll) in all.", code: "too-costly")
        }
        return SearchTerm(name: first, modifier: modifier, values: values)
    }

    // MARK: Values

    /// Pieces between separators that no backslash stands before; escapes stay.
    static func split(_ text: String, at separator: Character, most: Int = .max) -> [String] {
        var pieces = [""]
        var isEscaped = false
        for character in text {
            if !isEscaped, character == separator, pieces.count < most {
                pieces.append("")
                continue
            }
            pieces[pieces.count - 1].append(character)
            isEscaped = !isEscaped && character == "\\"
        }
        return pieces
    }

    /// Escapes undone (Section 3.1.1.4.19).
    static func plain(_ text: String) -> String {
        var plain = ""
        var isEscaped = false
        for character in text {
            if !isEscaped, character == "\\" {
                isEscaped = true
            } else {
                plain.append(character)
                isEscaped = false
            }
        }
        return plain
    }
}

extension SearchTerm {
    /// A token: nil for any system, empty for none.
    struct Token: Hashable, Sendable {
        let system: String?
        let code: String
    }

    func tokens() throws -> [Token] {
        try values.map { value in
            let parts = SearchQuery.split(value, at: "|", most: 2).map(SearchQuery.plain)
            guard let code = parts.last, !code.isEmpty else {
                throw FHIRFault.search("\(name) needs a value behind the system.", code: "not-supported")
            }
            return Token(system: parts.count > 1 ? parts[0] : nil, code: code)
        }
    }

    /// Codes of one system; a token of another is none of them.
    func codes(of system: String? = nil) throws -> [String] {
        try tokens().filter { $0.system == nil || system == nil || $0.system == system }.map(\.code)
    }

    /// Ids of references to a type: `12`, `Patient/12`, or its whole address here.
    func ids(of type: String) -> [String] {
        values.map(SearchQuery.plain).compactMap { value in
            value.contains("/") ? LocalReference(value).flatMap { $0.type == type ? $0.id : nil } : value
        }
    }

    /// Spans of time (Section 3.1.1.4.5).
    func spans() throws -> [SpanCondition] {
        try values.map { value in
            let text = SearchQuery.plain(value)
            let prefix = SpanCondition.Comparison(rawValue: String(text.prefix(2)))
            // Space stands for the plus of a zone that was not encoded.
            let rest = (prefix == nil ? text : String(text.dropFirst(2))).replacing(" ", with: "+")
            guard let bounds = FHIRDate(rest)?.bounds else {
                throw FHIRFault.search(
                    "\(name) is no date: an optional prefix and YYYY, YYYY-MM, YYYY-MM-DD or a time.")
            }
            return SpanCondition(prefix ?? .equal, low: bounds.low, high: bounds.high)
        }
    }

    func names() throws -> [NameKey] {
        try values.map(SearchQuery.plain).map { text in
            let folded = Fold.fold(text)
            guard !folded.isEmpty else { throw FHIRFault.search("\(name) needs a letter.") }
            let words = folded.split(separator: " ").map(String.init)
            guard words.count <= SearchQuery.mostWords else {
                throw FHIRFault.search("\(name) has at most \(SearchQuery.mostWords) words.", code: "too-costly")
            }
            return switch (name, modifier) {
            case ("family", "exact"): .begins(folded + " ")
            case (_, "exact"): .exactly(text, folded: folded)
            case (_, "contains"): .contains(folded)
            case ("family", _): .begins(folded)
            case ("given", _): .given(words)
            default: .words(words)
            }
        }
    }
}
