// What a search asks for: the parameters of the URL held against the catalogue's attributes (PS3.18 Section 8.3.4).

package import Catalog
package import DICOMCore
import Foundation
import Hummingbird
package import Web

/// A search that is lawful.
package struct SearchRequest: Sendable {
    package let target: SearchTarget
    package private(set) var filters: [Tag: MatchingKey] = [:]
    package private(set) var itemFilters: [Attribute: MatchingKey] = [:]
    /// Attributes wanted besides those that come unasked.
    package private(set) var included: Set<Tag> = []
    package private(set) var includesAll = false
    package private(set) var order: [SortKey] = []
    package private(set) var limit: Int?
    package private(set) var offset = 0
    package private(set) var isFuzzy = false
    /// Sentences about what was asked for and is not done (PS3.18 Section 8.3.4: Warning 299).
    package private(set) var warnings: [String] = []

    private static let longestValue = 4_096
    private static let mostSortKeys = 8

    /// - Throws: 400 with the name of the parameter that is wrong, never its value.
    package init(_ parameters: QueryParameters, target: SearchTarget) throws(Problem) {
        self.target = target
        var keys: [(path: [Tag], name: String, value: String)] = []
        var seen: Set<String> = []
        for parameter in parameters.all {
            let (name, value) = (parameter.name, parameter.value)
            guard Self.repeatable.contains(name) || seen.insert(name).inserted else {
                throw Problem(.badRequest, "The parameter \(Problem.shown(name)) is there twice.")
            }
            if try take(name, value) { continue }
            guard let path = Self.path(name) else {
                throw Problem(
                    .badRequest, "\(Problem.shown(name)) is no parameter of a search and no attribute of DICOM.")
            }
            keys.append((path, name, value))
        }
        // Last, because fuzzymatching may come after the names that it is about.
        for key in keys { try add(key.path, key.name, key.value) }
        try confineToPath()
    }

    // MARK: - Parameters

    private static let repeatable: Set<String> = ["includefield", "orderby"]

    /// Takes a parameter that is no attribute; false for all others.
    private mutating func take(_ name: String, _ value: String) throws(Problem) -> Bool {
        switch name {
        case "limit": limit = try Self.number(name, value)
        case "offset": offset = try Self.number(name, value)
        case "fuzzymatching": isFuzzy = try Self.flag(name, value)
        case "emptyvaluematching", "multiplevaluematching":
            if try Self.flag(name, value) {
                warnings.append("The \(name) parameter is not supported. Only literal matching has been performed.")
            }
        case "includefield":
            for field in value.split(separator: ",") { try include(String(field).trimmed) }
        case "orderby":
            for field in value.split(separator: ",") {
                guard order.count < Self.mostSortKeys else {
                    throw Problem(.badRequest, "orderby names more than \(Self.mostSortKeys) attributes.")
                }
                order.append(try sortKey(String(field).trimmed))
            }
        // Which form the answer has (PS3.18 Section 8.3.3.1) is read elsewhere.
        case "accept", "charset": break
        default: return false
        }
        return true
    }

    private static func number(_ name: String, _ value: String) throws(Problem) -> Int {
        guard value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(value), number <= 1_000_000_000
        else { throw Problem(.badRequest, "\(name) is not a whole number from 0 to 1000000000.") }
        return number
    }

    private static func flag(_ name: String, _ value: String) throws(Problem) -> Bool {
        switch value {
        case "true": return true
        case "false": return false
        default: throw Problem(.badRequest, "\(name) is neither true nor false.")
        }
    }

    private mutating func include(_ field: String) throws(Problem) {
        if field == "all" {
            includesAll = true
            return
        }
        if field.isEmpty { return }
        guard let path = Self.path(field) else {
            throw Problem(.badRequest, "includefield: \(Problem.shown(field)) is no attribute of DICOM.")
        }
        // A sequence is given in full.
        included.insert(path[0])
    }

    private func sortKey(_ field: String) throws(Problem) -> SortKey {
        let isDescending = field.hasPrefix("-")
        let name = isDescending ? String(field.dropFirst()) : field
        guard let path = Self.path(name), path.count == 1, let attribute = Attribute.of(path[0]),
            attribute.level <= target.level, !attribute.isMultiple
        else {
            throw Problem(.badRequest, "orderby: \(Problem.shown(name)) is no attribute that matches are ordered by.")
        }
        return SortKey(attribute, isAscending: !isDescending)
    }

    // MARK: - Attributes

    /// `00100010`, `PatientName`, and both with dots between the steps into sequences (PS3.18 Section 8.3.4.1).
    static func path(_ name: String) -> [Tag]? {
        let steps = name.split(separator: ".", omittingEmptySubsequences: false)
        guard steps.count <= 8 else { return nil }
        var path: [Tag] = []
        for step in steps {
            guard let tag = tag(step) else { return nil }
            path.append(tag)
        }
        // Only the items of a sequence have attributes; of unregistered tags nobody knows whether they are one.
        let holders = path.dropLast().map { DataDictionary.vr(of: $0) }
        return path.isEmpty || holders.contains { $0 != .SQ && $0 != .UN } ? nil : path
    }

    private static func tag(_ name: Substring) -> Tag? {
        if name.utf8.count == 8, name.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) {
            return UInt32(name, radix: 16).map(Tag.init(rawValue:))
        }
        return Tag(keyword: String(name))
    }

    private mutating func add(_ path: [Tag], _ name: String, _ value: String) throws(Problem) {
        let isUniversal = value.allSatisfy { $0 == "*" || $0 == " " }
        included.insert(path[0])
        if isUniversal { return }
        guard value.utf8.count <= Self.longestValue || DataDictionary.vr(of: path[0]) == .UI else {
            throw Problem(.badRequest, "The value of \(Problem.shown(name)) is too long.")
        }
        if path.count == 1, DataDictionary.vr(of: path[0]) == .SQ {
            throw Problem(
                .badRequest, "\(Problem.shown(name)) is a sequence: name an attribute of its items, after a dot.")
        }
        let attribute =
            path.count == 1 ? Attribute.of(path[0]) : path.count == 2 ? Attribute.of(path[1], in: path[0]) : nil
        guard let attribute else {
            warnings.append("\(Problem.shown(name)) is not matched by this archive and was ignored.")
            return
        }
        let key = try matchingKey(attribute, name, value)
        if attribute.sequence == nil { filters[attribute.tag] = key } else { itemFilters[attribute] = key }
    }

    private func matchingKey(_ attribute: Attribute, _ name: String, _ value: String) throws(Problem) -> MatchingKey {
        var value = value
        switch DataDictionary.vr(of: attribute.tag) {
        // No value of these has a comma, so that one separates values (PS3.18 Section 8.3.4.2).
        case .UI, .CS: value = value.replacing(",", with: "\\")
        // The plus of an offset that came unencoded.
        case .DT:
            let pieces = value.split(separator: " ")
            if pieces.count == 2, pieces[1].utf8.count == 4 { value = pieces.joined(separator: "+") }
        case .PN where isFuzzy && !Wildcard.isPattern(value):
            // Every word may be the beginning of one, and names may have more words.
            value = value.split { $0 == " " || $0 == "^" }.map { $0 + "*" }.joined(separator: " ")
        default: break
        }
        guard MatchingKey.isLawful(value, for: attribute) else {
            throw Problem(.badRequest, "The value of \(Problem.shown(name)) is no key for this attribute.")
        }
        return MatchingKey(value, for: attribute)
    }

    /// What the path names restricts like any other key; a key that names something else leaves nothing.
    private mutating func confineToPath() throws(Problem) {
        for (tag, uid) in [(Tag.studyInstanceUID, target.study), (.seriesInstanceUID, target.series)] {
            guard let uid else { continue }
            switch filters[tag] {
            case nil, .universal: filters[tag] = .single(uid)
            case .single(let asked) where asked == uid: break
            case .list(let asked) where asked.contains(uid): filters[tag] = .single(uid)
            default: filters[tag] = .list([])
            }
        }
    }
}

extension String {
    fileprivate var trimmed: String { trimmingCharacters(in: .whitespaces) }
}
