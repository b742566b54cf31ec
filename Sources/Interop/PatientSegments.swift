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

    /// When what the message says was true: EVN-2, else MSH-7; never later than now. A sender's clock that runs ahead
    /// would otherwise make all that comes after it older than what is known.
    var asOf: Int64 { min(said?.at ?? now, now) }

    /// Clocks that differ by less need nobody's eye.
    private static let drift: Int64 = 120 * 1_000_000

    private var said: (at: Int64, place: Location)? {
        for place in [Location("EVN", 2), Location("MSH", 7)] {
            if let time = message[place].text.flatMap(TimeStamp.init(parsing:)), let instant = Self.instant(time) {
                return (instant, place)
            }
        }
        return nil
    }

    /// A warning where the sender's clock is wrong.
    private var clock: [Acknowledgement.Issue] {
        guard let said, said.at > now + Self.drift else { return [] }
        let text = "lies in the future and was taken for now; the sender's clock runs ahead"
        return [.init(.dataType, at: said.place, text, isWarning: true)]
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

    /// More than anybody is known by.
    private static let mostIdentifiers = 100

    /// A PID as facts, and what of it is not usable.
    /// - Parameter occurrence: which PID of the message, from 1.
    func patient(_ occurrence: Int = 1) throws -> (facts: PatientFacts, warnings: [Acknowledgement.Issue]) {
        let people = message.segments("PID")
        guard people.count >= occurrence else {
            throw MessageFault(
                .segmentSequence, at: Location("PID", occurrence: occurrence), "a PID segment is required")
        }
        let segment = people[occurrence - 1]
        guard segment[3].repetitions.count <= Self.mostIdentifiers else {
            throw MessageFault(
                .internalError, at: Location("PID", occurrence: occurrence, 3),
                "more than the \(Self.mostIdentifiers) identifiers that are taken")
        }
        var warnings = occurrence == 1 ? clock : []
        var identifiers: [PatientIdentifier] = []
        for (index, repetition) in segment[3].repetitions.enumerated() {
            guard let id = ExtendedCompositeID(repetition) else { continue }
            let place = Location("PID", occurrence: occurrence, 3, repetition: index + 1)
            do throws(RecordsError) { identifiers.append(try identifier(id)) } catch {
                warnings.append(
                    .init(.dataType, at: place, EncounterFailure.records(error).sentence, isWarning: true))
            }
        }
        // Some systems put the citizen number into PID-19 and the insurance card into IN1-36.
        let more = [
            (PatientIdentifier.citizen, segment.text(19)),
            (PatientIdentifier.insurance, people.count == 1 ? message["IN1", 36].text : nil),
        ]
        for case (let type, let value?) in more {
            if let found = try? PatientIdentifier(type: type, issuer: "", value: value),
                !identifiers.contains(where: { $0.type == type })
            {
                identifiers.append(found)
            }
        }
        guard !identifiers.isEmpty else {
            throw MessageFault(
                .requiredFieldMissing, at: Location("PID", occurrence: occurrence, 3),
                "a patient identifier is required")
        }
        // The patient code first: it says who it is.
        let codes = identifiers.filter { $0.type == PatientIdentifier.medicalRecord }
        let others = identifiers.filter { $0.type != PatientIdentifier.medicalRecord }
        let amend = try demographics(segment, occurrence)
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
    private func demographics(
        _ segment: Segment, _ occurrence: Int
    ) throws -> @Sendable (inout Demographics) -> Void {
        let name = ExtendedPersonName(segment[5].first).map(Self.whole)
        let birthDate = try segment.said(7).map { text in
            if text.isEmpty { return "" }
            guard let time = TimeStamp(parsing: text) else {
                throw MessageFault(
                    .dataType, at: Location("PID", occurrence: occurrence, 7), "is not a date of the form YYYYMMDD")
            }
            return Self.digits(time)
        }
        let sex = segment.said(8).map { Self.sexes[$0.uppercased()] ?? "" }
        let address = segment.said(11).map { _ in
            segment[11].first.components.compactMap(\.value.text).joined(separator: ", ")
        }
        let telephone = segment.said(13)
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
        let parts = [name.family, name.middle, name.given].compactMap { $0.map(plain) }
        return parts.filter { !$0.isEmpty }.joined(separator: " ")
    }

    /// A line end or a backslash that was escaped into a name is no part of it, and no reason to refuse a patient.
    private static func plain(_ part: String) -> String {
        let scalars = part.unicodeScalars.map { $0 == "\\" || $0.properties.generalCategory == .control ? " " : $0 }
        return String(String.UnicodeScalarView(scalars)).trimmingSpaces
    }

    /// MRG-1: what the patient was known by. Where there are patient codes these say who it was; numbers on cards do only
    /// where there is no code.
    func priors(_ occurrence: Int = 1) throws -> [PatientIdentifier] {
        let place = Location("MRG", occurrence: occurrence, 1)
        let merges = message.segments("MRG")
        let repetitions = merges.count >= occurrence ? merges[occurrence - 1][1].repetitions : []
        guard repetitions.count <= Self.mostIdentifiers else {
            throw MessageFault(
                .internalError, at: place, "more than the \(Self.mostIdentifiers) identifiers that are taken")
        }
        let found = try Application.at(place) { try repetitions.compactMap(ExtendedCompositeID.init).map(identifier) }
        guard let first = found.first else {
            throw MessageFault(.requiredFieldMissing, at: place, "the prior patient identifier is required")
        }
        let codes = found.filter { $0.type == PatientIdentifier.medicalRecord }
        return codes.isEmpty ? [first] : codes
    }

    // MARK: Visits

    /// PV1 as facts; nil where it names no visit.
    func visit() -> EncounterFacts? {
        guard let segment = message.segment("PV1"), let number = ExtendedCompositeID(segment[19].first) else {
            return nil
        }
        let location = PersonLocation(segment[3].first)
        let isNowhere = segment[3].isNull
        let (admitted, discharged) = (Self.local(segment.text(44)), Self.local(segment.text(45)))
        let isDischargeDeleted = segment[45].isNull
        let diagnosis = message["DG1", 4].text ?? message["DG1", 3, 2].text ?? message["PV2", 3, 2].text
        let (patientClass, service) = (segment.text(2), segment.said(10))
        let (attending, referring) = (Self.said(segment[7]), Self.said(segment[8]))
        return EncounterFacts(
            issuer: number.assigningAuthority?.namespace ?? settings.issuer, number: number.id, asOf: asOf
        ) { details in
            if let patientClass { details.patientClass = patientClass }
            if let location {
                details.facility = location.facility?.namespace ?? details.facility
                details.department = location.pointOfCare ?? ""
                details.room = location.room ?? ""
                details.bed = location.bed ?? ""
            } else if isNowhere {
                details.department = ""
                details.room = ""
                details.bed = ""
            }
            if let attending { details.attendingPhysician = attending }
            if let referring { details.referringPhysician = referring }
            if let service { details.hospitalService = service }
            if let diagnosis { details.admittingDiagnosis = diagnosis }
            if let admitted { details.startedAt = admitted }
            if let discharged { details.endedAt = discharged } else if isDischargeDeleted { details.endedAt = "" }
        }
    }

    /// The name of a doctor, else the number; empty for the null that deletes.
    static func said(_ field: Field) -> String? {
        if field.isNull { return "" }
        guard let person = ExtendedCompositeIDName(field.first) else { return nil }
        return person.name.map(whole) ?? person.id
    }
}

extension String {
    /// Without spaces around it.
    var trimmingSpaces: String {
        let bytes = Array(utf8)
        guard let first = bytes.firstIndex(where: { $0 != 0x20 }), let last = bytes.lastIndex(where: { $0 != 0x20 })
        else { return "" }
        return String(decoding: bytes[first...last], as: UTF8.self)
    }
}
