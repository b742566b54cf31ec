// The registry of attributes: VR, keyword and name of each standard tag (PS3.6 Section 6).

/// The data dictionary. Named so because `Dictionary` is Swift's.
package enum DataDictionary {
    /// The VR of a tag in a data set that does not say it: the dictionary's, UL for a group length, LO for a private
    /// creator, else UN (PS3.5 Sections 6.2.2, 7.2 and 7.8.1).
    package static func vr(of tag: Tag) -> VR {
        if let position = table.position(of: tag) { return table.vrs[position] }
        if tag.element == 0 { return .UL }
        if tag.isPrivate, (0x10...0xFF).contains(tag.element) { return .LO }
        return .UN
    }

    /// The keyword, nil for private and unregistered tags.
    package static func keyword(of tag: Tag) -> String? { table.position(of: tag).map { table.keyword(at: $0) } }

    /// The name as PS3.6 prints it.
    package static func name(of tag: Tag) -> String? { table.position(of: tag).map { table.name(at: $0) } }

    /// The tag of a keyword; the first group of a repeating one.
    package static func tag(keyword: String) -> Tag? { table.tagsByKeyword[keyword] }

    /// How many attributes are registered.
    package static var count: Int { table.tags.count }

    private static let table = AttributeTable(dictionaryTable, repeating: repeatingGroupTable)
}

/// The generated tables, parsed once: parallel arrays in order of tag.
private struct AttributeTable: Sendable {
    private(set) var tags: [UInt32] = []
    private(set) var vrs: [VR] = []
    private(set) var tagsByKeyword: [String: Tag] = [:]
    private var texts: [Substring.UTF8View] = []

    init(_ plain: StaticString, repeating: StaticString) {
        var rows = plain.description.utf8.split(separator: 0x0A)
        // A repeating group is entered once, under its first group; `position` folds 50xx and 60xx onto it.
        rows += repeating.description.utf8.split(separator: 0x0A)
        rows.sort { $0.prefix(8).lexicographicallyPrecedes($1.prefix(8)) }
        tags.reserveCapacity(rows.count)
        vrs.reserveCapacity(rows.count)
        texts.reserveCapacity(rows.count)
        for row in rows {
            var tag: UInt32 = 0
            for digit in row.prefix(8) { tag = tag << 4 | UInt32(digit < 0x41 ? digit - 0x30 : digit - 0x37) }
            let vr = row.dropFirst(8).prefix(2)
            guard let first = vr.first, let second = vr.last, let known = VR(first, second) else { continue }
            tags.append(tag)
            vrs.append(known)
            texts.append(Substring(row).utf8.dropFirst(10))
        }
        tagsByKeyword.reserveCapacity(tags.count)
        for position in tags.indices {
            let keyword = keyword(at: position)
            if tagsByKeyword[keyword] == nil { tagsByKeyword[keyword] = Tag(rawValue: tags[position]) }
        }
    }

    func position(of tag: Tag) -> Int? {
        var wanted = tag.rawValue
        let page = wanted >> 24
        if page == 0x50 || page == 0x60, tag.group & 1 == 0 { wanted &= 0xFF00_FFFF }
        var low = 0
        var high = tags.count
        while low < high {
            let middle = (low + high) >> 1
            if tags[middle] < wanted { low = middle + 1 } else { high = middle }
        }
        return low < tags.count && tags[low] == wanted ? low : nil
    }

    func keyword(at position: Int) -> String {
        String(Substring(texts[position].prefix { $0 != 0x7C }))
    }

    func name(at position: Int) -> String {
        String(Substring(texts[position].drop { $0 != 0x7C }.dropFirst()))
    }
}
