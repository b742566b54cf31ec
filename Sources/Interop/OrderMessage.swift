// ORM^O01, OMI^O23, OMG^O19: imaging orders (HL7 v2.5.1 Chapter 4).

import DICOMCore
import Encounters
import HL7
import Records

struct OrderMessage {
    let message: Message
    let desk: Desk

    /// One order: ORC and what follows it up to the next.
    private struct Group {
        var common: Segment?
        var request: Segment?
        var timing: Segment?
        var notes: [Segment] = []
        var imaging: Segment?
        var results: [Segment] = []
        /// Which of the message's ORC and OBR segments these are.
        var number: Int
    }

    private var groups: [Group] {
        var groups: [Group] = []
        for segment in message.segments {
            switch segment.name {
            case "ORC": groups.append(Group(common: segment, number: groups.count + 1))
            case "OBR":
                // Some systems send OBR alone, or several after one ORC.
                if groups.isEmpty || groups[groups.count - 1].request != nil {
                    groups.append(Group(common: groups.last?.common, number: groups.count + 1))
                }
                groups[groups.count - 1].request = segment
            case _ where groups.isEmpty: break
            case "TQ1": groups[groups.count - 1].timing = segment
            case "NTE": groups[groups.count - 1].notes.append(segment)
            case "IPC": groups[groups.count - 1].imaging = segment
            case "OBX": groups[groups.count - 1].results.append(segment)
            default: break
            }
        }
        return groups
    }

    func apply() throws -> [Acknowledgement.Issue] {
        let segments = PatientSegments(message: message, settings: desk.settings, now: desk.records.now)
        var (facts, warnings) = try segments.patient()
        let groups = groups
        guard !groups.isEmpty else {
            throw MessageFault(.segmentSequence, at: Location("ORC"), "an ORC segment is required")
        }
        // What was ordered before a merge is changed and cancelled under the code that it was ordered with.
        let isKnown = groups.allSatisfy { control($0) != .new }
        let patient = try Application.at(Location("PID", 3)) {
            try desk.patients.register(facts, older: .ignored, retired: isKnown ? .followed : .refused)
        }
        let visit = try segments.visit().map { visit in
            try Application.at(Location("PV1", 19)) { try desk.encounters.visit(visit, patient: patient) }
        }
        for group in groups {
            let place = Location(group.common == nil ? "OBR" : "ORC", occurrence: group.number, 2)
            guard let control = control(group) else {
                throw MessageFault(
                    .tableValueNotFound, at: Location("ORC", occurrence: group.number, 1),
                    "this order control code is not taken here")
            }
            let order = try order(group, segments)
            let outcome = try Application.at(place) {
                try desk.orders.apply(control, order, patient: patient, encounter: visit)
            }
            if let warning = outcome.warning {
                warnings.append(.init(.duplicateKeyIdentifier, at: place, warning, isWarning: true))
            }
            try desk.links.reconsider(study: outcome.procedure.studyInstanceUID)
            try desk.links.reconsider(patient: patient)
        }
        return warnings
    }

    /// ORC-1; an OBR alone is a new order.
    private func control(_ group: Group) -> OrderControl? {
        OrderControl(rawValue: group.common?.text(1)?.uppercased() ?? "NW")
    }

    private func order(_ group: Group, _ segments: PatientSegments) throws -> OrderFacts {
        let request = group.request ?? Segment("OBR")
        let common = group.common ?? Segment("ORC")
        let (own, asked) = (EntityIdentifier(common[2].first), EntityIdentifier(request[2].first))
        guard let placer = own ?? asked else {
            throw MessageFault(
                .requiredFieldMissing, at: Location("ORC", occurrence: group.number, 2), "the order number is required")
        }
        let issuer = placer.authority?.namespace ?? message.sendingApplication?.namespace ?? ""
        let scheduled = try scheduledTime(group, common, request)
        let text = group.notes.compactMap { $0.text(3) }.joined(separator: "\n")
        let modality = Self.modality(group.imaging?.text(5) ?? request.text(24))
        let details = ImagingSegments(
            message: message, common: common, request: request, imaging: group.imaging, observations: group.results)
        let priority = Self.priority(
            group.timing?.text(9) ?? common.text(7, 6) ?? request.text(27, 6) ?? request.text(5))
        let ordered = PatientSegments.local(common.text(15) ?? common.text(9))
        var facts = OrderFacts(
            placer: IssuedNumber(issuer: issuer, value: placer.id), asOf: segments.asOf
        ) { order in
            if let modality { order.modality = modality }
            if let scheduled { order.scheduledAt = scheduled }
            if let priority { order.priority = priority }
            if let ordered { order.orderedAt = ordered }
            if !text.isEmpty { order.clinicalInformation = text }
            details.amend(&order)
        }
        facts.accessionNumber = group.imaging?.text(1) ?? request.text(18)
        facts.studyInstanceUID = group.imaging?.text(3) ?? message["ZDS", 1].text
        facts.step = Self.steps[(common.text(5) ?? request.text(25) ?? "").uppercased()]
        return facts
    }

    /// TQ1-7, ORC-7.4, OBR-27.4, OBR-36: `yyyymmddHHMMSS`; nil where none is given.
    private func scheduledTime(_ group: Group, _ common: Segment, _ request: Segment) throws -> String? {
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

    private static func priority(_ text: String?) -> String? {
        switch text?.uppercased().first {
        case "S": "STAT"
        case "A", "P", "C", "U": "HIGH"
        case "R": "ROUTINE"
        case "T": "MEDIUM"
        default: nil
        }
    }

    /// HL7 Table 0074 where it is not DICOM's own word (PS3.3 C.7.3.1.1.1).
    private static func modality(_ text: String?) -> String? {
        guard let text = text?.uppercased().trimmingSpaces, !text.isEmpty else { return nil }
        switch text {
        case "NMR", "MRI": return "MR"
        case "RUS", "CUS", "VUS", "OUS", "SA": return "US"
        case "XR", "XQ": return "DX"
        case "CLVT": return "CT"
        case "RAD", "IMG", "PHY", "OTH": return nil
        default: return text
        }
    }
}
