// What is known of something, by attribute: cut down to what a caller asked for, and to what a receiver can hold.

package import DICOMCore

/// Attributes with their values; sequences hold trees of their own.
package struct AttributeTree: Sendable, Hashable {
    package enum Value: Sendable, Hashable {
        case text([String])
        case items([AttributeTree])
    }

    package private(set) var values: [Tag: Value] = [:]

    package init() {}

    /// Room for so many attributes.
    init(capacity: Int) { values.reserveCapacity(capacity) }

    /// One value; an empty one leaves the attribute there without a value.
    package mutating func set(_ tag: Tag, _ value: String) { values[tag] = .text(value.isEmpty ? [] : [value]) }

    package mutating func set(_ tag: Tag, _ list: [String]) { values[tag] = .text(list.filter { !$0.isEmpty }) }

    package mutating func set(_ tag: Tag, items: [AttributeTree]) { values[tag] = .items(items) }

    /// The first value; for tests and tables.
    package subscript(_ tag: Tag) -> String? {
        guard case .text(let list) = values[tag] else { return nil }
        return list.first
    }

    package func items(_ tag: Tag) -> [AttributeTree] {
        guard case .items(let items) = values[tag] else { return [] }
        return items
    }
}

extension AttributeTree {
    /// Puts everything into a data set.
    package func put(into writer: inout DataSetWriter) {
        for (tag, value) in values { Self.put(tag, DataDictionary.vr(of: tag), value, into: &writer) { $0 } }
    }

    /// Puts the attributes that a data set names, and only those; what is not known is there without a value
    /// (PS3.4 Section K.4.1.1.3.2). A sequence of zero length, or with an empty item, asks for all of its attributes.
    package func put(_ keys: DataSet, into writer: inout DataSetWriter) {
        for key in keys.elements where key.tag != .specificCharacterSet && key.tag.element != 0 {
            let known = DataDictionary.vr(of: key.tag)
            let vr = known == .UN ? key.vr : known
            guard let value = values[key.tag] else {
                if vr == .SQ { writer.put(key.tag, items: []) } else { writer.putEmpty(key.tag, vr) }
                continue
            }
            let wanted = vr == .SQ ? keys.items(of: key).first { !$0.elements.isEmpty } : nil
            Self.put(key.tag, vr, value, into: &writer) { item in wanted.map { item.reduced(to: $0) } ?? item }
        }
    }

    private static func put(
        _ tag: Tag, _ vr: VR, _ value: Value, into writer: inout DataSetWriter, each: (AttributeTree) -> AttributeTree
    ) {
        switch value {
        case .text(let list): writer.put(tag, vr, list.map { FittedText.fitted($0, vr) })
        case .items(let items):
            let written = items.map { tree in
                var item = writer.makeItem()
                each(tree).put(into: &item)
                return item
            }
            writer.put(tag, items: written)
        }
    }

    /// The attributes that an item names.
    private func reduced(to keys: DataSet) -> AttributeTree {
        var tree = AttributeTree()
        for key in keys.elements where key.tag.element != 0 {
            switch values[key.tag] {
            case .text(let list): tree.values[key.tag] = .text(list)
            case .items(let items):
                let wanted = keys.items(of: key).first { !$0.elements.isEmpty }
                tree.values[key.tag] = .items(items.map { item in wanted.map { item.reduced(to: $0) } ?? item })
            case nil: tree.values[key.tag] = DataDictionary.vr(of: key.tag) == .SQ ? .items([]) : .text([])
            }
        }
        return tree
    }
}
