// What an order says of the examination: OBR, IPC, AL1 and the observations that come with it.

import Encounters
import HL7
import Records

struct ImagingSegments: Sendable {
    private let message: Message
    private let group: OrderGroup
    private let common: Segment
    private let request: Segment
    private let imaging: Segment?
    private let observations: Observations
    private var procedureID: String?
    private var stepID: String?
    /// What is said and not taken.
    private(set) var warnings: [Acknowledgement.Issue]

    init(message: Message, group: OrderGroup) {
        self.message = message
        self.group = group
        common = group.common?.segment ?? Segment("ORC")
        request = group.request?.segment ?? Segment("OBR")
        imaging = group.imaging?.segment
        observations = Observations(group.observations)
        warnings = observations.warnings
        procedureID = number(imaging: 2, request: 19)
        stepID = number(imaging: 4, request: 20)
    }

    /// A number of IPC or OBR that becomes one of DICOM's; one that is too long is left out, and another is made.
    private mutating func number(imaging imagingField: Int, request requestField: Int) -> String? {
        let isImaging = imaging?.text(imagingField) != nil
        guard let text = imaging?.text(imagingField) ?? request.text(requestField) else { return nil }
        guard text.unicodeScalars.count > 16 else { return text }
        let place =
            isImaging
            ? Location("IPC", occurrence: group.imaging?.number ?? 1, imagingField)
            : Location("OBR", occurrence: group.request?.number ?? 1, requestField)
        warnings.append(
            .init(
                .dataType, at: place, "is longer than the 16 characters that DICOM has for it and was not taken",
                isWarning: true))
        return nil
    }

    /// Writes what is said into what is known; what is `""` goes, but for numbers, procedure and time: an order has them.
    func amend(_ order: inout ProcedureDetails) {
        func put(_ path: WritableKeyPath<ProcedureDetails, String>, _ text: String?) {
            if let text { order[keyPath: path] = text }
        }
        if let code = CodedElement(request[4].first) {
            order.code = Coded(value: code.code ?? "", scheme: code.system ?? "", meaning: code.text ?? "")
        }
        if let code = imaging.flatMap({ CodedElement($0[6].first) }) {
            order.protocolCode = Coded(value: code.code ?? "", scheme: code.system ?? "", meaning: code.text ?? "")
        } else if imaging?[6].isNull == true {
            order.protocolCode = Coded()
        }
        put(\.requestedProcedureID, procedureID)
        put(\.scheduledProcedureStepID, stepID)
        put(\.stationName, imaging?.said(7))
        put(\.location, imaging?.said(8))
        put(\.stationAETitle, imaging?.said(9))
        // ORC is one for all where several OBR stand under it.
        put(\.fillerNumber, group.isOneOfSeveral ? request.said(3) : common.said(3) ?? request.said(3))
        put(\.reason, request.said(31, 2) ?? request.said(31))
        put(\.clinicalInformation, request.said(13))
        put(\.bodySite, request.said(15, 4))
        put(\.requestingPhysician, PatientSegments.said(common[12]) ?? PatientSegments.said(request[16]))
        put(\.requestingService, common.said(17, 2) ?? common.said(17))
        put(\.transport, request.said(30))
        put(\.medicalAlerts, request.said(12, 2) ?? request.said(12))
        let allergies = message.segments("AL1").compactMap { $0.said(3, 2) ?? $0.said(3) }
        if !allergies.isEmpty { order.allergies = allergies.filter { !$0.isEmpty }.joined(separator: "; ") }
        put(\.patientWeight, observations.weight)
        put(\.patientSize, observations.size)
        put(\.pregnancyStatus, observations.pregnancy)
    }
}

extension Segment {
    /// What is said at a place: its text, empty for the null that deletes, nil for nothing. A field that is null as a
    /// whole deletes all of its components.
    func said(_ field: Int, _ component: Int = 1) -> String? {
        let value = self[field][component].value
        return self[field].isNull || value.isNull ? "" : value.text
    }
}
