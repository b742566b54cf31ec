// The stations that send to this archive, as they last said of themselves.

package import Encounters
import Foundation
import Records

/// The fleet. Calls block.
package enum Fleet {
    /// A station says something every minute; this is how long nothing may be heard of it, in seconds.
    package static let silence: Double = 300

    package static func stations(of encounters: Encounters) throws(EncounterFailure) -> [FleetStation] {
        let (rows, now) = try encounters.look { (try $0.stations(), $0.now) }
        return rows.compactMap { FleetStation($0, now: now) }
    }
}

extension FleetStation {
    /// Nil for what another version of this program wrote and cannot be read or shown.
    init?(_ row: StationRecord, now: Int64) {
        guard let seen = try? JSONDecoder().decode(StationSeen.self, from: Data(row.body.utf8)), seen.report.isSane
        else { return nil }
        let report = seen.report
        self.init(
            name: report.name, account: row.account, firstAt: Self.date(row.firstAt), lastAt: Self.date(row.lastAt),
            isSilent: Double(now - row.lastAt) / 1e6 > Fleet.silence, version: report.version,
            diskFree: report.diskFree, diskTotal: report.diskTotal,
            backlog: report.backlog.map {
                Backlog(
                    priority: $0.priority, studies: $0.studies, instances: $0.instances, octets: $0.octets,
                    oldest: Self.date($0.oldest))
            },
            newestAt: report.newestAt.map(Self.date), clockSkew: Double(seen.skew) / 1e6)
    }

    private static func date(_ microseconds: Int64) -> Date { Date(timeIntervalSince1970: Double(microseconds) / 1e6) }
}
