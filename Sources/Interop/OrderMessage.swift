// ORM^O01, OMI^O23, OMG^O19: imaging orders (HL7 v2.5.1 Chapter 4).

import DICOMCore
import Encounters
import HL7
import Records

struct OrderMessage {
    let message: Message
    let desk: Desk

    func apply() throws -> [Acknowledgement.Issue] {
        let segments = PatientSegments(message: message, settings: desk.settings, now: desk.records.now)
        var (facts, warnings) = try segments.patient()
        let groups = try OrderGroup.read(message)
        // What was ordered before a merge is changed and cancelled under the code that it was ordered with.
        let isKnown = try groups.allSatisfy { try control($0) != .new }
        let patient = try Application.at(Location("PID", 3)) {
            try desk.patients.register(facts, older: .ignored, retired: isKnown ? .followed : .refused)
        }
        let visit = try segments.visit().map { visit in
            try Application.at(Location("PV1", 19)) { try desk.encounters.visit(visit, patient: patient) }
        }
        var placers: Set<IssuedNumber> = []
        for group in groups {
            let control = try control(group)
            let placer = try placer(group)
            guard placers.insert(placer).inserted else {
                throw MessageFault(
                    .duplicateKeyIdentifier, at: group.place(2), "this order number stands twice in one message")
            }
            let (order, found) = try order(group, placer, segments)
            let outcome = try Application.at(group.place(2)) {
                try desk.orders.apply(control, order, patient: patient, encounter: visit)
            }
            warnings += found + accession(order, outcome.procedure, control, group)
            if let warning = outcome.warning {
                warnings.append(.init(.duplicateKeyIdentifier, at: group.place(2), warning, isWarning: true))
            }
            try desk.links.reconsider(study: outcome.procedure.studyInstanceUID)
            try desk.links.reconsider(patient: patient)
        }
        return warnings
    }

    /// ORC-1; an OBR alone is a new order.
    private func control(_ group: OrderGroup) throws -> OrderControl {
        let text = group.common?.segment.text(1)?.uppercased() ?? "NW"
        guard let control = OrderControl(rawValue: text) else {
            throw MessageFault(
                .tableValueNotFound, at: Location("ORC", occurrence: group.common?.number ?? 1, 1),
                "this order control code is not taken here")
        }
        return control
    }

    /// The number that names the order: ORC-2, else OBR-2; the other way round where an ORC has several OBR.
    private func placer(_ group: OrderGroup) throws -> IssuedNumber {
        let common = number(group.common?.segment[2])
        let request = number(group.request?.segment[2])
        let own = group.isOneOfSeveral ? request ?? (group.isFurther ? nil : common) : common ?? request
        guard let placer = own else {
            throw MessageFault(.requiredFieldMissing, at: group.place(2), "the order number is required")
        }
        // One of several OBR is changed later under the ORC that it came with.
        if !group.isOneOfSeveral, let request, request != placer, try desk.records.procedure(placer: placer) == nil,
            try desk.records.procedure(placer: request) != nil
        {
            return request
        }
        return placer
    }

    private func number(_ field: Field?) -> IssuedNumber? {
        field.flatMap { EntityIdentifier($0.first) }.map { number in
            let issuer = number.authority?.namespace ?? message.sendingApplication?.namespace ?? ""
            return IssuedNumber(issuer: issuer.isEmpty ? desk.settings.issuer : issuer, value: number.id)
        }
    }

