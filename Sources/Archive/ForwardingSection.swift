// `forwarding:` of the configuration file.

package import Forwarding

/// `forwarding:` what comes from other archives ahead of need.
package struct ForwardingSection: Decodable, Sendable, Equatable {
    /// Earlier studies that an order asks for; nil: none are fetched.
    package var priors: PriorRules?

    package init() {}

    private enum CodingKeys: String, CodingKey, CaseIterable { case priors }

    package init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        priors = try values.decodeIfPresent(PriorsSection.self, forKey: .priors)?.rules
    }
}

/// `forwarding.priors:` earlier studies of a patient for whom an order comes.
private struct PriorsSection: Decodable {
    let rules: PriorRules

    private enum CodingKeys: String, CodingKey, CaseIterable { case from, match, studies, years }

    init(from decoder: any Decoder) throws {
        let place = "forwarding.priors"
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        var rules = PriorRules(from: try values.decode(String.self, forKey: .from))
        guard !rules.from.isEmpty else {
            throw ConfigurationError("\(place).from: the name of a destination or peer")
        }
        if let word = try values.decodeIfPresent(String.self, forKey: .match) {
            guard let match = PriorRules.Match(rawValue: word) else {
                let known = PriorRules.Match.allCases.map(\.rawValue).joined(separator: ", ")
                throw ConfigurationError("\(place).match: \(word) is none of \(known)")
            }
            rules.match = match
        }
        rules.studies = try values.integer(.studies, 1...100, rules.studies, place)
        rules.years = try values.integer(.years, 1...100, rules.years, place)
        self.rules = rules
    }
}
