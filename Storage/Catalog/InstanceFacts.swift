// What one instance says of itself and of its series, study and patient, decoded once on the way in.

package import DICOMCore
import Foundation

/// The indexed attributes of one instance, normalised so that equal facts are equal bytes.
package struct InstanceFacts: Hashable, Sendable {
    /// What was wrong with the instance but no reason to refuse it.
    package struct Flaws: OptionSet, Hashable, Sendable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }

        /// No Study Instance UID, or one that is no UID: a derived one stands in for it.
        package static let studyInstanceUID = Flaws(rawValue: 1)
        /// No Series Instance UID, or one that is no UID: a derived one stands in for it.
        package static let seriesInstanceUID = Flaws(rawValue: 2)
        /// No Patient ID: the study stays on its own.
        package static let patientID = Flaws(rawValue: 4)
        /// The reader had to tolerate damage in the header.
        package static let header = Flaws(rawValue: 8)
    }

    package private(set) var flaws: Flaws
    /// One value per row of `Attribute.table`; empty when the attribute is missing or empty.
    private var values: [String]

    /// The longest value kept, in Unicode scalars (PS3.5 Table 6.2-1: LT); the object itself keeps everything. Not in
    /// characters: one letter can carry megabytes of marks.
    private static let longest = 10_240

    /// The value of an attribute, multiple ones joined by backslashes; empty when there is none.
    package subscript(_ attribute: Attribute) -> String { values[attribute.ordinal] }

    package var studyInstanceUID: String { self[.studyInstanceUID] }
    package var seriesInstanceUID: String { self[.seriesInstanceUID] }
    package var sopInstanceUID: String { self[.sopInstanceUID] }
    package var sopClassUID: String { self[.sopClassUID] }
    package var transferSyntaxUID: String { self[.transferSyntaxUID] }

    /// Reads the facts of a header. The identifiers of the instance come from the command or the meta information,
    /// which the caller has compared with the header.
    package init(
        header: DataSet, sopClassUID: String, sopInstanceUID: String, transferSyntaxUID: String,
        headerIsDamaged: Bool = false
    ) {
        var flaws: Flaws = headerIsDamaged ? .header : []
        values = Attribute.table.map { $0.origin == .header ? Self.value(of: $0, in: header) : "" }
        values[Attribute.sopInstanceUID.ordinal] = sopInstanceUID
        values[Attribute.sopClassUID.ordinal] = sopClassUID
        values[Attribute.transferSyntaxUID.ordinal] = transferSyntaxUID
        if let stand = Self.standIn(for: values[Attribute.studyInstanceUID.ordinal], seed: sopInstanceUID) {
            values[Attribute.studyInstanceUID.ordinal] = stand
            flaws.insert(.studyInstanceUID)
        }
        if let stand = Self.standIn(for: values[Attribute.seriesInstanceUID.ordinal], seed: sopInstanceUID + "/series")
        {
            values[Attribute.seriesInstanceUID.ordinal] = stand
            flaws.insert(.seriesInstanceUID)
        }
        if values[Attribute.patientID.ordinal].isEmpty { flaws.insert(.patientID) }
        self.flaws = flaws
    }

    /// Facts from plain values, normalised as those of a header are.
    package init(_ given: [Attribute: String], flaws: Flaws = []) {
        values = [String](repeating: "", count: Attribute.table.count)
        for (attribute, value) in given { values[attribute.ordinal] = Self.normal(value, of: attribute) }
        self.flaws = flaws
    }

    /// A derived UID when the value is no UID. An illegal but present value is the seed itself, so that what
    /// shares it stays together.
    private static func standIn(for value: String, seed: String) -> String? {
        if UID.isValid(value) { return nil }
        return UID.derived(from: value.isEmpty ? seed : value)
    }

    private static func value(of attribute: Attribute, in header: DataSet) -> String {
        if let sequence = attribute.sequence {
            guard header[sequence] != nil else { return "" }
            // One value for each item, empty ones too, so that the values of one item stay together.
            let values = header.items(sequence).prefix(mostItems).map { $0.string(attribute.tag) ?? "" }
            return values.allSatisfy(\.isEmpty) ? "" : normal(values.joined(separator: "\\"), of: attribute)
        }
        return switch attribute.kind {
        case .text: normal(header.text(attribute.tag) ?? "", of: attribute)
        case .integer:
            normal(header.int(attribute.tag).map(String.init) ?? header.string(attribute.tag) ?? "", of: attribute)
        case .code, .personName, .uid, .date, .time, .dateTime:
            if attribute.isMultiple {
                normal(header.strings(attribute.tag).joined(separator: "\\"), of: attribute)
            } else {
                normal(header.string(attribute.tag) ?? "", of: attribute)
            }
        }
    }

    /// Items of a sequence that are looked at.
    private static let mostItems = 64

    private static func cut(_ value: String) -> String {
        value.utf8.count > longest ? String(value.unicodeScalars.prefix(longest)) : value
    }

    private static func normal(_ value: String, of attribute: Attribute) -> String {
        guard !value.isEmpty else { return "" }
        var value = attribute.isMultiple ? value : value.trimmed
        if value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
            // Only long text has lines; control characters elsewhere are damage, and U+001F separates stored values.
            let kept: [Unicode.Scalar] = attribute.kind == .text ? ["\r", "\n", "\t", "\u{0C}"] : []
            value.unicodeScalars.removeAll { ($0.value < 0x20 && !kept.contains($0)) || $0.value == 0x7F }
        }
        // Before it too, since normalising is work; composing can also lengthen.
        value = cut(cut(value).normalForm)
        return switch attribute.kind {
        case .date: DateRange.normalized(value) ?? value
        case .integer: Int64(value).map { String($0) } ?? value
        case .code, .text, .personName, .uid, .time, .dateTime: value
        }
    }
}

