// A query as values: what must match, what is wanted back, how many.

package import DICOMCore

/// How one attribute must match (PS3.4 Section C.2.2.2).
package enum MatchingKey: Hashable, Sendable {
    /// Matches everything (C.2.2.2.3).
    case universal
    /// Equal, or equal to the precision given where a time is meant (C.2.2.2.1).
    case single(String)
    /// Equal to any of these: a list of UIDs (C.2.2.2.2), and several values of any other attribute.
    case list([String])
    /// `*` any characters, `?` one (C.2.2.2.4).
    case wildcard(String)
    /// Between two dates or times, both included, either open (C.2.2.2.5).
    case range(lower: String?, upper: String?)
    /// By words, whatever their order, marks and case (C.2.2.2.1 leaves this to the archive).
    case personName(PersonNamePattern)

    /// The key that a value of an identifier means for an attribute; several values are joined by backslashes.
    package init(_ value: String, for attribute: Attribute) {
        let value = attribute.kind == .text ? value.trimmed : value
        let values = attribute.kind == .text ? [value] : value.split(separator: "\\").map(\.trimmed)
        let given = values.filter { !$0.isEmpty }
        guard let first = given.first, !given.contains(where: { $0.allSatisfy { $0 == "*" } }) else {
            self = .universal
            return
        }
        if attribute.kind == .personName {
            let pattern = PersonNamePattern(value)
            self = pattern.isUniversal ? .universal : .personName(pattern)
        } else if given.count > 1 {
            self = .list(given)
        } else if let bounds = TemporalBounds(first, for: attribute.kind), bounds.lower != bounds.upper {
            self = .range(lower: bounds.lower, upper: bounds.upper)
        } else if [.code, .text].contains(attribute.kind), Wildcard.isPattern(first) {
            self = .wildcard(first)
        } else {
            self = .single(first)
        }
    }

    /// Whether a value can be a key for an attribute at all: dates, times, whole numbers and UIDs have a form.
    package static func isLawful(_ value: String, for attribute: Attribute) -> Bool {
        value.split(separator: "\\").map(\.trimmed).allSatisfy { value in
            if value.isEmpty || value.allSatisfy({ $0 == "*" }) { return true }
            switch attribute.kind {
            case .date, .time, .dateTime: return TemporalBounds(value, for: attribute.kind) != nil
            case .integer: return Int64(value) != nil
            case .uid:
                return value.utf8.count <= 64
                    && value.utf8.allSatisfy { $0 == 0x2E || (0x30...0x39).contains($0) }
            case .code, .text, .personName: return true
            }
        }
    }
}

/// One criterion of an order.
package struct SortKey: Hashable, Sendable {
    package let attribute: Attribute
    package let isAscending: Bool

    package init(_ attribute: Attribute, isAscending: Bool = true) {
        self.attribute = attribute
        self.isAscending = isAscending
    }
}

/// A study's place in the order that studies have anyhow, from the newest.
package struct StudyPosition: Hashable, Sendable {
    package let studyDate: String
    package let studyTime: String
    package let studyInstanceUID: String

    /// - Parameters: Values as the study has them.
    package init(studyDate: String, studyTime: String, studyInstanceUID: String) {
        self.studyDate = studyDate
        self.studyTime = studyTime
        self.studyInstanceUID = studyInstanceUID
    }
}

