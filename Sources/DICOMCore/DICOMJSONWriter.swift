// DICOM JSON, written as UTF-8 bytes straight from the bytes of a data set (PS3.18 Annex F).

/// What becomes of binary values, and of text beyond a mebibyte, that are too long to stand in JSON or XML.
package enum BulkDataPolicy: Sendable, Hashable {
    /// They stand there all the same, in base 64.
    case inline
    /// Values above a length leave an address: the prefix, then the path of the attribute, such as
    /// `00480105/1/00282000` (PS3.18 Section F.2.6).
    case reference(prefix: String, above: Int)
    /// Values above a length are left out with their attribute.
    case omit(above: Int)

    /// Text that no viewer reads at once.
    static let longestText = 1 << 20

    /// What becomes of one value.
    enum Treatment {
        case keep, omit
        case address(prefix: String)
    }

    func treatment(of element: DataElement) -> Treatment {
        switch self {
        case .inline: return .keep
        case .reference(let prefix, let above):
            return isLong(element, above: above) ? .address(prefix: prefix) : .keep
        case .omit(let above): return isLong(element, above: above) ? .omit : .keep
        }
    }

    /// Pixels, such as those of an icon, are never part of the text.
    private func isLong(_ element: DataElement, above: Int) -> Bool {
        if element.vr == .SQ { return false }
        let most = element.vr.isBinary ? above : max(above, Self.longestText)
        return element.length > most || PixelData.isPixelData(element.tag)
    }
}

extension VR {
    /// Whether the value is bytes without further meaning here: InlineBinary in JSON and XML (PS3.18 Table F.2.3-1).
    package var isBinary: Bool {
        switch self {
        case .OB, .OD, .OF, .OL, .OV, .OW, .UN: true
        default: false
        }
    }
}

