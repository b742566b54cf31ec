// PID, MRG, PV1 and their kin, as facts about people and visits (HL7 v2.5.1 Chapter 3).

import DICOMCore
import Encounters
import HL7
import Records

/// Reads the segments about the patient and the visit.
struct PatientSegments {
    let message: Message
    let settings: OrderSettings
    let now: Int64

    // MARK: Time

    /// When what the message says was true: EVN-2, else MSH-7.
    var asOf: Int64 {
        for place in [Location("EVN", 2), Location("MSH", 7)] {
            if let time = message[place].text.flatMap(TimeStamp.init(parsing:)), let instant = Self.instant(time) {
                return instant
            }
        }
        return now
    }

    /// Microseconds since 1970; local where no zone is given.
    static func instant(_ time: TimeStamp) -> Int64? {
        guard let local = LocalTime.instant(Self.digits(time)) else { return nil }
        let fraction = Int64(((time.fraction ?? "") + "000000").prefix(6)) ?? 0
        guard let zone = time.zone else { return local + fraction }
        return local + fraction + Int64(LocalTime.minutesEast - zone) * 60_000_000
    }

    /// `yyyymmddHHMMSS` as far as it is known, in local time.
    static func local(_ text: String?) -> String? {
        guard let text, let time = TimeStamp(parsing: text) else { return nil }
        if time.zone != nil, time.hour != nil, let instant = instant(time) { return LocalTime.text(instant) }
        return digits(time)
    }

    private static func digits(_ time: TimeStamp) -> String {
        String(time.description.prefix { $0.isNumber })
    }

    // MARK: People

    /// PID as facts, and what of it is not usable.
    func patient() throws -> (facts: PatientFacts, warnings: [Acknowledgement.Issue]) {
        guard let segment = message.segment("PID") else {
            throw MessageFault(.segmentSequence, at: Location("PID"), "a PID segment is required")
        }
        var warnings: [Acknowledgement.Issue] = []
        var identifiers: [PatientIdentifier] = []
        for (index, repetition) in segment[3].repetitions.enumerated() {
            guard let id = ExtendedCompositeID(repetition) else { continue }
            let place = Location("PID", 3, repetition: index + 1)
            do throws(RecordsError) { identifiers.append(try identifier(id)) } catch {
                warnings.append(
                    .init(.dataType, at: place, EncounterFailure.records(error).sentence, isWarning: true))
            }
        }
        // Some systems put the citizen number into PID-19 and the insurance card into IN1-36.
        let more = [
            (PatientIdentifier.citizen, segment.text(19)), (PatientIdentifier.insurance, message["IN1", 36].text),
        ]
        for case (let type, let value?) in more {
            if let found = try? PatientIdentifier(type: type, issuer: "", value: value),
                !identifiers.contains(where: { $0.type == type })
            {
                identifiers.append(found)
            }
        }
        guard !identifiers.isEmpty else {
            throw MessageFault(.requiredFieldMissing, at: Location("PID", 3), "a patient identifier is required")
        }
        // The patient code first: it says who it is.
        let codes = identifiers.filter { $0.type == PatientIdentifier.medicalRecord }
        let others = identifiers.filter { $0.type != PatientIdentifier.medicalRecord }
        let amend = try demographics(segment)
        return (PatientFacts(identifiers: codes + others, asOf: asOf, amend: amend), warnings)
    }

    /// HL7 Table 0203 and what is written here in its place.
    private static let types: [String: String] = [
        "": PatientIdentifier.medicalRecord, "MR": PatientIdentifier.medicalRecord,
        "PI": PatientIdentifier.medicalRecord,
        "PT": PatientIdentifier.medicalRecord, "NI": PatientIdentifier.citizen, "NNVNM": PatientIdentifier.citizen,
        "CCCD": PatientIdentifier.citizen, "CC": PatientIdentifier.citizen, "HC": PatientIdentifier.insurance,
        "JHN": PatientIdentifier.insurance, "BHYT": PatientIdentifier.insurance, "PPN": PatientIdentifier.passport,
    ]

