// The one table of attributes that the catalogue keeps: facts, columns, matching and return all read it.

package import DICOMCore

/// A level of the Query/Retrieve information models, from the widest (PS3.4 Section C.6.1.1, C.6.2.1).
package enum QueryLevel: Int, Comparable, CaseIterable, Sendable {
    case patient, study, series, image

    /// The value of Query/Retrieve Level (0008,0052).
    package init?(term: String) {
        switch term {
        case "PATIENT": self = .patient
        case "STUDY": self = .study
        case "SERIES": self = .series
        case "IMAGE": self = .image
        default: return nil
        }
    }

    package static func < (left: QueryLevel, right: QueryLevel) -> Bool { left.rawValue < right.rawValue }

    /// The table that holds one row per entity of this level.
    var table: String { ["patient", "study", "series", "instance"][rawValue] }

    /// The attribute that identifies an entity of this level (PS3.4 Table C.6-1 to C.6-4, key type U).
    package var uniqueKey: Tag {
        switch self {
        case .patient: Attribute.patientID.tag
        case .study: Attribute.studyInstanceUID.tag
        case .series: Attribute.seriesInstanceUID.tag
        case .image: Attribute.sopInstanceUID.tag
        }
    }
}

/// One attribute of the catalogue: its level, its column and how its values are compared.
package struct Attribute: Hashable, Sendable {
    /// How values are normalised and matched; follows from the VR (PS3.4 Section C.2.2.2).
    package enum Kind: Sendable { case code, text, personName, uid, date, time, dateTime, integer }

    /// A header attribute is read from the object; a derived one is kept by the catalogue itself.
    package enum Origin: Sendable { case header, derived }

    package let tag: Tag
    /// The sequence whose items hold the attribute, nil at the top of the data set. Values stand in order of the items.
    package let sequence: Tag?
    package let keyword: String
    package let level: QueryLevel
    package let kind: Kind
    /// More than one value is legal: values are joined by a backslash and any of them may match.
    package let isMultiple: Bool
    package let origin: Origin
    /// `GGGGEEEE`, the name of the attribute in stored claims.
    let code: String
    /// Position in `table` and in the values of `InstanceFacts`.
    let ordinal: Int
    /// Qualified column, as SQL writes it.
    let column: String
    /// Column of the folded or normalised value when one is kept for searching.
    let keyColumn: String?
    /// Full-text table with trigrams of this attribute, and its column there.
    let trigrams: Trigrams?

    struct Trigrams: Hashable, Sendable {
        let table: String
        let column: String
    }

    /// The bare column name.
    var name: String { String(column.split(separator: ".")[1]) }
    var keyName: String? { keyColumn.map { String($0.split(separator: ".")[1]) } }

    /// The attribute of a tag at the top of a data set, nil when the catalogue does not keep it.
    package static func of(_ tag: Tag) -> Attribute? { byTag[tag] }

    /// The attribute of a tag in the items of a sequence.
    package static func of(_ tag: Tag, in sequence: Tag) -> Attribute? {
        inItems[tag].flatMap { $0.sequence == sequence ? $0 : nil }
    }

    /// Every attribute that is kept of the items of a sequence.
    package static func items(of sequence: Tag) -> [Attribute] { table.filter { $0.sequence == sequence } }

    /// The attribute of a code in stored claims: no tag is kept both at the top and in items.
    static func ofCode(_ tag: Tag) -> Attribute? { byTag[tag] ?? inItems[tag] }

    static func named(_ keyword: String) -> Attribute {
        guard let found = table.first(where: { $0.keyword == keyword }) else {
            preconditionFailure("the table of attributes has no \(keyword)")
        }
        return found
    }

    /// `GGGGEEEE=` by ordinal.
    static let prefixes = table.map { $0.code + "=" }

    /// The ordinals of some levels: the table is in order of levels.
    static func ordinals(_ levels: ClosedRange<QueryLevel>) -> Range<Int> {
        firstOrdinals[levels.lowerBound.rawValue]..<firstOrdinals[levels.upperBound.rawValue + 1]
    }

    private static let firstOrdinals =
        QueryLevel.allCases.map { level in table.firstIndex { $0.level >= level } ?? table.count } + [table.count]

    private static let byTag = Dictionary(
        uniqueKeysWithValues: table.filter { $0.sequence == nil }.map { ($0.tag, $0) })
    private static let inItems = Dictionary(
        uniqueKeysWithValues: table.filter { $0.sequence != nil }.map { ($0.tag, $0) })

    package static let patientID = named("PatientID")
    package static let issuerOfPatientID = named("IssuerOfPatientID")
    package static let patientName = named("PatientName")
    package static let studyInstanceUID = named("StudyInstanceUID")
    static let studyID = named("StudyID")
    static let accessionNumber = named("AccessionNumber")
    package static let studyDate = named("StudyDate")
    package static let studyTime = named("StudyTime")
    package static let seriesInstanceUID = named("SeriesInstanceUID")
    package static let modality = named("Modality")
    package static let sopInstanceUID = named("SOPInstanceUID")
    package static let sopClassUID = named("SOPClassUID")
    package static let transferSyntaxUID = named("AvailableTransferSyntaxUID")
    package static let instanceNumber = named("InstanceNumber")
    package static let numberOfFrames = named("NumberOfFrames")

    /// The time that completes a date for combined date-time matching (PS3.4 Section C.2.2.2.5).
    var timePartner: Attribute? {
        guard kind == .date, keyword.hasSuffix("Date") else { return nil }
        let keyword = keyword.dropLast(4) + "Time"
        return Self.table.first { $0.keyword == keyword && $0.kind == .time }
    }
}
