// `forwarding:` of the configuration file: where studies are sent on to, by which rules, and what may go here then.

package import Forwarding
package import Records

/// `forwarding:` how this archive is called by others, destinations and rules, earlier studies from elsewhere, purging.
package struct ForwardingSection: Decodable, Sendable, Equatable {
    /// By which the centre knows this archive.
    package var station = ""
    package var destinations: [DestinationEntry] = []
    package var routes: [RouteEntry] = []
    /// Earlier studies that an order asks for; nil: none are fetched.
    package var priors: PriorRules?
    package var purge = PurgeSection()

    package init() {}

    private enum CodingKeys: String, CodingKey, CaseIterable { case station, destinations, routes, priors, purge }

    package init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        station = try values.decodeIfPresent(String.self, forKey: .station) ?? station
        guard station.isEmpty || station.wholeMatch(of: /[A-Za-z0-9._-]{1,64}/) != nil else {
            throw ConfigurationError("forwarding.station: 1 to 64 letters, digits, dots or dashes")
        }
        destinations = try values.decodeIfPresent([DestinationEntry].self, forKey: .destinations) ?? destinations
        routes = try values.decodeIfPresent([RouteEntry].self, forKey: .routes) ?? routes
        priors = try values.decodeIfPresent(PriorsSection.self, forKey: .priors)?.rules
        purge = try values.decodeIfPresent(PurgeSection.self, forKey: .purge) ?? purge
        try Self.once(destinations.map(\.name), "forwarding.destinations")
        try Self.once(routes.map(\.name), "forwarding.routes")
    }

    private static func once(_ names: [String], _ place: String) throws(ConfigurationError) {
        var seen: Set<String> = []
        for name in names where !seen.insert(name.lowercased()).inserted {
            throw ConfigurationError("\(place): the name \(name) is there twice")
        }
    }
}

extension Configuration {
    /// By which a centre knows this archive: as it is set, otherwise the hospital's code, otherwise our AE title.
    var stationName: String {
        if !forwarding.station.isEmpty { return forwarding.station }
        return hospital.facility.isEmpty ? dicom.aeTitle : hospital.facility
    }
}

/// One entry of `forwarding.destinations:`.
package struct DestinationEntry: Decodable, Sendable, Equatable {
    package let name: String
    package var settings = DestinationSettings()

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case name, peer, dicomweb, phim, tokenFile, ca, certificate, key, tls, commit, lanes, timetable
        case needsLegalBasis, contractFrom, contractUntil
    }

    package init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        name = try values.decode(String.self, forKey: .name)
        let place = "forwarding.destinations: \(name)"
        guard (1...64).contains(name.count), !name.contains(where: \.isNewline) else {
            throw ConfigurationError("forwarding.destinations: name: 1 to 64 characters")
        }
        func text(_ key: CodingKeys) throws -> String { try values.decodeIfPresent(String.self, forKey: key) ?? "" }
        func flag(_ key: CodingKeys) throws -> Bool { try values.decodeIfPresent(Bool.self, forKey: key) ?? false }
        let ways: [(CodingKeys, DestinationSettings.Way)] = [(.peer, .dimse), (.dicomweb, .dicomweb), (.phim, .phim)]
        let given = ways.filter { values.contains($0.0) }
        guard given.count == 1, let (key, way) = given.first else {
            throw ConfigurationError("\(place): give one of peer, dicomweb and phim")
        }
        settings.way = way
        if way == .dimse { settings.peer = try text(key) } else { settings.url = try text(key) }
        settings.tokenFile = try text(.tokenFile)
        settings.caFile = try text(.ca)
        settings.certificateFile = try text(.certificate)
        settings.keyFile = try text(.key)
        settings.isSecure = try flag(.tls)
        settings.commits = try flag(.commit)
        settings.lanes = try values.integer(.lanes, 1...16, settings.lanes, place)
        settings.timetable = try values.decodeIfPresent([String].self, forKey: .timetable) ?? []
        settings.needsLegalBasis = try flag(.needsLegalBasis)
        settings.contractFrom = try text(.contractFrom)
        settings.contractUntil = try text(.contractUntil)
        do throws(ForwardingFailure) { try RouteBook.check(settings) } catch {
            throw ConfigurationError("\(place): \(error.sentence)")
        }
    }

    var declared: DeclaredDestination { DeclaredDestination(name: name, settings: settings) }
}

/// One entry of `forwarding.routes:`.
package struct RouteEntry: Decodable, Sendable, Equatable {
    package let name: String
    package let to: String
    package var settings = RouteSettings()
    package let isOn: Bool

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case name, to, when, priority, compress, deidentify, characterSet, legalBasis
        case isOn = "on"
    }

    package init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        name = try values.decode(String.self, forKey: .name)
        let place = "forwarding.routes: \(name)"
        guard (1...64).contains(name.count), !name.contains(where: \.isNewline) else {
            throw ConfigurationError("forwarding.routes: name: 1 to 64 characters")
        }
        func text(_ key: CodingKeys) throws -> String { try values.decodeIfPresent(String.self, forKey: key) ?? "" }
        to = try values.decode(String.self, forKey: .to)
        settings.conditions = try values.decodeIfPresent([String].self, forKey: .when) ?? []
        settings.priority = try values.decodeIfPresent(String.self, forKey: .priority) ?? settings.priority
        settings.transform.compresses = try values.decodeIfPresent(Bool.self, forKey: .compress) ?? false
        settings.transform.deidentification = try text(.deidentify)
        settings.transform.characterSet = try text(.characterSet)
        settings.legalBasis = try text(.legalBasis)
        isOn = try values.decodeIfPresent(Bool.self, forKey: .isOn) ?? true
        do throws(ForwardingFailure) { _ = try RouteConditions(settings.conditions) } catch {
            throw ConfigurationError("\(place): \(error.sentence)")
        }
        guard ShipmentRecord.Priority(word: settings.priority) != nil else {
            throw ConfigurationError("\(place): priority \(settings.priority) is none of stat, normal, bulk")
        }
    }

    var declared: DeclaredRoute { DeclaredRoute(name: name, destination: to, settings: settings, isOn: isOn) }
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

/// `forwarding.purge:` when images that another archive has proven to hold may be given up here.
package struct PurgeSection: Decodable, Sendable, Equatable {
    /// Days since the last image of a study came; nil: nothing is said, and nothing goes by itself.
    package var afterDays: Int?
    /// Percent of the disk above which images go by themselves, until it is below.
    package var whenFullerThan = 80
    package var automatic = false
    /// AE titles of devices that ask for storage commitment and keep nothing for others: what they were told keeps no study
    /// here.
    package var devices: [String] = []

    package init() {}

    private enum CodingKeys: String, CodingKey, CaseIterable { case afterDays, whenFullerThan, automatic, devices }

    package init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        if values.contains(.afterDays) {
            afterDays = try values.integer(.afterDays, 1...36_500, 1, "forwarding.purge")
        }
        whenFullerThan = try values.integer(.whenFullerThan, 1...99, whenFullerThan, "forwarding.purge")
        automatic = try values.decodeIfPresent(Bool.self, forKey: .automatic) ?? automatic
        devices = try values.decodeIfPresent([String].self, forKey: .devices) ?? devices
        for title in devices where !Peer.isAETitle(title) {
            throw ConfigurationError("forwarding.purge.devices: \(title) is no AE title")
        }
        guard !automatic || afterDays != nil else {
            throw ConfigurationError("forwarding.purge: automatic needs afterDays: how long images stay in any case")
        }
    }
}
