// Which profile is asked for: the basic one, and options to it (PS3.15 Annex E).

/// Why a data set is not de-identified. None of the cases carries a value of it.
package enum DeidentificationFailure: Error, Hashable, Sendable {
    /// No profile or option of that name.
    case unknownProfile(String)
    /// The object may show or tell who the patient is where no header says it.
    case unsuitable(reason: String)

    /// One sentence.
    package var sentence: String {
        switch self {
        case .unknownProfile(let name):
            "\"\(name)\" is no de-identification profile: basic, with any of "
                + DeidentificationProfile.Option.allCases.map { "+\($0.rawValue)" }.joined(separator: ", ")
        case .unsuitable(let reason): "not de-identified: \(reason)"
        }
    }
}

/// The Basic Application Level Confidentiality Profile (PS3.15 Section E.2) with options, written
/// `basic+retain-uids+retain-device`.
package struct DeidentificationProfile: Hashable, Sendable {
    package enum Option: String, CaseIterable, Sendable {
        /// Dates are shifted by days, the same for all of a patient (PS3.15 Section E.3.6, modified dates).
        case retainDatesShifted = "retain-dates-shifted"
        /// PS3.15 Section E.3.9.
        case retainUIDs = "retain-uids"
        /// PS3.15 Section E.3.8.
        case retainDevice = "retain-device"
        /// Sex, age, size, weight and what else describes a patient (PS3.15 Section E.3.7).
        case retainPatientCharacteristics = "retain-patient-characteristics"
        /// Somebody has seen to it that the pixels show nobody's name: classes whose pixels often do are let through.
        case acceptPixels = "accept-pixels"
    }

    package let options: Set<Option>

    /// Reads a profile's name.
    package init(_ name: String) throws(DeidentificationFailure) {
        let parts = name.split(separator: "+", omittingEmptySubsequences: false).map {
            $0.split(separator: " ").joined().lowercased()
        }
        guard parts.first == "basic" else { throw .unknownProfile(name) }
        var options: Set<Option> = []
        for part in parts.dropFirst() {
            guard let option = Option(rawValue: part) else { throw .unknownProfile(name) }
            options.insert(option)
        }
        self.options = options
    }

    /// What was done, as De-identification Method Code Sequence (0012,0064) says it (PS3.16 CID 7050).
    var codes: [(value: String, meaning: String)] {
        var codes = [("113100", "Basic Application Confidentiality Profile")]
        if options.contains(.retainDatesShifted) {
            codes.append(("113107", "Retain Longitudinal Temporal Information Modified Dates Option"))
        }
        if options.contains(.retainPatientCharacteristics) {
            codes.append(("113108", "Retain Patient Characteristics Option"))
        }
        if options.contains(.retainDevice) { codes.append(("113109", "Retain Device Identity Option")) }
        if options.contains(.retainUIDs) { codes.append(("113110", "Retain UIDs Option")) }
        return codes
    }
}
