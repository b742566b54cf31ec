// `hospital:` of the configuration file.

import DIMSEServer
import Encounters

/// `hospital:` whose orders these are, how they are numbered, and what modalities are told of them.
package struct HospitalSection: Decodable, Sendable, Equatable {
    /// The code that insurance knows the hospital by: namespace of its patient codes and accession numbers.
    package var facility = ""
    /// Institution Name (0008,0080), where the visit's facility is not known.
    package var name = ""
    package var accessionPrefix = "PH"
    package var duplicateOrderHours = 24
    package var worklistLimit = 10_000
    package var worklistOwnStation = false
    /// Seconds without a further image after which a study is complete.
    package var settleSeconds = 60
    /// Procedures of modalities that report nothing are completed then.
    package var completeSettled = true

    package init() {}

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case facility, name, accessionPrefix, duplicateOrderHours, worklistLimit, worklistOwnStation
        case settleSeconds, completeSettled
    }

    package init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        facility = try values.decodeIfPresent(String.self, forKey: .facility) ?? facility
        guard facility.count <= 32, facility.utf8.allSatisfy(Self.isPlain) else {
            throw ConfigurationError("hospital.facility: at most 32 letters, digits, dots or dashes")
        }
        name = try values.decodeIfPresent(String.self, forKey: .name) ?? name
        guard name.count <= 64 else { throw ConfigurationError("hospital.name: at most 64 characters") }
        accessionPrefix = try values.decodeIfPresent(String.self, forKey: .accessionPrefix) ?? accessionPrefix
        // Prefix, six digits of the day, a counter of five or six, a check digit: 16 in all.
        guard accessionPrefix.count <= 3, accessionPrefix.utf8.allSatisfy(Self.isPlain) else {
            throw ConfigurationError("hospital.accessionPrefix: at most 3 letters, digits, dots or dashes")
        }
        duplicateOrderHours = try values.integer(.duplicateOrderHours, 0...24 * 365, duplicateOrderHours, "hospital")
        worklistLimit = try values.integer(.worklistLimit, 1...1_000_000, worklistLimit, "hospital")
        worklistOwnStation = try values.decodeIfPresent(Bool.self, forKey: .worklistOwnStation) ?? worklistOwnStation
        settleSeconds = try values.integer(.settleSeconds, 1...86_400, settleSeconds, "hospital")
        completeSettled = try values.decodeIfPresent(Bool.self, forKey: .completeSettled) ?? completeSettled
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            || byte == 0x2D || byte == 0x2E || byte == 0x5F
    }
}

extension OrderSettings {
    init(_ section: HospitalSection) {
        self.init(
            issuer: section.facility, accessionPrefix: section.accessionPrefix,
            duplicateHours: Int64(section.duplicateOrderHours))
    }
}

extension WorklistPolicy {
    init(_ section: HospitalSection) {
        self.init(
            institutionName: section.name, issuer: section.facility, narrowsToStation: section.worklistOwnStation,
            limit: section.worklistLimit)
    }
}
