// The Native DICOM Model: a data set as XML (PS3.19 Section A.1, used by PS3.18 Section 8.7.3.4).

/// Writes one data set as an XML document of its own.
package struct DICOMXMLWriter: Sendable {
    /// What has been written.
    package private(set) var bytes: [UInt8] = []
    private let policy: BulkDataPolicy
    private var path = ""
    private var isSigned = false

    /// A writer without anything written.
    package init(_ policy: BulkDataPolicy) { self.policy = policy }

    /// The document of a data set.
    package static func document(
        _ dataSet: DataSet, pixelData: PixelData? = nil, policy: BulkDataPolicy
    ) -> [UInt8] {
        var writer = DICOMXMLWriter(policy)
        writer.begin()
        writer.attributes(of: dataSet)
        if let pixelData, case .reference(let prefix, _) = policy {
            writer.open(pixelData.tag, pixelData.vr == .UN ? .OB : pixelData.vr, of: dataSet)
            writer.reference(prefix, pixelData.tag)
            writer.text("</DicomAttribute>")
        }
        writer.end()
        return writer.bytes
    }

    /// Opens a document that attributes are written into one by one.
    package mutating func begin() {
        text("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
        text("<NativeDicomModel xmlns=\"http://dicom.nema.org/PS3.19/models/NativeDICOM\" xml:space=\"preserve\">")
    }

    /// Closes the document.
    package mutating func end() { text("</NativeDicomModel>\n") }

    /// Writes one attribute from texts, as a catalogue has them.
    package mutating func write(_ tag: Tag, _ vr: VR, _ values: [String]) {
        open(tag, vr, of: nil)
        if values.contains(where: { !$0.isEmpty }) {
            for (index, value) in values.enumerated() {
                let utf8 = Array(value.utf8)
                single(DataSet.trimmed(utf8[...], leading: !vr.keepsLeadingSpaces), vr, number: index + 1)
            }
        }
        text("</DicomAttribute>")
    }

    /// Writes one attribute of a data set.
    package mutating func write(_ element: DataElement, of dataSet: DataSet) {
        switch policy.treatment(of: element) {
        case .keep: break
        case .omit: return
        case .address(let prefix):
            open(element.tag, element.vr, of: dataSet)
            reference(prefix, element.tag)
            return text("</DicomAttribute>")
        }
        let isImplicit = !dataSet.encoding.isExplicitVR
        let vr = isImplicit && isSigned && element.vr == .US && AmbiguousVR.isSigned(element.tag) ? VR.SS : element.vr
        open(element.tag, vr, of: dataSet)
        if element.tag == .specificCharacterSet {
            if element.length > 0 { text("<Value number=\"1\">ISO_IR 192</Value>") }
        } else if vr == .SQ {
            items(of: element, dataSet)
        } else if vr.isString {
            var number = 0
            DataSet.forEachValue(of: dataSet.utf8(element), vr) { value in
                number += 1
                single(value, vr, number: number)
            }
        } else if vr.isBinary {
            if element.length > 0 {
                text("<InlineBinary>")
                Base64.append(dataSet.littleEndian(element), to: &bytes)
                text("</InlineBinary>")
            }
        } else {
            numbers(element, vr, of: dataSet)
        }
        text("</DicomAttribute>")
    }

    // MARK: Parts

    private mutating func attributes(of dataSet: DataSet) {
        if let element = dataSet[.pixelRepresentation], element.length == 2 {
            isSigned = dataSet.unsigned(element, at: 0, size: 2) == 1
        }
        var previous: Tag?
        for element in dataSet.elements where element.tag != previous {
            previous = element.tag
            if element.tag.element != 0 { write(element, of: dataSet) }
        }
    }

    private mutating func items(of element: DataElement, _ dataSet: DataSet) {
        let (outer, wasSigned) = (path, isSigned)
        for (index, item) in dataSet.items(of: element).enumerated() {
            text("<Item number=\"\(index + 1)\">")
            path = "\(outer)\(element.tag.hexadecimal)/\(index + 1)/"
            attributes(of: item)
            isSigned = wasSigned
            text("</Item>")
        }
        path = outer
    }

    private mutating func open(_ tag: Tag, _ vr: VR, of dataSet: DataSet?) {
        text("<DicomAttribute tag=\"\(tag.hexadecimal)\" vr=\"\(vr.rawValue)\"")
        if let keyword = tag.keyword { text(" keyword=\"\(keyword)\"") }
        // The creator has reserved the block that the element's high byte names (PS3.5 Section 7.8.1).
        if tag.isPrivate, tag.element > 0xFF, let creator = dataSet?.string(Tag(tag.group, tag.element >> 8)) {
            text(" privateCreator=\"")
            escaped(Array(creator.utf8)[...])
            text("\"")
        }
        text(">")
    }

    private mutating func reference(_ prefix: String, _ tag: Tag) {
        text("<BulkData uri=\"")
        escaped(Array("\(prefix)\(path)\(tag.hexadecimal)".utf8)[...])
        text("\"/>")
    }

    private mutating func single(_ value: ArraySlice<UInt8>, _ vr: VR, number: Int) {
        if vr == .PN { return personName(value, number: number) }
        text("<Value number=\"\(number)\">")
        escaped(value)
        text("</Value>")
    }

    private mutating func personName(_ value: ArraySlice<UInt8>, number: Int) {
        text("<PersonName number=\"\(number)\">")
        let groups = value.split(separator: 0x3D, maxSplits: 2, omittingEmptySubsequences: false)
        for (name, group) in zip(["Alphabetic", "Ideographic", "Phonetic"], groups) {
            let parts = group.split(separator: 0x5E, maxSplits: 4, omittingEmptySubsequences: false)
            guard parts.contains(where: { !DataSet.trimmed($0, leading: true).isEmpty }) else { continue }
            text("<\(name)>")
            for (kind, part) in zip(["FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"], parts) {
                let part = DataSet.trimmed(part, leading: true)
                if part.isEmpty { continue }
                text("<\(kind)>")
                escaped(part)
                text("</\(kind)>")
            }
            text("</\(name)>")
        }
        text("</PersonName>")
    }

    private mutating func numbers(_ element: DataElement, _ vr: VR, of dataSet: DataSet) {
        let size = vr == .AT ? 4 : vr.unitSize
        guard size > 0 else { return }
        for index in 0..<element.length / size {
            let value = vr == .AT ? 0 : dataSet.unsigned(element, at: index, size: size)
            let words =
                switch vr {
                case .AT:
                    Tag(
                        UInt16(dataSet.unsigned(element, at: index * 2, size: 2)),
                        UInt16(dataSet.unsigned(element, at: index * 2 + 1, size: 2))
                    ).hexadecimal
                case .SS: "\(Int16(truncatingIfNeeded: value))"
                case .SL: "\(Int32(truncatingIfNeeded: value))"
                case .SV: "\(Int64(bitPattern: value))"
                case .FL: "\(Float(bitPattern: UInt32(truncatingIfNeeded: value)))"
                case .FD: "\(Double(bitPattern: value))"
                default: "\(value)"
                }
            text("<Value number=\"\(index + 1)\">\(words)</Value>")
        }
    }

    private mutating func text(_ text: String) { bytes += text.utf8 }

    /// Text without what XML gives a meaning to, and without what it cannot have at all (XML 1.0 Section 2.2).
    private mutating func escaped(_ value: ArraySlice<UInt8>) {
        for byte in value {
            switch byte {
            case 0x26: text("&amp;")
            case 0x3C: text("&lt;")
            case 0x3E: text("&gt;")
            case 0x22: text("&quot;")
            case 0x0D: text("&#13;")
            case 0x0A, 0x09: bytes.append(byte)
            case 0..<0x20: text("\u{FFFD}")
            default: bytes.append(byte)
            }
        }
    }
}