    private func order(
        _ group: OrderGroup, _ placer: IssuedNumber, _ segments: PatientSegments
    ) throws -> (OrderFacts, [Acknowledgement.Issue]) {
        let request = group.request?.segment ?? Segment("OBR")
        let common = group.common?.segment ?? Segment("ORC")
        let imaging = group.imaging?.segment
        let scheduled = try scheduledTime(group, common, request)
        let notes = group.notes.compactMap { $0.said(3) }
        let modality = Self.modality(imaging?.said(5) ?? request.said(24))
        let details = ImagingSegments(message: message, group: group)
        let priority = Self.priority(
            group.timing?.said(9) ?? common.said(7, 6) ?? request.said(27, 6) ?? request.said(5))
        let ordered = PatientSegments.local(common.text(15) ?? common.text(9))
        var facts = OrderFacts(placer: placer, asOf: segments.asOf) { order in
            if let modality { order.modality = modality }
            if let scheduled { order.scheduledAt = scheduled }
            if let priority { order.priority = priority }
            if let ordered { order.orderedAt = ordered }
            details.amend(&order)
            if !notes.isEmpty { order.clinicalInformation = notes.joined(separator: "\n") }
        }
        facts.accessionNumber = imaging?.text(1) ?? request.text(18)
        facts.studyInstanceUID = imaging?.text(3) ?? group.study?.text(1)
        facts.step = Self.steps[(common.text(5) ?? request.text(25) ?? "").uppercased()]
        return (facts, details.warnings)
    }

    /// A warning where the order does not have the accession number that was sent.
    private func accession(
        _ order: OrderFacts, _ procedure: ProcedureRecord, _ control: OrderControl, _ group: OrderGroup
    ) -> [Acknowledgement.Issue] {
        guard control == .new || control == .change, let sent = order.accessionNumber?.trimmingSpaces, !sent.isEmpty,
            sent != procedure.accession.value
        else { return [] }
        let place =
            group.imaging?.segment.text(1) != nil
            ? Location("IPC", occurrence: group.imaging?.number ?? 1, 1)
            : Location("OBR", occurrence: group.request?.number ?? 1, 18)
        let text = "the accession number was not taken (1 to 16 ASCII characters, once given never another); "
        return [.init(.dataType, at: place, text + "the order has another one", isWarning: true)]
    }

    /// TQ1-7, ORC-7.4, OBR-27.4, OBR-36: `yyyymmddHHMMSS`; nil where none is given.
    private func scheduledTime(_ group: OrderGroup, _ common: Segment, _ request: Segment) throws -> String? {
        let places: [(Location, String?)] = [
            (Location("TQ1", 7), group.timing?.text(7)), (Location("ORC", 7, 4), common.text(7, 4)),
            (Location("OBR", 27, 4), request.text(27, 4)), (Location("OBR", 36), request.text(36)),
        ]
        for case (let place, let text?) in places {
            guard let local = PatientSegments.local(text), local.count >= 8 else {
                throw MessageFault(.dataType, at: place, "is not a date and time of the form YYYYMMDDHHMM")
            }
            return String((local + "000000").prefix(14))
        }
        return nil
    }

    /// HL7 Tables 0038 and 0485.
    private static let steps: [String: ProcedureStep] = [
        "SC": .schedule, "AR": .arrive, "IP": .start, "CM": .complete, "CA": .cancel,
    ]

    /// What is deleted is routine again.
    private static func priority(_ text: String?) -> String? {
        guard let text else { return nil }
        switch text.uppercased().first {
        case nil: return "ROUTINE"
        case "S": return "STAT"
        case "A", "P", "C", "U": return "HIGH"
        case "R": return "ROUTINE"
        case "T": return "MEDIUM"
        default: return nil
        }
    }

    /// HL7 Table 0074 where it is not DICOM's own word (PS3.3 C.7.3.1.1.1); empty where it is deleted.
    private static func modality(_ text: String?) -> String? {
        guard let text = text?.uppercased() else { return nil }
        switch text.trimmingSpaces {
        case "NMR", "MRI": return "MR"
        case "RUS", "CUS", "VUS", "OUS", "SA": return "US"
        case "XR", "XQ": return "DX"
        case "CLVT": return "CT"
        case "RAD", "IMG", "PHY", "OTH": return nil
        case "": return text.isEmpty ? "" : nil
        case let word: return word
        }
    }
}
