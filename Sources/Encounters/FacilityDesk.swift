// Hospitals, stations and their points: a code is true for a time, and for one place at a time.

package import Records

/// The facilities of one transaction.
package struct FacilityDesk {
    let records: RecordTransaction

    package init(_ records: RecordTransaction) { self.records = records }

    /// Adds a facility, or renews what is known of the one with this code and first day. Its time must not overlap with that
    /// of another of the same code, and a point's facility must be known.
    package func put(_ facility: FacilityRecord) throws {
        for day in [facility.validFrom, facility.validUntil] where !day.isEmpty {
            guard LocalTime.instant(day) != nil else {
                throw EncounterFailure.invalid(field: "validity", reason: "a day as yyyymmdd")
            }
        }
        guard facility.validUntil.isEmpty || facility.validFrom <= facility.validUntil else {
            throw EncounterFailure.invalid(field: "validity", reason: "the last day is before the first")
        }
        let known = try records.facilities()
        if let parent = facility.parent {
            guard known.contains(where: { $0.code == parent }), parent != facility.code else {
                throw EncounterFailure.unknown(what: "facility that this point belongs to")
            }
        }
        let others = known.filter { $0.code == facility.code && $0.validFrom != facility.validFrom }
        guard !others.contains(where: { Self.overlap($0, facility) }) else {
            throw EncounterFailure.conflict(reason: "Another facility has this code at the same time; end it first")
        }
        try records.putFacility(facility)
    }

    /// The last day on which a code is true.
    package func end(code: String, on day: String) throws -> FacilityRecord {
        guard day.count == 8, LocalTime.instant(day) != nil else {
            throw EncounterFailure.invalid(field: "validity", reason: "a day as yyyymmdd")
        }
        guard let known = try records.facility(code: code, on: day) else {
            throw EncounterFailure.unknown(what: "facility on that day")
        }
        let ended = try FacilityRecord(
            code: known.code, name: known.name, parent: known.parent, validFrom: known.validFrom, validUntil: day)
        try records.putFacility(ended)
        return ended
    }

    private static func overlap(_ one: FacilityRecord, _ other: FacilityRecord) -> Bool {
        (one.validUntil.isEmpty || other.validFrom <= one.validUntil)
            && (other.validUntil.isEmpty || one.validFrom <= other.validUntil)
    }
}