/// Writes data sets as JSON objects. Binary values are in little endian, text in UTF-8 whatever the data set has.
package struct DICOMJSONWriter: Sendable {
    /// What has been written.
    package var bytes: [UInt8] = []
    let policy: BulkDataPolicy
    /// The path of the item at hand, such as `00480105/1/`.
    var path: [UInt8] = []
    /// Whether Pixel Representation says that ambiguous numbers are signed.
    var isSigned = false

    /// A writer without anything written.
    package init(_ policy: BulkDataPolicy, reserving capacity: Int = 0) {
        self.policy = policy
        bytes.reserveCapacity(capacity)
    }

    /// Writes a data set as an object. Group lengths are left out, and of a tag that occurs twice all but the first.
    /// - Parameters:
    ///   - pixelData: of the header, where there is one: it leaves an address under a policy with addresses.
    ///   - isIncluded: which attributes of the data set are wanted; items are written whole.
    package mutating func write(
        _ dataSet: DataSet, pixelData: PixelData? = nil, where isIncluded: (Tag) -> Bool = { _ in true }
    ) {
        if let element = dataSet[.pixelRepresentation], element.length == 2 {
            isSigned = dataSet.unsigned(element, at: 0, size: 2) == 1
        }
        beginObject()
        var previous: Tag?
        for element in dataSet.elements where element.tag != previous {
            previous = element.tag
            if element.tag.element != 0, isIncluded(element.tag) { write(element, of: dataSet) }
        }
        if let pixelData, isIncluded(pixelData.tag), case .reference(let prefix, _) = policy {
            begin(pixelData.tag, pixelData.vr == .UN ? .OB : pixelData.vr)
            reference(prefix, pixelData.tag)
            bytes.append(0x7D)
        }
        endObject()
    }

    /// Opens an object: a comma first where one stands before it.
    package mutating func beginObject() {
        if bytes.last == 0x7D { bytes.append(0x2C) }
        bytes.append(0x7B)
    }

    /// Closes an object.
    package mutating func endObject() { bytes.append(0x7D) }

    /// Writes one attribute of an object that is open.
    package mutating func write(_ element: DataElement, of dataSet: DataSet) {
        switch policy.treatment(of: element) {
        case .keep: break
        case .omit: return
        case .address(let prefix):
            begin(element.tag, element.vr)
            reference(prefix, element.tag)
            return bytes.append(0x7D)
        }
        let isImplicit = !dataSet.encoding.isExplicitVR
        let vr = isImplicit && isSigned && element.vr == .US && AmbiguousVR.isSigned(element.tag) ? VR.SS : element.vr
        begin(element.tag, vr)
        if element.tag == .specificCharacterSet {
            // Text is UTF-8 here, whatever it was.
            if element.length > 0 { ascii(",\"Value\":[\"ISO_IR 192\"]") }
        } else if vr == .SQ {
            sequence(element, of: dataSet)
        } else if vr.isString {
            texts(dataSet.utf8(element), vr)
        } else if vr.isBinary {
            if element.length > 0 {
                ascii(",\"InlineBinary\":\"")
                base64(dataSet.littleEndian(element))
                bytes.append(0x22)
            }
        } else {
            numbers(element, vr, of: dataSet)
        }
        bytes.append(0x7D)
    }

    /// Writes one attribute from texts, as a catalogue has them: numbers in decimal, AT in hexadecimal.
    package mutating func write(_ tag: Tag, _ vr: VR, _ values: [String]) {
        begin(tag, vr)
        if values.contains(where: { !$0.isEmpty }) {
            beginValues()
            for value in values {
                separate()
                let utf8 = Array(value.utf8)
                single(DataSet.trimmed(utf8[...], leading: !vr.keepsLeadingSpaces), vr)
            }
            bytes.append(0x5D)
        }
        bytes.append(0x7D)
    }

    // MARK: Parts

    private mutating func begin(_ tag: Tag, _ vr: VR) {
        if bytes.last != 0x7B { bytes.append(0x2C) }
        bytes.append(0x22)
        hexadecimal(tag)
        ascii("\":{\"vr\":\"")
        let code = vr.letters
        bytes.append(code.0)
        bytes.append(code.1)
        bytes.append(0x22)
    }

    private mutating func reference(_ prefix: String, _ tag: Tag) {
        ascii(",\"BulkDataURI\":\"")
        bytes += prefix.utf8
        bytes += path
        hexadecimal(tag)
        bytes.append(0x22)
    }

    private mutating func beginValues() { ascii(",\"Value\":[") }

    private mutating func separate() { if bytes.last != 0x5B { bytes.append(0x2C) } }

    private mutating func sequence(_ element: DataElement, of dataSet: DataSet) {
        let items = dataSet.items(of: element)
        guard !items.isEmpty else { return }
        beginValues()
        let outer = path.count
        let wasSigned = isSigned
        var tag = DICOMJSONWriter(.inline)
        tag.hexadecimal(element.tag)
        for (index, item) in items.enumerated() {
            path += tag.bytes
            path.append(0x2F)
            path += String(index + 1).utf8
            path.append(0x2F)
            write(item)
            path.removeLast(path.count - outer)
            isSigned = wasSigned
        }
        bytes.append(0x5D)
    }

    private mutating func texts(_ text: ArraySlice<UInt8>, _ vr: VR) {
        let before = bytes.count
        beginValues()
        let start = bytes.count
        DataSet.forEachValue(of: text, vr) { value in
            separate()
            single(value, vr)
        }
        if bytes.count == start {
            bytes.removeLast(start - before)
        } else {
            bytes.append(0x5D)
        }
    }

    /// One value; an empty one between others is null (PS3.18 Section F.2.5).
    private mutating func single(_ value: ArraySlice<UInt8>, _ vr: VR) {
        guard !value.isEmpty else { return ascii("null") }
        switch vr {
        case .PN: personName(value)
        case .IS, .DS, .US, .SS, .UL, .SL, .UV, .SV, .FL, .FD: if !number(value) { string(value) }
        default: string(value)
        }
    }

    private mutating func personName(_ value: ArraySlice<UInt8>) {
        let names: [StaticString] = ["\"Alphabetic\":", "\"Ideographic\":", "\"Phonetic\":"]
        bytes.append(0x7B)
        let groups = value.split(separator: 0x3D, maxSplits: 2, omittingEmptySubsequences: false)
        for (name, group) in zip(names, groups) {
            let text = DataSet.trimmed(group, leading: true)
            if text.isEmpty { continue }
            if bytes.last != 0x7B { bytes.append(0x2C) }
            ascii(name)
            string(text)
        }
        bytes.append(0x7D)
    }
}
