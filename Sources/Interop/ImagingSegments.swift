// What an order says of the examination: OBR, IPC, AL1 and the observations that come with it.

import Encounters
import HL7
import Records

struct ImagingSegments: Sendable {
    let message: Message
    let common: Segment
    let request: Segment
    let imaging: Segment?
    let observations: [Segment]

    /// Writes what is said into what is known.
    func amend(_ order: inout ProcedureDetails) {
        func put(_ path: WritableKeyPath<ProcedureDetails, String>, _ text: String?) {
            if let text, !text.isEmpty { order[keyPath: path] = text }
        }
        if let code = CodedElement(request[4].first) {
            order.code = Coded(value: code.code ?? "", scheme: code.system ?? "", meaning: code.text ?? "")
        }
        if let code = imaging.flatMap({ CodedElement($0[6].first) }) {
            order.protocolCode = Coded(value: code.code ?? "", scheme: code.system ?? "", meaning: code.text ?? "")
        }
        put(\.requestedProcedureID, imaging?.text(2) ?? request.text(19))
        put(\.scheduledProcedureStepID, imaging?.text(4) ?? request.text(20))
        put(\.stationName, imaging?.text(7))
        put(\.location, imaging?.text(8))
        put(\.stationAETitle, imaging?.text(9))
        put(\.fillerNumber, common.text(3) ?? request.text(3))
        put(\.reason, request.text(31, 2) ?? request.text(31))
        put(\.clinicalInformation, request.text(13))
        put(\.bodySite, request.text(15, 4))
        put(\.requestingPhysician, PatientSegments.physician(common[12]) ?? PatientSegments.physician(request[16]))
        put(\.requestingService, common.text(17, 2) ?? common.text(17))
        put(\.transport, request.text(30))
        put(\.medicalAlerts, request.text(12, 2) ?? request.text(12))
        let allergies = message.segments("AL1").compactMap { $0.text(3, 2) ?? $0.text(3) }
        put(\.allergies, allergies.joined(separator: "; "))
        for observation in observations { amend(&order, observation) }
    }

    /// Weight, height and pregnancy, by LOINC.
    private func amend(_ order: inout ProcedureDetails, _ observation: Segment) {
        guard let value = observation.text(5) else { return }
        switch observation.text(3) {
        case "3141-9", "29463-7":
            if Double(value) != nil { order.patientWeight = value }
        case "8302-2", "3137-7":
            // Centimetres become metres (PS3.3 C.7.2.2).
            if let centimetres = Double(value) {
                order.patientSize = "\(centimetres > 3 ? centimetres / 100 : centimetres)"
            }
        case "82810-3", "11449-6":
            order.pregnancyStatus = Self.pregnancy[value.uppercased()] ?? "4"
        default: break
        }
    }

    /// PS3.3 C.7.1.4: 1 not pregnant, 2 possibly, 3 definitely, 4 unknown.
    private static let pregnancy = [
        "Y": "3", "YES": "3", "77386006": "3", "N": "1", "NO": "1", "60001007": "1", "P": "2", "POSSIBLY": "2",
    ]
}