extension String {
    /// Normal form C, so that equal text is equal bytes, in Swift and in SQL.
    var normalForm: String { utf8.allSatisfy { $0 < 0x80 } ? self : Normalization.composed(self) }
}

extension StringProtocol {
    /// Without leading and trailing spaces and NULs, which are padding (PS3.5 Section 6.2).
    var trimmed: String {
        func isPadding(_ scalar: Unicode.Scalar) -> Bool { scalar == " " || scalar == "\0" }
        let scalars = String(self).unicodeScalars
        guard let first = scalars.firstIndex(where: { !isPadding($0) }) else { return "" }
        guard let last = scalars.lastIndex(where: { !isPadding($0) }) else { return "" }
        return String(scalars[first...last])
    }
}

// MARK: - The stored form

extension InstanceFacts {
    /// Who the study belongs to: patients are one when ID and issuer are equal; without an ID every study is a
    /// patient of its own, so that unknown people never merge.
    struct PatientKey: Hashable {
        let patientID: String
        let issuer: String
        let loneStudyUID: String
    }

    var patientKey: PatientKey {
        let patientID = self[.patientID]
        return PatientKey(
            patientID: patientID, issuer: self[.issuerOfPatientID],
            loneStudyUID: patientID.isEmpty ? studyInstanceUID : "")
    }

    /// Non-empty values of these levels as `GGGGEEEE=value`, separated by U+001F, which no value contains.
    func encoded(levels: ClosedRange<QueryLevel>) -> String {
        var text = ""
        text.reserveCapacity(1_024)
        for ordinal in Attribute.ordinals(levels) where !values[ordinal].isEmpty {
            if !text.isEmpty { text += "\u{1F}" }
            text += Attribute.prefixes[ordinal]
            text += values[ordinal]
        }
        return text
    }

    /// Whether two instances say the same of this level and of those above.
    func agrees(with other: InstanceFacts, to level: QueryLevel) -> Bool {
        // From below: what tells instances of one series apart, if anything, is not who the patient is.
        Attribute.ordinals(.patient...level).reversed().allSatisfy { values[$0] == other.values[$0] }
    }

    /// The inverse of `encoded`; several encodings may be given, for different levels. Unknown tags are passed over.
    init(encoded: [String], flaws: Flaws) {
        values = [String](repeating: "", count: Attribute.table.count)
        self.flaws = flaws
        for pair in encoded.lazy.flatMap({ $0.split(separator: "\u{1F}") }) {
            guard let equals = pair.utf8.firstIndex(of: UInt8(ascii: "=")), let raw = UInt32(pair[..<equals], radix: 16)
            else { continue }
            guard let attribute = Attribute.ofCode(Tag(rawValue: raw)) else { continue }
            values[attribute.ordinal] = String(pair[pair.utf8.index(after: equals)...])
        }
    }

    /// Puts another value in the place of one, normalised as those of a header are.
    mutating func replace(_ attribute: Attribute, by value: String) {
        values[attribute.ordinal] = Self.normal(value, of: attribute)
    }

    /// Puts back one value that is stored in a column of its own.
    mutating func restore(_ value: String, of attribute: Attribute) { values[attribute.ordinal] = value }
}
