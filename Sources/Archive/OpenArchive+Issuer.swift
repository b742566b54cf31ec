// The hospital got its code after its first patients.

import Encounters
import Logging
import Records

extension OpenArchive {
    /// Patient codes, visits and orders from before `hospital.facility` was set become the facility's: the same code is
    /// the same person before and after.
    static func adopt(in encounters: Encounters, _ logger: Logger) throws(EncounterFailure) {
        let facility = encounters.settings.issuer
        guard !facility.isEmpty, try encounters.look({ try $0.hasUnissued(besides: facility) }) else { return }
        let adoption = try encounters.change(by: "hospital.facility") { try $0.records.adoptUnissued(as: facility) }
        logger.notice(
            "what was known before hospital.facility was set is the facility's now",
            metadata: [
                "patientCodes": "\(adoption.identifiers)", "visits": "\(adoption.visits)",
                "orders": "\(adoption.orders)",
            ])
        if adoption.contested > 0 {
            logger.warning(
                "some numbers are known both with and without the facility's code: merge these patients",
                metadata: ["count": "\(adoption.contested)"])
        }
    }
}
