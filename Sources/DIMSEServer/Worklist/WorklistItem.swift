// One scheduled procedure step as the attributes that a modality may ask for (PS3.4 Table K.6-1).

import DICOMCore
package import Encounters
package import Records

/// What the worklist says of this site.
package struct WorklistPolicy: Sendable {
    /// Name of the institution where the visit's facility is not known.
    package var institutionName: String
    /// Namespace of this site's patient codes.
    package var issuer: String
    /// Whether a caller that asks for no station gets only its own steps, and those for any station.
    package var narrowsToStation: Bool
    /// Answers to one query at most.
    package var limit: Int

    package init(
        institutionName: String = "", issuer: String = "", narrowsToStation: Bool = false, limit: Int = 10_000
    ) {
        self.institutionName = institutionName
        self.issuer = issuer
        self.narrowsToStation = narrowsToStation
        self.limit = limit
    }
}

/// A line of the worklist on its way to one station.
package struct WorklistItem: Sendable {
    let row: WorklistRow
    let policy: WorklistPolicy
    /// Who is told that the step is theirs, when the order names no station.
    let station: String

    var procedure: ProcedureRecord { row.procedure }
    var details: ProcedureDetails { row.procedure.details }

    package init(_ row: WorklistRow, policy: WorklistPolicy, station: String) {
        self.row = row
        self.policy = policy
        self.station = station
    }

    /// Every return key of Table K.6-1 that is known here.
    package var attributes: AttributeTree {
        var tree = AttributeTree(capacity: 64)
        addRequest(to: &tree)
        addService(to: &tree)
        addVisit(to: &tree)
        addPatient(to: &tree)
        tree.set(.scheduledProcedureStepSequence, items: [step])
        return tree
    }

    // MARK: Status

    /// Scheduled Procedure Step Status (0040,0020) of a state (PS3.3 Section C.4.10).
    package static func status(_ state: ProcedureState) -> String {
        switch state {
        case .ordered, .scheduled: "SCHEDULED"
        case .arrived: "ARRIVED"
        case .inProgress: "STARTED"
        case .completed, .reported, .released, .cancelled: "DEPARTED"
        }
    }

    /// The open states that a status means; a word that is none of ours, so that nothing is found, when it means none.
    static func states(_ status: String) -> [String] {
        let meant = ProcedureState.allCases.filter { $0.isOpen && Self.status($0) == status }
        return meant.isEmpty ? ["none"] : meant.map(\.rawValue)
    }

    // MARK: Modules

    /// Scheduled Procedure Step.
    private var step: AttributeTree {
        var step = AttributeTree(capacity: 16)
        step.set(.scheduledStationAETitle, details.stationAETitle.isEmpty ? station : details.stationAETitle)
        step.set(.scheduledProcedureStepStartDate, String(details.scheduledAt.prefix(8)))
        step.set(.scheduledProcedureStepStartTime, String(details.scheduledAt.dropFirst(8)))
        step.set(.modality, details.modality)
        step.set(.scheduledPerformingPhysicianName, details.performingPhysician)
        let code = details.protocolCode.value.isEmpty ? details.code : details.protocolCode
        let meaning = details.protocolCode.meaning.isEmpty ? details.code.meaning : details.protocolCode.meaning
        step.set(.scheduledProcedureStepDescription, meaning.isEmpty ? code.value : meaning)
        step.set(.scheduledProtocolCodeSequence, items: Self.items(code))
        step.set(.scheduledStationName, details.stationName)
        step.set(.scheduledProcedureStepLocation, details.location)
        step.set(.scheduledProcedureStepID, details.scheduledProcedureStepID)
        step.set(.scheduledProcedureStepStatus, Self.status(ProcedureState(word: procedure.state)))
        let bodyPart = details.bodySite.uppercased()
        let isCode = bodyPart.utf8.count <= 16 && bodyPart.utf8.allSatisfy { Self.isCodeCharacter($0) }
        step.set(.bodyPartExamined, isCode ? bodyPart : "")
        step.set(.laterality, ["L", "R", "B"].contains(details.laterality) ? details.laterality : "")
        return step
    }

    /// Requested Procedure.
    private func addRequest(to tree: inout AttributeTree) {
        tree.set(.requestedProcedureID, details.requestedProcedureID)
        tree.set(
            .requestedProcedureDescription, details.code.meaning.isEmpty ? details.code.value : details.code.meaning)
        tree.set(.requestedProcedureCodeSequence, items: Self.items(details.code))
        tree.set(.studyInstanceUID, procedure.studyInstanceUID)
        // Refers to instances of a retired service, which nobody offers; the attribute itself is of type 2.
        tree.set(.referencedStudySequence, items: [])
        tree.set(.referencedPatientSequence, items: [])
        tree.set(.requestedProcedurePriority, details.priority)
        tree.set(.patientTransportArrangements, details.transport)
        tree.set(.reasonForTheRequestedProcedure, details.reason)
        tree.set(.requestedProcedureComments, details.clinicalInformation)
        tree.set(.additionalPatientHistory, details.clinicalInformation)
        tree.set(.timezoneOffsetFromUTC, "+0700")
    }

    /// Imaging Service Request.
    private func addService(to tree: inout AttributeTree) {
        tree.set(.accessionNumber, procedure.accession.value)
        tree.set(.issuerOfAccessionNumberSequence, items: Self.issuer(procedure.accession.issuer))
        tree.set(.requestingPhysician, details.requestingPhysician)
        tree.set(.referringPhysicianName, row.encounter?.details.referringPhysician ?? details.requestingPhysician)
        tree.set(.requestingService, details.requestingService)
        tree.set(.placerOrderNumberImagingServiceRequest, procedure.placer.value)
        tree.set(.fillerOrderNumberImagingServiceRequest, details.fillerNumber)
        tree.set(.orderPlacerIdentifierSequence, items: Self.issuer(procedure.placer.issuer))
        tree.set(.orderFillerIdentifierSequence, items: [])
        tree.set(.issueDateOfImagingServiceRequest, String(details.orderedAt.prefix(8)))
        tree.set(.issueTimeOfImagingServiceRequest, String(details.orderedAt.dropFirst(8)))
    }

    /// Visit Identification, Status and Admission.
    private func addVisit(to tree: inout AttributeTree) {
        let visit = row.encounter?.details
        tree.set(.institutionName, row.facility?.name ?? policy.institutionName)
        // The whole number may have 100 characters; LO holds 64.
        tree.set(.admissionID, row.encounter?.number ?? "")
        tree.set(.issuerOfAdmissionIDSequence, items: Self.issuer(row.encounter?.issuer ?? ""))
        let place = [visit?.department, visit?.room, visit?.bed].compactMap { $0 }.filter { !$0.isEmpty }
        tree.set(.currentPatientLocation, place.joined(separator: " / "))
        tree.set(.institutionalDepartmentName, visit?.department ?? "")
        tree.set(.admittingDiagnosesDescription, visit?.admittingDiagnosis ?? "")
        tree.set(.admittingDate, String((visit?.startedAt ?? "").prefix(8)))
        tree.set(.admittingTime, String((visit?.startedAt ?? "").dropFirst(8)))
    }

    /// Patient Identification, Demographic and Medical.
    private func addPatient(to tree: inout AttributeTree) {
        let person = row.patient.demographics
        let own = patientCode
        tree.set(.patientName, person.name)
        tree.set(.patientID, own?.value ?? "")
        tree.set(.issuerOfPatientID, own?.issuer ?? "")
        let others = row.identifiers.filter { $0 != own }
        tree.set(.otherPatientIDs, others.map(\.value))
        tree.set(
            .otherPatientIDsSequence,
            items: others.map { identifier in
                var item = AttributeTree()
                item.set(.patientID, identifier.value)
                item.set(.issuerOfPatientID, identifier.issuer)
                item.set(.typeOfPatientID, "TEXT")
                return item
            })
        tree.set(.patientBirthDate, person.dicomBirthDate)
        tree.set(.patientBirthTime, person.birthTime)
        tree.set(.patientSex, person.sex)
        tree.set(.patientAge, PatientAge.text(born: person.birthDate, on: details.scheduledAt) ?? "")
        tree.set(.patientAddress, person.address)
        tree.set(.patientTelephoneNumbers, person.telephone)
        tree.set(.ethnicGroup, person.ethnicGroup)
        tree.set(.patientWeight, details.patientWeight)
        tree.set(.patientSize, details.patientSize)
        tree.set(.confidentialityConstraintOnPatientDataDescription, details.confidentiality)
        tree.set(.patientState, details.patientState)
        tree.set(.pregnancyStatus, details.pregnancyStatus)
        tree.set(.medicalAlerts, Self.list(details.medicalAlerts))
        tree.set(.allergies, Self.list(details.allergies))
        tree.set(.specialNeeds, details.specialNeeds)
    }

    // MARK: Parts

    /// The patient code of this site, otherwise of another; a citizen's number only where there is nothing else.
    private var patientCode: PatientIdentifier? {
        let codes = row.identifiers.filter { $0.type == PatientIdentifier.medicalRecord }
        return codes.first { $0.issuer == policy.issuer } ?? codes.first
            ?? row.identifiers.first { $0.type != PatientIdentifier.citizen } ?? row.identifiers.first
    }

    /// Code Sequence Macro (PS3.3 Table 8.8-1a); a scheme is demanded there, 99 marks a local one.
    private static func items(_ code: Coded) -> [AttributeTree] {
        guard !code.value.isEmpty else { return [] }
        var item = AttributeTree()
        item.set(code.value.count <= 16 ? .codeValue : .longCodeValue, code.value)
        item.set(.codingSchemeDesignator, code.scheme.isEmpty ? "99LOCAL" : code.scheme)
        item.set(.codeMeaning, code.meaning.isEmpty ? code.value : code.meaning)
        return [item]
    }

    /// HL7v2 Hierarchic Designator Macro (PS3.3 Table 10-17).
    private static func issuer(_ name: String) -> [AttributeTree] {
        guard !name.isEmpty else { return [] }
        var item = AttributeTree()
        item.set(.localNamespaceEntityID, name)
        return [item]
    }

    /// Lists are written with semicolons in hospitals' messages.
    private static func list(_ text: String) -> [String] {
        text.split { $0 == ";" || $0 == "\\" || $0 == "\n" }.map { String($0.drop { $0 == " " }) }
    }

    private static func isCodeCharacter(_ byte: UInt8) -> Bool {
        (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x20 || byte == 0x5F
    }
}

/// Patient's Age (0010,1010), VR AS: in years, below six years in months, below a month in days.
enum PatientAge {
    /// - Parameters:
    ///   - born: `yyyy`, `yyyymm` or `yyyymmdd`.
    ///   - day: begins with `yyyymmdd`.
    static func text(born: String, on day: String) -> String? {
        func number(_ text: String, _ start: Int, _ length: Int) -> Int? {
            let part = text.dropFirst(start).prefix(length)
            return part.count == length ? Int(part) : nil
        }
        guard let birthYear = number(born, 0, 4), let year = number(day, 0, 4), let month = number(day, 4, 2),
            let date = number(day, 6, 2)
        else { return nil }
        guard let birthMonth = number(born, 4, 2) else { return form(year - birthYear, "Y") }
        let birthDate = number(born, 6, 2) ?? 1
        let months = (year - birthYear) * 12 + month - birthMonth - (date < birthDate ? 1 : 0)
        if months >= 72 { return form(months / 12, "Y") }
        guard months < 1, number(born, 6, 2) != nil, let from = LocalTime.instant(born),
            let to = LocalTime.instant(String(day.prefix(8)))
        else { return form(months, "M") }
        return form(Int((to - from) / 86_400_000_000), "D")
    }

    private static func form(_ count: Int, _ unit: String) -> String? {
        (0...999).contains(count) ? String("00\(count)".suffix(3)) + unit : nil
    }
}
