// What a station found out about a study after its images came, put beside the study here.

import Access
import DICOMCore
import Encounters
import HTTPTypes
import Web

/// Calls block.
struct StationCorrection: Sendable {
    private let services: ExchangeServices

    init(_ services: ExchangeServices) { self.services = services }

    /// Said again it changes nothing; nil says nothing.
    func put(_ correction: [String: String]?, of study: String, by caller: Caller) throws {
        guard let correction, correction.count <= 100 else { return }
        var values: [Tag: String] = [:]
        for (code, value) in correction {
            guard code.count == 8, let raw = UInt32(code, radix: 16), value.utf8.count <= 1_024 else {
                throw Problem(.badRequest, "correction: values by tag, such as 00100010")
            }
            values[Tag(rawValue: raw)] = value
        }
        let said = values
        let isNew = try services.encounters.change(by: "station:" + caller.account) {
            try $0.corrections.adopt(study: study, said)
        }
        if isNew { try services.corrections.project() }
    }
}
