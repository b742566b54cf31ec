// A message as a value: segments of fields, reached by name and number.

/// A segment: three characters and its fields.
package struct Segment: Hashable, Sendable {
    /// In capitals.
    package let name: String
    /// From field 1 on. In MSH these are the separators themselves, as the standard counts them.
    package private(set) var fields: [Field]

    /// - Parameter name: three characters, a capital letter first; anything else is a programming error.
    package init(_ name: String, _ fields: [Field] = []) {
        precondition(Self.isName(name[...]), "a segment's name is three capital letters or digits")
        self.name = name
        self.fields = fields.trimmed { $0.isAbsent }
    }

    /// A field, from 1; absent beyond the last.
    package subscript(_ number: Int) -> Field {
        get { fields.at(number) ?? .absent }
        set {
            fields.put(newValue, at: number, filling: .absent)
            fields = fields.trimmed { $0.isAbsent }
        }
    }

    /// The text of a field's first repetition, nil when absent or null.
    package func text(_ field: Int, _ component: Int = 1, _ subcomponent: Int = 1) -> String? {
        self[field][component][subcomponent].text
    }

    static func isName(_ text: Substring) -> Bool {
        let bytes = Array(text.utf8)
        return bytes.count == 3 && (0x41...0x5A).contains(bytes[0])
            && bytes.allSatisfy { (0x41...0x5A).contains($0) || (0x30...0x39).contains($0) }
    }
}

/// A message of HL7 version 2.
package struct Message: Hashable, Sendable {
    package let separators: Separators
    /// The first one is MSH.
    package private(set) var segments: [Segment]

    /// - Parameter segments: an MSH first; its fields 1 and 2 are set to the separators. Without one it is made.
    package init(separators: Separators = .standard, _ segments: [Segment]) {
        self.separators = separators
        self.segments = segments.first?.name == "MSH" ? segments : [Segment("MSH")] + segments
        self.segments[0][1] = Field(separators.fieldSeparator)
        self.segments[0][2] = Field(separators.encodingCharacters)
    }

    /// MSH.
    package var header: Segment { segments[0] }

    /// The first segment of that name.
    package func segment(_ name: String) -> Segment? { segments.first { $0.name == name } }

    /// All segments of that name, in order.
    package func segments(_ name: String) -> [Segment] { segments.filter { $0.name == name } }

    /// A field of the first segment of that name.
    package subscript(_ name: String, _ field: Int) -> Field {
        get { segment(name)?[field] ?? .absent }
        set { change(name) { $0[field] = newValue } }
    }

    /// A value in the first segment of that name, in the first repetition: `message["PID", 3, 1]` is PID-3.1.
    package subscript(_ name: String, _ field: Int, _ component: Int, _ subcomponent: Int = 1) -> Value {
        get { self[name, field][component][subcomponent] }
        set { change(name) { $0[field][component][subcomponent] = newValue } }
    }

    /// The value at a place; the first one where the place is a whole segment, field or component.
    package subscript(_ location: Location) -> Value {
        guard let segment = segments(location.segment).at(location.occurrence), let field = location.field else {
            return .absent
        }
        return segment[field][repetition: location.repetition][location.component ?? 1][location.subcomponent ?? 1]
    }

    package mutating func append(_ segment: Segment) { segments.append(segment) }

    /// Changes the first segment of that name, which is appended where there is none. The separators stay.
    private mutating func change(_ name: String, _ body: (inout Segment) -> Void) {
        let index = segments.firstIndex { $0.name == name } ?? segments.endIndex
        if index == segments.endIndex { segments.append(Segment(name)) }
        body(&segments[index])
        if index == 0 {
            segments[0][1] = Field(separators.fieldSeparator)
            segments[0][2] = Field(separators.encodingCharacters)
        }
    }
}

extension Message {
    /// MSH-9.1: `ADT`, `ORM`.
    package var code: String { header.text(9, 1) ?? "" }
    /// MSH-9.2: `A01`, `O01`. Systems of version 2.1 write the type alone: then it is EVN-1, and of orders the only one
    /// that their type has.
    package var trigger: String {
        if let said = header.text(9, 2) { return said }
        switch code {
        case "ADT": return self["EVN", 1].text ?? ""
        case "ORM": return "O01"
        case "OMG": return "O19"
        case "OMI": return "O23"
        default: return ""
        }
    }
    /// MSH-10, by which an acknowledgement is matched and a repetition recognised.
    package var controlID: String { header.text(10) ?? "" }
    /// MSH-12.1: `2.5.1`.
    package var version: String { header.text(12, 1) ?? "" }
    /// MSH-3, the sending application.
    package var sendingApplication: HierarchicDesignator? { HierarchicDesignator(header[3].first) }
    /// MSH-4, the sending facility.
    package var sendingFacility: HierarchicDesignator? { HierarchicDesignator(header[4].first) }
}
