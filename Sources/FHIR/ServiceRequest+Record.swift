// Orders, from the records and to them.

import DICOMCore
import Encounters
import Foundation
import Records

extension ServiceRequest {
    /// - Parameter patient: the row that the person is seen as.
    init(_ record: ProcedureRecord, patient: Int64) {
        let details = record.details
        id = "\(record.id)"
        identifier = [
            Identifier(record.placer, .order, type: "PLAC"),
            Identifier(record.accession, .accession, type: "ACSN"),
            Identifier.study(record.studyInstanceUID),
            Identifier(IssuedNumber(issuer: "", value: details.fillerNumber), .filler, type: "FILL"),
        ].compactMap(\.self)
        status = Self.status(of: ProcedureState(word: record.state))
        intent = "order"
        category = [CodeableConcept(coding: [Coding(system: Coding.snomed, code: "363679005", display: "Imaging")])]
        priority = Self.priorities.first { $0.value == details.priority }?.key ?? "routine"
        code = CodeableConcept(details.code)
        orderDetail = details.modality.unlessEmpty.map {
            [CodeableConcept(coding: [Coding(system: Coding.dicom, code: $0)])]
        }
        subject = Reference(reference: "Patient/\(patient)")
        encounter = record.encounter.map { Reference(reference: "Encounter/\($0)") }
        occurrenceDateTime = FHIRDate.dateTime(details.scheduledAt)
        authoredOn = FHIRDate.dateTime(details.orderedAt)
        requester = details.requestingPhysician.unlessEmpty.map { Reference(type: "Practitioner", display: $0) }
        performer = Self.performers(details).unlessEmpty
        locationReference = details.location.unlessEmpty.map { [Reference(type: "Location", display: $0)] }
        reasonCode = details.reason.unlessEmpty.map { [CodeableConcept(text: $0)] }
        bodySite = details.bodySite.unlessEmpty.map { [CodeableConcept(text: $0)] }
        note = details.clinicalInformation.unlessEmpty.map { [Annotation(text: $0)] }
        meta = Meta(versionId: FHIRFormat.version(self), lastUpdated: FHIRDate.instant(record.updatedAt))
    }

    /// Whom it is for: a station, and a person.
    private static func performers(_ details: ProcedureDetails) -> [Reference] {
        var performers: [Reference] = []
        if !details.stationAETitle.isEmpty {
            let title = Identifier(system: stationSystem, value: details.stationAETitle)
            performers.append(
                Reference(type: "Device", identifier: title, display: details.stationName.unlessEmpty))
        }
        if !details.performingPhysician.isEmpty {
            performers.append(Reference(type: "Practitioner", display: details.performingPhysician))
        }
        return performers
    }

    static let stationSystem = "urn:phim:" + NumberKind.title.rawValue

    /// DICOM's priorities (0040,1003) and FHIR's.
    private static let priorities = ["stat": "STAT", "urgent": "HIGH", "asap": "MEDIUM", "routine": "ROUTINE"]

    static func status(of state: ProcedureState) -> String {
        switch state {
        case .ordered, .scheduled, .arrived, .inProgress: "active"
        case .completed, .reported, .released: "completed"
        case .cancelled: "revoked"
        }
    }

    /// The states that a status stands for.
    static func states(of status: String) -> [String] {
        ProcedureState.allCases.filter { self.status(of: $0) == status }.map(\.rawValue)
    }

    // MARK: What a sender says

    /// What is to be done with the order.
    func control(known: ProcedureRecord?, at root: String = "ServiceRequest") throws -> OrderControl {
        guard intent?.hasSuffix("order") ?? false else {
            throw FHIRFault.value(root + ".intent", "Only orders are taken here.")
        }
        guard doNotPerform != true else {
            throw FHIRFault.value(root + ".doNotPerform", "An order not to do something is not understood here.")
        }
        switch status {
        case "active": return known == nil ? .new : .change
        case "revoked", "entered-in-error": return .cancel
        case "completed":
            // What is done stays done, reported or not.
            let isDone = known.map { Self.status(of: ProcedureState(word: $0.state)) == "completed" } ?? false
            return isDone ? .change : .status
        default:
            throw FHIRFault.value(
                root + ".status", "An order is active, revoked, entered-in-error or completed.")
        }
    }

    /// The number that the sender gave the order.
    func placer(site: String) -> IssuedNumber? {
        let own = identifier?.first { $0.typeCode == "PLAC" }
        let plain = identifier?.first {
            $0.studyInstanceUID == nil && !["ACSN", "FILL"].contains($0.typeCode ?? "") && $0.use != "old"
        }
        return (own ?? plain)?.number(.order, of: site)
    }

