// Reads the Native DICOM Model that came from outside into values (PS3.19 Section A.1, as PS3.18 Section 10.5 sends it).

import Foundation

extension TextDataSet {
    /// The data set of a document of XML.
    package static func read(xml bytes: [UInt8]) throws(TextDataSetFailure) -> TextDataSet {
        var reader = DICOMXMLReader(scanner: XMLScanner(bytes))
        return try reader.document()
    }
}

private struct DICOMXMLReader {
    var scanner: XMLScanner

    /// Values that may be left out between two that are there.
    private static let widestGap = 1_024

    mutating func document() throws(TextDataSetFailure) -> TextDataSet {
        guard case .open("NativeDicomModel", _)? = try scanner.next() else { throw .malformed }
        let dataSet = try dataSet()
        guard try scanner.next() == nil else { throw .malformed }
        return dataSet
    }

    /// The next tag; between tags of the model there is nothing but space.
    private mutating func tag() throws(TextDataSetFailure) -> XMLScanner.Event {
        while let event = try scanner.next() {
            guard case .text(let text) = event else { return event }
            guard text.allSatisfy(\.isWhitespace) else { throw .malformed }
        }
        throw .malformed
    }

    /// Everything up to where the element ends that holds the attributes.
    private mutating func dataSet() throws(TextDataSetFailure) -> TextDataSet {
        var attributes: [Tag: TextDataSet.Attribute] = [:]
        var creators: [Tag: String] = [:]
        while case .open(let name, let fields) = try tag() {
            guard name == "DicomAttribute" else { throw .malformed }
            guard let text = fields["tag"], text.utf8.count == 8, let number = UInt32(text, radix: 16) else {
                throw .unknownAttribute
            }
            let tag = Tag(rawValue: number)
            let attribute = try attribute(tag, fields)
            if TextDataSet.isLeftOut(tag) { continue }
            attributes[tag] = attribute
            guard let creator = fields["privateCreator"] else { continue }
            // The creator reserves the block that the element's high byte names (PS3.5 Section 7.8.1).
            guard tag.isPrivate, tag.element >= 0x1000 else { throw .unknownAttribute }
            creators[Tag(tag.group, tag.element >> 8)] = creator
        }
        for (tag, creator) in creators where attributes[tag] == nil {
            attributes[tag] = TextDataSet.Attribute(vr: .LO, value: .texts([creator]))
        }
        return TextDataSet(attributes: attributes)
    }

    private mutating func attribute(
        _ tag: Tag, _ fields: [String: String]
    ) throws(TextDataSetFailure) -> TextDataSet.Attribute {
        guard let vr = fields["vr"].map({ VR(rawValue: $0) }) ?? DataDictionary.vr(of: tag) else {
            throw .unsuitableValue(tag)
        }
        var texts: [String] = []
        var items: [TextDataSet] = []
        var value: TextDataSet.Value?
        while case .open(let name, let fields) = try self.tag() {
            guard value == nil else { throw .unsuitableValue(tag) }
            switch name {
            case "Value" where vr != .SQ && vr != .PN: texts.append(try self.text())
            case "PersonName" where vr == .PN: texts.append(try personName())
            case "Item" where vr == .SQ: items.append(try dataSet())
            case "InlineBinary":
                let text = try self.text()
                guard let bytes = Data(base64Encoded: text, options: .ignoreUnknownCharacters) else {
                    throw .unsuitableValue(tag)
                }
                value = .bytes([UInt8](bytes))
            case "BulkData":
                guard let address = fields["uri"] ?? fields["uuid"], try self.text().isEmpty else {
                    throw .unsuitableValue(tag)
                }
                value = .bulkData(address)
            default: throw .unsuitableValue(tag)
            }
            if vr != .SQ, value == nil { try place(&texts, fields["number"], tag) }
        }
        guard value == nil || texts.isEmpty && items.isEmpty else { throw .unsuitableValue(tag) }
        return TextDataSet.Attribute(vr: vr, value: value ?? (vr == .SQ ? .items(items) : .texts(texts)))
    }

    /// Puts the last text where its number says; numbers begin at 1, rise, and empty values may be left out.
    private func place(_ texts: inout [String], _ number: String?, _ tag: Tag) throws(TextDataSetFailure) {
        guard let number, let place = Int(number) else { return }
        guard (texts.count...texts.count + Self.widestGap).contains(place), let last = texts.popLast() else {
            throw .unsuitableValue(tag)
        }
        texts += [String](repeating: "", count: place - 1 - texts.count) + [last]
    }

    /// The text of an element that holds nothing else.
    private mutating func text() throws(TextDataSetFailure) -> String {
        var whole = ""
        while let event = try scanner.next() {
            switch event {
            case .text(let text): whole += text
            case .close: return whole
            case .open: throw .malformed
            }
        }
        throw .malformed
    }

    /// Component groups as DICOM writes them (PS3.5 Section 6.2.1).
    private mutating func personName() throws(TextDataSetFailure) -> String {
        let kinds = ["Alphabetic", "Ideographic", "Phonetic"]
        var groups = ["", "", ""]
        while case .open(let name, _) = try tag() {
            guard let index = kinds.firstIndex(of: name) else { throw .malformed }
            groups[index] = try componentGroup()
        }
        return Self.joined(groups, "=")
    }

    private mutating func componentGroup() throws(TextDataSetFailure) -> String {
        let kinds = ["FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"]
        var parts = ["", "", "", "", ""]
        while case .open(let name, _) = try tag() {
            guard let index = kinds.firstIndex(of: name) else { throw .malformed }
            parts[index] = try text()
        }
        return Self.joined(parts, "^")
    }

    private static func joined(_ parts: [String], _ separator: String) -> String {
        var parts = parts
        while parts.last?.isEmpty == true { parts.removeLast() }
        return parts.joined(separator: separator)
    }
}
