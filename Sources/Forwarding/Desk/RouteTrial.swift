// A rule tried on what came of late, before it is switched on.

import Catalog
import DICOMCore
import Encounters
import Records

/// What a rule would have sent.
package struct RouteTrial: Encodable, Sendable {
    /// Days that were looked at, by Study Date.
    package let days: Int
    /// Studies that were looked at.
    package let looked: Int
    /// Whether there were more than were looked at: the newest count.
    package let isCut: Bool
    package let studies: Int
    package let instances: Int
    package let bytes: Int64
    /// Of those that fit, by modality.
    package let byModality: [String: Int]
    /// Which condition kept how many studies out: of each study the first that does not hold.
    package let keptOut: [String: Int]

    package var bytesPerDay: Int64 { bytes / Int64(max(days, 1)) }
}

extension RouteBook {
    /// Looks at the newest studies of the last days as a rule with these conditions would, and does nothing.
    /// - Parameter limit: how many studies are looked at at most.
    package func trial(
        of conditions: [String], days: Int, limit: Int = 5_000
    ) throws(ForwardingFailure) -> RouteTrial {
        guard (1...3_650).contains(days) else { throw .invalid(field: "days", reason: "from 1 to 3650") }
        let rule = try RouteConditions(conditions)
        let peers: [Peer]
        let uids: [String]
        do {
            peers = try encounters.records.peers()
            let first = encounters.records.now() - Int64(days) * 86_400_000_000
            uids = try newest(since: LocalTime.day(first), limit: limit + 1)
        } catch { throw .unavailable(reason: "The catalogue cannot be read now") }
        var (looked, fit, instances, bytes) = (0, 0, 0, Int64(0))
        var byModality: [String: Int] = [:]
        var keptOut: [String: Int] = [:]
        for uid in uids.prefix(limit) {
            guard let contents = try StudyContents(uid, catalog) else { continue }
            looked += 1
            let traits = try look { try contents.traits($0, peers: peers) }
            if let failing = rule.failing(traits) {
                keptOut[failing, default: 0] += 1
                continue
            }
            fit += 1
            instances += contents.instances.count
            bytes += contents.octets
            for modality in contents.shown[.modality] ?? [] { byModality[modality, default: 0] += 1 }
        }
        return RouteTrial(
            days: days, looked: looked, isCut: uids.count > limit, studies: fit, instances: instances, bytes: bytes,
            byModality: byModality, keptOut: keptOut)
    }

    private func newest(since day: String, limit: Int) throws -> [String] {
        let query = Query(
            level: .study, filters: [.studyDate: .range(lower: day, upper: nil)], returnKeys: [.studyInstanceUID],
            limit: limit)
        return try catalog.find(query).compactMap { $0.values[.studyInstanceUID] }
    }
}