    /// - Parameter isWhole: what is left out is not known any more; otherwise it stays as it was.
    func facts(
        placer: IssuedNumber, asOf: Int64, isWhole: Bool, at root: String = "ServiceRequest"
    ) throws -> OrderFacts {
        try Unread.refuse(implicitRules, modifierExtension, at: root)
        let said = try details(at: root)
        var facts = OrderFacts(placer: placer, asOf: asOf) { known in
            for path in Self.texts where isWhole || !said[keyPath: path].isEmpty {
                known[keyPath: path] = said[keyPath: path]
            }
            // An order always has a time and a priority.
            if !said.scheduledAt.isEmpty { known.scheduledAt = said.scheduledAt }
            if !said.orderedAt.isEmpty { known.orderedAt = said.orderedAt }
            if !said.priority.isEmpty { known.priority = said.priority }
            if isWhole || !said.code.value.isEmpty || !said.code.meaning.isEmpty { known.code = said.code }
        }
        facts.accessionNumber = identifier?.first { $0.typeCode == "ACSN" }?.value
        facts.studyInstanceUID = identifier?.compactMap(\.studyInstanceUID).first
        if status == "completed" { facts.step = .complete }
        return facts
    }

    private static var texts: [WritableKeyPath<ProcedureDetails, String>] {
        [
            \.modality, \.stationAETitle, \.stationName, \.location, \.reason, \.clinicalInformation, \.bodySite,
            \.requestingPhysician, \.performingPhysician, \.fillerNumber,
        ]
    }

    private func details(at root: String) throws -> ProcedureDetails {
        var details = ProcedureDetails()
        details.priority = ""
        if let priority {
            guard let word = Self.priorities[priority] else {
                throw FHIRFault.value(root + ".priority", "A priority is routine, urgent, asap or stat.")
            }
            details.priority = word
        }
        let concepts = (orderDetail ?? []) + (category ?? [])
        details.modality = concepts.compactMap { $0.code(Coding.dicom) }.first ?? ""
        // To take an order back its number is enough.
        let isOrder = status == "active"
        guard !isOrder || !details.modality.isEmpty else {
            throw FHIRFault.required(
                root + ".orderDetail", "The modality is needed: a coding of \(Coding.dicom).")
        }
        if let code { details.code = Coded(code) }
        guard !isOrder || !details.code.value.isEmpty || !details.code.meaning.isEmpty else {
            throw FHIRFault.required(root + ".code", "What is ordered is needed.")
        }
        let occurrence = occurrenceDateTime ?? occurrencePeriod?.start
        let place = occurrenceDateTime == nil ? ".occurrencePeriod.start" : ".occurrenceDateTime"
        details.scheduledAt = try Encounter.time(occurrence, at: root + place)
        details.orderedAt = try Encounter.time(authoredOn, at: root + ".authoredOn")
        let station = performer?.first { $0.identifier?.system == Self.stationSystem }
        details.stationAETitle = station?.identifier?.value ?? ""
        details.stationName = station?.display ?? ""
        details.performingPhysician = performer?.first { $0.identifier?.system != Self.stationSystem }?.display ?? ""
        details.requestingPhysician = requester?.display ?? ""
        details.location = locationReference?.first?.display ?? ""
        details.reason = reasonCode?.first?.words ?? ""
        details.bodySite = bodySite?.first?.words ?? ""
        details.clinicalInformation = (note ?? []).map(\.text).joined(separator: "\n")
        details.fillerNumber = identifier?.first { $0.typeCode == "FILL" }?.value ?? ""
        guard Self.texts.allSatisfy({ details[keyPath: $0].count <= 4_000 }) else {
            throw FHIRFault.value(root, "Texts have at most 4000 characters.")
        }
        return details
    }
}

extension CodeableConcept {
    /// Nil for a code that says nothing.
    init?(_ code: Coded) {
        guard !code.value.isEmpty || !code.meaning.isEmpty else { return nil }
        if !code.value.isEmpty {
            coding = [
                Coding(
                    system: IdentifierSystem.codeSystem(code.scheme), code: code.value,
                    display: code.meaning.unlessEmpty)
            ]
        }
        text = code.meaning.unlessEmpty
    }
}

extension Coded {
    /// The first code; what people read is its display, else the text.
    init(_ concept: CodeableConcept) {
        let coding = concept.coding?.first { $0.code != nil }
        self.init(
            value: coding?.code ?? "", scheme: coding?.system.map(IdentifierSystem.scheme) ?? "",
            meaning: concept.text ?? coding?.display ?? "")
    }
}