    func identifier(_ id: ExtendedCompositeID) throws(RecordsError) -> PatientIdentifier {
        let word = (id.identifierType ?? "").uppercased()
        let type = Self.types[word] ?? word
        let given = id.assigningAuthority?.namespace ?? id.assigningAuthority?.universalID ?? ""
        let issuer = given.isEmpty ? settings.issuer : given
        return try PatientIdentifier(
            type: type, issuer: issuer, value: id.id, validFrom: id.effective?.date ?? "",
            validUntil: id.expiration?.date ?? "")
    }

    /// What PID says; what it leaves out stays, what is `""` goes.
    private func demographics(_ segment: Segment) throws -> @Sendable (inout Demographics) -> Void {
        let name = ExtendedPersonName(segment[5].first).map(Self.whole)
        let birthDate = try said(segment[7][1].value).map { text in
            if text.isEmpty { return "" }
            guard let time = TimeStamp(parsing: text) else {
                throw MessageFault(.dataType, at: Location("PID", 7), "is not a date of the form YYYYMMDD")
            }
            return Self.digits(time)
        }
        let sex = said(segment[8][1].value).map { Self.sexes[$0.uppercased()] ?? "" }
        let address = said(segment[11][1].value).map { _ in
            segment[11].first.components.compactMap(\.value.text).joined(separator: ", ")
        }
        let telephone = said(segment[13][1].value)
        return { demographics in
            if let name { demographics.name = name }
            if let birthDate {
                demographics.birthDate = String(birthDate.prefix(8))
                demographics.birthTime = String(birthDate.dropFirst(8))
            }
            if let sex { demographics.sex = sex }
            if let address { demographics.address = address }
            if let telephone { demographics.telephone = telephone }
        }
    }

    /// HL7 Table 0001, and the insurance's 1, 2, 3.
    private static let sexes = ["M": "M", "F": "F", "O": "O", "A": "O", "1": "M", "2": "F", "3": "O"]

    /// Family, middle, given: the order in which a Vietnamese name is said. One component, as most systems send it.
    static func whole(_ name: ExtendedPersonName) -> String {
        [name.family, name.middle, name.given].compactMap { $0?.trimmingSpaces }.filter { !$0.isEmpty }
            .joined(separator: " ")
    }

    /// The text of a value, empty for the null that deletes, nil for what is not said.
    func said(_ value: Value) -> String? { value.isNull ? "" : value.text }

    /// MRG-1: what the patient was known by.
    func prior() throws -> PatientIdentifier {
        guard let id = ExtendedCompositeID(message["MRG", 1].first) else {
            throw MessageFault(
                .requiredFieldMissing, at: Location("MRG", 1), "the prior patient identifier is required")
        }
        return try Application.at(Location("MRG", 1)) { try identifier(id) }
    }

    // MARK: Visits

    /// PV1 as facts; nil where it names no visit.
    func visit() -> EncounterFacts? {
        guard let segment = message.segment("PV1"), let number = ExtendedCompositeID(segment[19].first) else {
            return nil
        }
        let location = PersonLocation(segment[3].first)
        let (admitted, discharged) = (Self.local(segment.text(44)), Self.local(segment.text(45)))
        let diagnosis = message["DG1", 4].text ?? message["DG1", 3, 2].text ?? message["PV2", 3, 2].text
        let (patientClass, service) = (segment.text(2), segment.text(10))
        let (attending, referring) = (Self.physician(segment[7]), Self.physician(segment[8]))
        return EncounterFacts(
            issuer: number.assigningAuthority?.namespace ?? settings.issuer, number: number.id, asOf: asOf
        ) { details in
            if let patientClass { details.patientClass = patientClass }
            if let location {
                details.facility = location.facility?.namespace ?? details.facility
                details.department = location.pointOfCare ?? ""
                details.room = location.room ?? ""
                details.bed = location.bed ?? ""
            }
            if let attending { details.attendingPhysician = attending }
            if let referring { details.referringPhysician = referring }
            if let service { details.hospitalService = service }
            if let diagnosis { details.admittingDiagnosis = diagnosis }
            if let admitted { details.startedAt = admitted }
            if let discharged { details.endedAt = discharged }
        }
    }

    /// The name of a doctor, else the number.
    static func physician(_ field: Field) -> String? {
        guard let person = ExtendedCompositeIDName(field.first) else { return nil }
        return person.name.map(whole) ?? person.id
    }
}

extension String {
    /// Without spaces around it.
    var trimmingSpaces: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
