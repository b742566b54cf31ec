// Stations say how they are, and the fleet is shown: POST /api/v1/exchange/contact, GET /api/v1/fleet.

import Access
import Encounters
import Foundation
import Hummingbird
import Records
import Web

struct ContactRoutes: Sendable {
    private let services: ExchangeServices

    init(_ services: ExchangeServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        group.post("contact") { request, context in
            let caller = try context.authorized(.exchange)
            let report = try await ExchangeChecks.body(StationReport.self, of: request, on: services)
            guard report.isSane else {
                throw Problem(
                    .badRequest,
                    "A name of 1 to 64 characters, a version, a backlog of stat, normal and bulk, each once, and numbers "
                        + "from 0 to \(StationReport.most).")
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