/// A query at one level. Filters may name attributes of any level: those above restrict the ancestors, those below
/// ask that some descendant matches. The caller drops what its model and negotiation do not allow.
package struct Query: Sendable {
    package var level: QueryLevel
    package var filters: [Tag: MatchingKey]
    /// Filters on attributes of items; each is met by any item.
    package var itemFilters: [Attribute: MatchingKey] = [:]
    /// Nothing outside these Study Instance UIDs is found; nil for no such limit.
    package var studies: Set<String>?
    /// Only studies behind this one in the order that studies have anyhow: pages that stay true while studies come.
    package var after: StudyPosition?
    /// Attributes of this level and above that the matches are ordered by, before the order that they have anyhow.
    package var order: [SortKey] = []
    /// Attributes wanted back; none means all that the catalogue has at this level and above.
    package var returnKeys: [Tag]
    /// A date and its time, both given as keys, are one point in time (PS3.4 Section C.2.2.2.5, combined matching).
    package var combinesDateAndTime: Bool
    package var limit: Int?
    package var offset: Int
    /// Names a stored instance with every match, for attributes that only its header has.
    package var wantsRepresentative: Bool

    /// A query by keys that the caller has made; without filters everything matches.
    package init(
        level: QueryLevel, filters: [Tag: MatchingKey] = [:], returnKeys: [Tag] = [], limit: Int? = nil, offset: Int = 0
    ) {
        self.level = level
        self.filters = filters
        self.returnKeys = returnKeys
        self.limit = limit
        self.offset = offset
        combinesDateAndTime = false
        wantsRepresentative = returnKeys.contains { !Match.knows($0, at: level) }
    }

    /// The query that a C-FIND identifier means: values match, everything named is wanted back. Keys that the
    /// catalogue does not hold are return keys only, as PS3.4 Section C.2.2.1.3 lets an SCP do with optional keys.
    /// - Parameter isRelational: keys below the level match too (PS3.4 Section C.4.1.2.2.2); otherwise they are
    ///   return keys.
    package init(
        identifier: DataSet, level: QueryLevel, isRelational: Bool = false, combinesDateAndTime: Bool = false,
        limit: Int? = nil, offset: Int = 0
    ) {
        var filters: [Tag: MatchingKey] = [:]
        var returnKeys: [Tag] = []
        for element in identifier.elements where !Self.isEnvelope(element.tag) {
            returnKeys.append(element.tag)
            guard let attribute = Attribute.of(element.tag), attribute.level <= level || isRelational else { continue }
            let value =
                attribute.kind == .text
                ? identifier.text(element.tag) ?? "" : identifier.strings(element.tag).joined(separator: "\\")
            let key = MatchingKey(value, for: attribute)
            if key != .universal { filters[element.tag] = key }
        }
        self.init(level: level, filters: filters, returnKeys: returnKeys, limit: limit, offset: offset)
        self.combinesDateAndTime = combinesDateAndTime
    }

    /// Specific Character Set, Timezone Offset, Query/Retrieve Level and group lengths say how to read the identifier.
    private static func isEnvelope(_ tag: Tag) -> Bool {
        tag.element == 0 || [Tag(0x0008, 0x0005), Tag(0x0008, 0x0201), Tag(0x0008, 0x0052)].contains(tag)
    }
}

/// One entity that matched.
package struct Match: Sendable {
    /// Values by tag, multiple ones joined by backslashes, empty when the entity has none. Query/Retrieve Level,
    /// Retrieve AE Title and Specific Character Set are left to the edge.
    package let values: [Tag: String]
    /// The first instance below the entity when the query wanted one.
    package let representative: StoredInstance?

    /// Instance Availability (0008,0056): all bytes are on line (PS3.4 Section C.4.1.1.3.2).
    static let instanceAvailability = Tag(0x0008, 0x0056)

    /// Attributes of a response that no instance's header has: the edge fills them or leaves them out.
    private static let computed: Set<Tag> = [
        instanceAvailability, Tag(0x0008, 0x0052), Tag(0x0008, 0x0054), Tag(0x0008, 0x0005), Tag(0x0008, 0x0201),
        Tag(0x0008, 0x1190), Tag(0x0088, 0x0130), Tag(0x0088, 0x0140),
    ]

    /// Whether a value for the tag comes with matches of the level, or could come from no header either.
    static func knows(_ tag: Tag, at level: QueryLevel) -> Bool {
        if computed.contains(tag) { return true }
        guard let attribute = Attribute.of(tag) else { return false }
        return attribute.level <= level || attribute.origin == .derived
    }
}

extension Query {
    /// Whether the order asked for is another than that which matches of the level have anyhow.
    var hasOrder: Bool {
        if order.isEmpty { return false }
        let newest = [SortKey(.studyDate, isAscending: false), SortKey(.studyTime, isAscending: false)]
        return !(level == .study && newest.starts(with: order))
    }
}
