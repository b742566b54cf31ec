// What a station found out about a study after its images came, put beside the study here.

import Access
import Catalog
import DICOMCore
import Encounters
import Web

/// What became of a correction that came with a question.
struct CorrectionAnswer: Sendable {
    /// Whether it holds here now, but for what is rejected; nil where none was said.
    var isTaken: Bool?
    /// Attributes that nobody may correct, or whose values are none; nil where there are none.
    var rejected: [String]?
}

/// Calls block.
struct StationCorrection: Sendable {
    private let services: ExchangeServices
    /// Attributes of a correction; one of more is not taken.
    private static let most = 100
    /// Octets of a value.
    private static let longestValue = 1_024

    init(_ services: ExchangeServices) { self.services = services }

    /// Takes what a station says of a study that it alone has handed over, and that nobody here has corrected. Said again it
    /// changes nothing; nil says nothing.
    func put(_ correction: [String: String]?, of study: String, by caller: Caller) throws -> CorrectionAnswer {
        guard let correction else { return CorrectionAnswer() }
        let source = "station:" + caller.account
        guard correction.count <= Self.most, try isAllFrom(source, study) else {
            return CorrectionAnswer(isTaken: false)
        }
        var values: [Tag: String] = [:]
        var rejected: [String] = []
        for (code, value) in correction {
            if code.utf8.count == 8, let raw = UInt32(code, radix: 16), value.utf8.count <= Self.longestValue {
                values[Tag(rawValue: raw)] = value
            } else {
                rejected.append(String(code.prefix(8)))
            }
        }
        let said = values
        let adoption = try services.encounters.change(by: source) { try $0.corrections.adopt(study: study, said) }
        if adoption.isNew { try services.corrections.project() }
        rejected += adoption.rejected.map(\.hexadecimal)
        return CorrectionAnswer(isTaken: adoption.isTaken, rejected: rejected.isEmpty ? nil : rejected.sorted())
    }

    /// Whether the study is here, and every object of it came from there.
    private func isAllFrom(_ source: String, _ study: String) throws -> Bool {
        let instances = try services.catalog.instances(Scope(studyUIDs: [study]))
        return !instances.isEmpty && instances.allSatisfy { $0.source == source }
    }
}
