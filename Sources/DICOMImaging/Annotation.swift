// The text that a rendered image may bear (PS3.18 Section 8.3.5.1.1).

package import DICOMCore

/// Lines for `RenderingRequest.annotation`.
package enum Annotation {
    /// Who: name, identifier, birth date and sex.
    package static func patient(_ header: DataSet) -> [String] {
        let name = header.string(.patientName)?.split(separator: "=").first.map {
            $0.split(separator: "^").joined(separator: " ")
        }
        let facts = [header.string(.patientBirthDate), header.string(.patientSex)].compactMap(\.self)
        return [name, header.string(.patientID), facts.joined(separator: "  ")].compactMap(\.self).filter {
            !$0.isEmpty
        }
    }

    /// How: date, modality, description, series and instance number.
    package static func technique(_ header: DataSet) -> [String] {
        let numbers = [header.string(.seriesNumber), header.string(.instanceNumber)].compactMap(\.self)
        let first = [header.string(.studyDate), header.string(.modality)].compactMap(\.self).joined(separator: "  ")
        return [first, header.string(.seriesDescription) ?? "", numbers.joined(separator: " / ")].filter { !$0.isEmpty }
    }
}
