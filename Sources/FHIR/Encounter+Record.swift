// Visits, from the records and to them.

import Encounters
import Foundation
import Records

extension Encounter {
    /// - Parameters:
    ///   - patient: the row that the person is seen as.
    ///   - facility: what the visit's facility is called, where its code is known.
    init(_ record: EncounterRecord, patient: Int64, facility: FacilityRecord?) {
        let details = record.details
        id = "\(record.id)"
        identifier = Identifier(IssuedNumber(issuer: record.issuer, value: record.number), .visit, type: "VN").map {
            [$0]
        }
        status = record.status.rawValue
        self.class = Self.classes[details.patientClass.uppercased()] ?? .unknown
        serviceType = details.hospitalService.unlessEmpty.map { CodeableConcept(text: $0) }
        subject = Reference(reference: "Patient/\(patient)")
        participant =
            [
                Participant(role: "ATND", "attender", details.attendingPhysician),
                Participant(role: "REF", "referrer", details.referringPhysician),
            ].compactMap(\.self).unlessEmpty
        let (start, end) = (FHIRDate.dateTime(details.startedAt), FHIRDate.dateTime(details.endedAt))
        period = start == nil && end == nil ? nil : Period(start: start, end: end)
        reasonCode = details.admittingDiagnosis.unlessEmpty.map { [CodeableConcept(text: $0)] }
        let place = [details.department, details.room, details.bed]
        if place.contains(where: { !$0.isEmpty }) {
            var words = place[...]
            while words.last == "" { words.removeLast() }
            location = [Location(location: Reference(display: words.joined(separator: Self.placeSeparator)))]
        }
        if !details.facility.isEmpty {
            let number = IssuedNumber(issuer: Self.facilitySystem, value: details.facility)
            serviceProvider = Reference(
                type: "Organization", identifier: Identifier(number, .facility), display: facility?.name)
        }
        meta = Meta(versionId: FHIRFormat.version(self), lastUpdated: FHIRDate.instant(record.updatedAt))
    }

    /// Department, room and bed in words: `K01 / P2 / G5`.
    private static let placeSeparator = " / "
    /// VN Core: codes of facilities, as the ministry gives them.
    static let facilitySystem = "http://fhir.ehealth.gov.vn/core/sid/provider-medical-license-number"

    /// HL7 Table 0004.
    static let classes: [String: Coding] = [
        "I": Coding(system: Coding.acts, code: "IMP", display: "inpatient encounter"),
        "O": Coding(system: Coding.acts, code: "AMB", display: "ambulatory"),
        "E": Coding(system: Coding.acts, code: "EMER", display: "emergency"),
        "P": Coding(system: Coding.acts, code: "PRENC", display: "pre-admission"),
    ]

    /// FHIR's classes as those of Table 0004.
    static let patientClasses = [
        "IMP": "I", "ACUTE": "I", "NONAC": "I", "AMB": "O", "OBSENC": "O", "SS": "O", "HH": "O", "VR": "O",
        "FLD": "O", "EMER": "E", "PRENC": "P",
    ]

    /// What a status says has happened.
    static let events: [String: EncounterEvent] = [
        "planned": .preadmit, "arrived": .register, "triaged": .register, "in-progress": .admit, "onleave": .admit,
        "finished": .discharge, "cancelled": .cancelAdmit, "entered-in-error": .cancelAdmit, "unknown": .update,
    ]

    // MARK: What a sender says

    /// What happened to the visit.
    func event(at root: String = "Encounter") throws -> EncounterEvent {
        guard let event = status.flatMap({ Self.events[$0] }) else {
            throw FHIRFault.value(root + ".status", "A status is a code of the value set encounter-status.")
        }
        return event
    }

    func number(site: String, at root: String = "Encounter") throws -> IssuedNumber {
        let visit = identifier?.first { $0.typeCode == "VN" } ?? identifier?.first { $0.use != "old" }
        guard let number = visit?.number(.visit, of: site) else {
            throw FHIRFault.required(root + ".identifier", "The visit's number is needed.")
        }
        return number
    }

    /// - Parameter isWhole: what is left out is not known any more; otherwise it stays as it was.
    func facts(
        _ number: IssuedNumber, asOf: Int64, isWhole: Bool, at root: String = "Encounter"
    ) throws -> EncounterFacts {
        try Unread.refuse(implicitRules, modifierExtension, at: root)
        let said = try details(at: root)
        // Classes that FHIR has no code for stay as they were.
        let isClassed = self.class?.code != Coding.unknown.code
        return EncounterFacts(issuer: number.issuer, number: number.value, asOf: asOf) { known in
            let patientClass = known.patientClass
            for path in Self.texts where isWhole || !said[keyPath: path].isEmpty {
                known[keyPath: path] = said[keyPath: path]
            }
            if !isClassed { known.patientClass = patientClass }
            // A place is said as a whole.
            if isWhole || !said.department.isEmpty {
                known.department = said.department
                known.room = said.room
                known.bed = said.bed
            }
        }
    }

    private static var texts: [WritableKeyPath<EncounterDetails, String>] {
        [
            \.patientClass, \.facility, \.attendingPhysician, \.referringPhysician, \.admittingDiagnosis,
            \.hospitalService, \.startedAt, \.endedAt,
        ]
    }

    private func details(at root: String) throws -> EncounterDetails {
        var details = EncounterDetails()
        if let code = self.class?.code {
            details.patientClass = Self.patientClasses[code] ?? ""
        }
        details.facility = serviceProvider?.identifier?.value ?? ""
        details.attendingPhysician = physician("ATND")
        details.referringPhysician = physician("REF")
        details.admittingDiagnosis = reasonCode?.first?.words ?? ""
        details.hospitalService = serviceType?.words ?? ""
        let place = location?.first?.location
        let steps = (place?.display ?? place?.identifier?.value ?? "").components(separatedBy: Self.placeSeparator)
        details.department = steps[0]
        details.room = steps.count > 1 ? steps[1] : ""
        details.bed = steps.count > 2 ? steps[2...].joined(separator: Self.placeSeparator) : ""
        details.startedAt = try Self.time(period?.start, at: root + ".period.start")
        details.endedAt = try Self.time(period?.end, at: root + ".period.end")
        let longest = Self.texts.map { details[keyPath: $0].count }.max() ?? 0
        guard max(longest, details.department.count) <= 1_000 else {
            throw FHIRFault.value(root, "Texts have at most 1000 characters.")
        }
        return details
    }

    private func physician(_ role: String) -> String {
        participant?.first { $0.type?.contains { $0.code(Coding.participations) == role } ?? false }?
            .individual?.display ?? ""
    }

    /// Local time with the day at least; empty where none is given.
    static func time(_ text: String?, at expression: String) throws -> String {
        guard let text else { return "" }
        guard let date = FHIRDate(text), date.local.count >= 8 else {
            throw FHIRFault.value(expression, "A time has a year, a month and a day at least.")
        }
        return date.local
    }
}

extension Encounter.Participant {
    init?(role: String, _ display: String, _ name: String) {
        guard !name.isEmpty else { return nil }
        type = [CodeableConcept(coding: [Coding(system: Coding.participations, code: role, display: display)])]
        individual = Reference(type: "Practitioner", display: name)
    }
}

extension CodeableConcept {
    /// What a person reads.
    var words: String { text ?? coding?.compactMap { $0.display ?? $0.code }.first ?? "" }
}
