// Stations say how they are, and the fleet is shown: POST /api/v1/exchange/contact, GET /api/v1/fleet.

import Access
import Encounters
import Forwarding
import Foundation
import Hummingbird
import Records
import Web

struct ContactRoutes: Sendable {
    private let services: ExchangeServices
    private static let mostBacklog = 100

    init(_ services: ExchangeServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        group.post("contact") { request, context in
            let caller = try context.authorized(.exchange)
            let report = try await ExchangeChecks.body(StationReport.self, of: request, on: services)
            guard (1...64).contains(report.name.count), !report.name.contains(where: \.isNewline),
                report.version.count <= 64, report.backlog.count <= Self.mostBacklog,
                report.backlog.allSatisfy({ ShipmentRecord.Priority(word: $0.priority)?.word == $0.priority })
            else {
                throw Problem(
                    .badRequest,
                    "A name of 1 to 64 characters, a version, and a short backlog of stat, normal and bulk.")
            }
            let now = try await services.run { services in
                try services.encounters.change(by: "station:" + caller.account) { desk in
                    // A clock that is far off must not overflow.
                    let (skew, isTooFar) = report.time.subtractingReportingOverflow(desk.records.now)
                    let seen = StationSeen(report: report, skew: isTooFar ? .max : skew)
                    let body = String(decoding: try JSONEncoder().encode(seen), as: UTF8.self)
                    // Names are the stations' own and may be alike: what tells them apart is the account.
                    try desk.records.putStation(caller.account, account: caller.account, body: body)
                    return desk.records.now
                }
            }
            return try ExchangeChecks.response(
                ContactAnswer(name: services.name, version: services.version, time: now))
        }
    }
}

struct FleetRoutes: Sendable {
    private let services: ExchangeServices

    init(_ services: ExchangeServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        group.get("fleet") { _, context in
            _ = try context.authorized(.forward)
            return try ExchangeChecks.response(try await services.run { try Fleet.stations(of: $0.encounters) })
        }
    }
}
