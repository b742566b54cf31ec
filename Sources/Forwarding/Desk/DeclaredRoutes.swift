// Destinations and rules that the configuration file declares: brought into the records at every start.

import Encounters
package import Records

/// A destination as the file has it.
package struct DeclaredDestination: Hashable, Sendable {
    package let name: String
    package let settings: DestinationSettings

    package init(name: String, settings: DestinationSettings) {
        self.name = name
        self.settings = settings
    }
}

/// A rule as the file has it.
package struct DeclaredRoute: Hashable, Sendable {
    package let name: String
    package let destination: String
    package let settings: RouteSettings
    package let isOn: Bool

    package init(name: String, destination: String, settings: RouteSettings, isOn: Bool) {
        self.name = name
        self.destination = destination
        self.settings = settings
        self.isOn = isOn
    }
}

extension RouteBook {
    /// Makes the records say what the file says. What the file declared before and does not any more is removed; what a
    /// person added stays, and gives way where the file has the name now. What is known of a line, and what waits for it,
    /// stays as it is.
    package func declare(
        _ destinations: [DeclaredDestination], _ routes: [DeclaredRoute]
    ) throws(ForwardingFailure) {
        for destination in destinations { try Self.check(destination.settings) }
        for route in routes {
            _ = try RouteConditions(route.settings.conditions)
            guard ShipmentRecord.Priority(word: route.settings.priority) != nil else {
                throw .invalid(field: "priority", reason: "stat, normal or bulk")
            }
            if let objection = OutgoingForms.objection(to: route.settings.transform) {
                throw .invalid(field: "rule \(route.name)", reason: objection)
            }
        }
        try change(by: "configuration file") { desk in
            let records = desk.records
            let wanted = Set(routes.map { $0.name.lowercased() })
            for old in try records.routes() where old.isFromFile && !wanted.contains(old.name.lowercased()) {
                try records.removeRoute(old.name)
            }
            for destination in destinations {
                var settings = destination.settings
                // By which the receipts of an archive are known was learnt at the first contact; another archive has another.
                if let known = try records.destination(destination.name)?.settings, known.url == settings.url {
                    settings.receiptKey = known.receiptKey
                }
                try records.putDestination(destination.name, settings)
                try records.markDestination(destination.name, isFromFile: true)
            }
            for route in routes {
                guard try records.destination(route.destination) != nil else {
                    throw EncounterFailure.invalid(
                        field: "rule \(route.name)", reason: "there is no destination and no peer \(route.destination)")
                }
                try records.putRoute(route.name, to: route.destination, route.settings, isOn: route.isOn)
                try records.markRoute(route.name, isFromFile: true)
            }
            let kept = Set(destinations.map { $0.name.lowercased() })
            let led = Set(try records.routes().map { $0.destination.lowercased() })
            for old in try records.destinations() where old.isFromFile && !kept.contains(old.name.lowercased()) {
                // A rule that a person made still leads there: it is theirs from now on.
                if led.contains(old.name.lowercased()) {
                    try records.markDestination(old.name, isFromFile: false)
                } else {
                    try records.removeDestination(old.name)
                }
            }
        }
    }

    /// Throws where the configuration file says what a destination is.
    package func demandOwn(destination name: String) throws(ForwardingFailure) {
        guard try look({ try $0.destination(name)?.isFromFile }) == true else { return }
        throw .conflict(reason: "\(name) is in the configuration file; change it there and restart")
    }

    package func demandOwn(route name: String) throws(ForwardingFailure) {
        guard try look({ try $0.route(name)?.isFromFile }) == true else { return }
        throw .conflict(reason: "The rule \(name) is in the configuration file; change it there and restart")
    }

    package func destinations() throws(ForwardingFailure) -> [DestinationReport] {
        try look { records in try records.destinations().map { DestinationReport($0, now: records.now) } }
    }

    package func destination(_ name: String) throws(ForwardingFailure) -> DestinationRecord {
        guard let found = try look({ try $0.destination(name) }) else { throw .unknown(what: "destination") }
        return found
    }

    package func routes() throws(ForwardingFailure) -> [RouteReport] {
        try look { try $0.routes().map(RouteReport.init) }
    }

    package func route(_ name: String) throws(ForwardingFailure) -> RouteRecord {
        guard let found = try look({ try $0.route(name) }) else { throw .unknown(what: "rule") }
        return found
    }

    /// Switches a rule on or off; it stays as it is otherwise.
    package func turn(route name: String, on isOn: Bool, by actor: String) throws(ForwardingFailure) {
        let known = try route(name)
        try put(route: known.name, to: known.destination, known.settings, isOn: isOn, by: actor)
    }

    /// The peer that a destination would be made of: a rule may name a peer. Nil where there is such a destination, or no
    /// such peer.
    package func peer(toBecome name: String, of peers: [String]) throws(ForwardingFailure) -> String? {
        guard try look({ try $0.destination(name) }) == nil else { return nil }
        return peers.first { $0.lowercased() == name.lowercased() }
    }

    /// Makes a destination of a peer's name where there is none.
    /// - Returns: Whether it was made.
    package func makeDestination(
        named name: String, of peers: [String], by actor: String
    ) throws(ForwardingFailure) -> Bool {
        guard let peer = try peer(toBecome: name, of: peers) else { return false }
        var settings = DestinationSettings()
        settings.peer = peer
        try put(destination: peer, settings, by: actor)
        return true
    }
}
