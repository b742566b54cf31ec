// What a caller says of an order.

import Encounters
import Foundation
import Records

/// The procedure and its scheduled step; what is not said stays.
struct OrderWish: Decodable, Sendable {
    struct Code: Decodable, Sendable {
        let value: String?
        let scheme: String?
        let meaning: String?
    }

    struct Visit: Decodable, Sendable {
        /// MA_LK
        let number: String
        let issuer: String?
        let department: String?
    }

    /// Who it is for; needed for a new order.
    let patient: PersonWish?
    let visit: Visit?
    let number: String?
    let accessionNumber: String?
    let studyInstanceUID: String?
    /// As it was seen, for a change.
    let version: Int64?

    let modality: String?
    let stationAETitle: String?
    let stationName: String?
    let location: String?
    let scheduledAt: String?
    let code: Code?
    let protocolCode: Code?
    let priority: String?
    let requestingPhysician: String?
    let requestingService: String?
    let performingPhysician: String?
    let reason: String?
    let clinicalInformation: String?
    let bodySite: String?
    let laterality: String?
    let pregnancyStatus: String?
    let medicalAlerts: String?
    let allergies: String?
    let specialNeeds: String?
    let patientState: String?
    let patientWeight: String?
    let patientSize: String?
    let transport: String?

    private typealias Path = any WritableKeyPath<ProcedureDetails, String> & Sendable

    private var texts: [(field: String, text: String?, path: Path)] {
        [
            ("modality", modality, \.modality), ("stationAETitle", stationAETitle, \.stationAETitle),
            ("stationName", stationName, \.stationName), ("location", location, \.location),
            ("scheduledAt", scheduledAt, \.scheduledAt), ("code.value", code?.value, \.code.value),
            ("code.scheme", code?.scheme, \.code.scheme), ("code.meaning", code?.meaning, \.code.meaning),
            ("protocolCode.value", protocolCode?.value, \.protocolCode.value),
            ("protocolCode.scheme", protocolCode?.scheme, \.protocolCode.scheme),
            ("protocolCode.meaning", protocolCode?.meaning, \.protocolCode.meaning),
            ("priority", priority, \.priority), ("requestingPhysician", requestingPhysician, \.requestingPhysician),
            ("requestingService", requestingService, \.requestingService),
            ("performingPhysician", performingPhysician, \.performingPhysician), ("reason", reason, \.reason),
            ("clinicalInformation", clinicalInformation, \.clinicalInformation), ("bodySite", bodySite, \.bodySite),
            ("laterality", laterality, \.laterality), ("pregnancyStatus", pregnancyStatus, \.pregnancyStatus),
            ("medicalAlerts", medicalAlerts, \.medicalAlerts), ("allergies", allergies, \.allergies),
            ("specialNeeds", specialNeeds, \.specialNeeds), ("patientState", patientState, \.patientState),
            ("patientWeight", patientWeight, \.patientWeight), ("patientSize", patientSize, \.patientSize),
            ("transport", transport, \.transport),
        ]
    }

    /// Writes what is said into what is known; refuses what no modality could be told.
    func amend() throws(EncounterFailure) -> @Sendable (inout ProcedureDetails) -> Void {
        for (field, text, _) in texts { try WishText.check(text, field) }
        try demand(modality, "modality", "1 to 16 capitals or digits") { $0.wholeMatch(of: /[A-Z0-9_]{1,16}/) != nil }
        try demand(stationAETitle, "stationAETitle", "an AE title, or nothing") { $0.isEmpty || Peer.isAETitle($0) }
        try demand(priority, "priority", "STAT, HIGH, ROUTINE, MEDIUM or LOW") {
            ["STAT", "HIGH", "ROUTINE", "MEDIUM", "LOW"].contains($0)
        }
        try demand(pregnancyStatus, "pregnancyStatus", "1, 2, 3, 4 or nothing") {
            $0.isEmpty || ["1", "2", "3", "4"].contains($0)
        }
        try demand(laterality, "laterality", "R, L, B, U or nothing") { ["R", "L", "B", "U", ""].contains($0) }
        for (field, text) in [("patientWeight", patientWeight), ("patientSize", patientSize)] {
            try demand(text, field, "a number, or nothing") { $0.wholeMatch(of: /([0-9]{1,4}(\.[0-9]{1,4})?)?/) != nil }
        }
        let texts = texts
        return { details in
            for (_, text, path) in texts {
                if let text { details[keyPath: path] = text.precomposedStringWithCanonicalMapping }
            }
        }
    }

    private func demand(
        _ text: String?, _ field: String, _ reason: String, _ isRight: (String) -> Bool
    ) throws(EncounterFailure) {
        guard let text, !isRight(text) else { return }
        throw .invalid(field: field, reason: reason)
    }

    /// The visit that it names, to be opened when it is not known yet.
    func visit(issuer: String, asOf: Int64) throws(EncounterFailure) -> EncounterFacts? {
        guard let visit else { return nil }
        try WishText.check(visit.number, "visit.number", most: 100)
        try WishText.check(visit.issuer, "visit.issuer", most: 64)
        try WishText.check(visit.department, "visit.department", most: 200)
        let department = visit.department
        return EncounterFacts(issuer: visit.issuer ?? issuer, number: visit.number, asOf: asOf) { details in
            if let department { details.department = department }
            if details.facility.isEmpty { details.facility = issuer }
        }
    }

    /// - Parameter key: what names the order when the caller has no number for it.
    func entry(issuer: String, asOf: Int64, key: String?) throws(EncounterFailure) -> OrderEntry {
        guard let patient else { throw .invalid(field: "patient", reason: "who it is for is needed") }
        guard modality != nil else { throw .invalid(field: "modality", reason: "is needed") }
        let person: OrderEntry.Person =
            if let number = patient.number { .known(number) } else {
                .told(try patient.facts(issuer: issuer, asOf: asOf))
            }
        try WishText.check(number, "number", most: 64)
        var entry = OrderEntry(
            person: person, visit: try visit(issuer: issuer, asOf: asOf), number: number ?? key,
            accessionNumber: accessionNumber, amend: try amend())
        entry.studyInstanceUID = studyInstanceUID
        return entry
    }
}
