// Reads DICOM JSON that came from outside into values, and those into a data set (PS3.18 Annex F).

package import Foundation

/// Why JSON, or XML, is no data set.
package enum TextDataSetFailure: Error, Hashable, Sendable {
    /// Not JSON or XML at all, or not of the model that data sets have there.
    case malformed
    /// A name of an attribute that is neither eight hexadecimal digits nor a keyword of PS3.6.
    case unknownAttribute
    /// A value that its VR cannot have.
    case unsuitableValue(Tag)
    /// A value is elsewhere, and nobody has it.
    case missingBulkData(Tag)
}

/// A data set as DICOM JSON and the Native DICOM Model have it: in texts, before it is encoded.
package struct TextDataSet: Sendable {
    /// One attribute.
    package struct Attribute: Sendable {
        package let vr: VR
        package let value: Value
    }

    /// Where the value is.
    package enum Value: Sendable {
        /// As texts: numbers in decimal, AT in hexadecimal, person names with `=`; an empty one is null.
        case texts([String])
        case items([TextDataSet])
        case bytes([UInt8])
        /// The address of the bytes.
        case bulkData(String)
    }

    /// The attributes by tag.
    package let attributes: [Tag: Attribute]

    init(attributes: [Tag: Attribute]) { self.attributes = attributes }

    /// The meta information is made anew, and group lengths have no place in text.
    static func isLeftOut(_ tag: Tag) -> Bool { tag.group <= 0x0002 || tag.element == 0 || tag.group >= 0xFFFE }

    /// The first value as text, nil when there is none.
    package func string(_ tag: Tag) -> String? {
        guard case .texts(let values)? = attributes[tag]?.value, let first = values.first, !first.isEmpty else {
            return nil
        }
        return first
    }

    /// The data sets of a JSON document: an array of objects, or one object.
    package static func read(_ json: Data) throws(TextDataSetFailure) -> [TextDataSet] {
        let decoder = JSONDecoder()
        do {
            if json.first(where: { $0 > 0x20 }) == 0x7B {
                return [try TextDataSet(try decoder.decode([String: RawAttribute].self, from: json))]
            }
            return try decoder.decode([[String: RawAttribute]].self, from: json).map { try TextDataSet($0) }
        } catch let failure as TextDataSetFailure {
            throw failure
        } catch {
            throw .malformed
        }
    }

    private init(_ raw: [String: RawAttribute]) throws(TextDataSetFailure) {
        var attributes: [Tag: Attribute] = [:]
        for (name, attribute) in raw {
            let isTag = name.utf8.count == 8
            guard let tag = isTag ? UInt32(name, radix: 16).map(Tag.init(rawValue:)) : Tag(keyword: name) else {
                throw .unknownAttribute
            }
            if Self.isLeftOut(tag) { continue }
            attributes[tag] = try Self.attribute(tag, attribute)
        }
        self.attributes = attributes
    }

    private static func attribute(_ tag: Tag, _ raw: RawAttribute) throws(TextDataSetFailure) -> Attribute {
        let vr: VR
        if let name = raw.vr {
            guard let known = VR(rawValue: name) else { throw .unsuitableValue(tag) }
            vr = known
        } else {
            vr = DataDictionary.vr(of: tag)
        }
        if let address = raw.BulkDataURI { return Attribute(vr: vr, value: .bulkData(address)) }
        if let text = raw.InlineBinary {
            guard let bytes = Data(base64Encoded: text, options: .ignoreUnknownCharacters) else {
                throw .unsuitableValue(tag)
            }
            return Attribute(vr: vr, value: .bytes([UInt8](bytes)))
        }
        var texts: [String] = []
        var items: [TextDataSet] = []
        for value in raw.Value ?? [] {
            switch value {
            case .item(let item) where vr == .SQ: items.append(try TextDataSet(item))
            case .text(let text) where vr != .SQ: texts.append(text)
            case .name(let name) where vr == .PN: texts.append(name.text)
            case .item(let empty) where empty.isEmpty && vr == .PN: texts.append("")
            case .null: if vr == .SQ { items.append(try TextDataSet([:])) } else { texts.append("") }
            default: throw .unsuitableValue(tag)
            }
        }
        return Attribute(vr: vr, value: vr == .SQ ? .items(items) : .texts(texts))
    }
}

extension TextDataSet {
    /// Puts every attribute into a writer.
    /// - Parameter bulkData: the bytes, in little endian, of an address that a value names.
    package func put(
        into writer: inout DataSetWriter, bulkData: (String) -> [UInt8]?
    ) throws(TextDataSetFailure) {
        for (tag, attribute) in attributes {
            switch attribute.value {
            case .texts(let values):
                guard Self.areSuitable(values, attribute.vr) else { throw .unsuitableValue(tag) }
                writer.put(tag, attribute.vr, values)
            case .bytes(let bytes): writer.put(tag, attribute.vr, bytes: bytes)
            case .bulkData(let address):
                guard let bytes = bulkData(address) else { throw .missingBulkData(tag) }
                writer.put(tag, attribute.vr, bytes: bytes)
            case .items(let items):
                var written: [DataSetWriter] = []
                for item in items {
                    var nested = writer.makeItem()
                    try item.put(into: &nested, bulkData: bulkData)
                    written.append(nested)
                }
                writer.put(tag, items: written)
            }
        }
    }

    private static func areSuitable(_ values: [String], _ vr: VR) -> Bool {
        switch vr {
        case .US: values.allSatisfy { UInt16($0) != nil }
        case .SS: values.allSatisfy { Int16($0) != nil }
        case .UL: values.allSatisfy { UInt32($0) != nil }
        case .SL: values.allSatisfy { Int32($0) != nil }
        case .UV: values.allSatisfy { UInt64($0) != nil }
        case .SV: values.allSatisfy { Int64($0) != nil }
        case .FL, .FD: values.allSatisfy { Double($0) != nil }
        case .AT: values.allSatisfy { $0.utf8.count == 8 && UInt32($0, radix: 16) != nil }
        case .SQ: values.isEmpty
        default: !vr.isBinary || values.isEmpty
        }
    }
}

/// An attribute as the decoder meets it.
private struct RawAttribute: Decodable {
    let vr: String?
    let Value: [RawValue]?
    let InlineBinary: String?
    let BulkDataURI: String?
}

private struct RawName: Decodable {
    let Alphabetic: String?
    let Ideographic: String?
    let Phonetic: String?

    var isEmpty: Bool { Alphabetic == nil && Ideographic == nil && Phonetic == nil }

    var text: String {
        var groups = [Alphabetic ?? "", Ideographic ?? "", Phonetic ?? ""]
        while let last = groups.last, last.isEmpty { groups.removeLast() }
        return groups.joined(separator: "=")
    }
}

private enum RawValue: Decodable {
    case null
    case text(String)
    case name(RawName)
    case item([String: RawAttribute])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let text = try? container.decode(String.self) {
            self = .text(text)
        } else if let integer = try? container.decode(Int64.self) {
            self = .text(String(integer))
        } else if let integer = try? container.decode(UInt64.self) {
            self = .text(String(integer))
        } else if let number = try? container.decode(Double.self) {
            self = .text(Int64(exactly: number).map { String($0) } ?? "\(number)")
        } else if let item = try? container.decode([String: RawAttribute].self) {
            self = .item(item)
        } else {
            self = .name(try container.decode(RawName.self))
        }
    }
}
