// Orders as they are told: to terminals, to pages, to programs.

package import Records

/// One order. Times are local, `yyyymmddHHMMSS`, as DICOM and HL7 write them.
package struct OrderReport: Encodable, Sendable {
    /// Of its row; names it in addresses.
    package let id: Int64
    /// Another one with every change.
    package let version: Int64
    package let accessionNumber: String
    package let orderNumber: String
    package let studyInstanceUID: String
    package let state: String
    package let patient: Int64
    package let patientName: String
    package let patientIDs: [String]
    package let birthDate: String
    package let sex: String
    package let visit: String?
    package let visitID: Int64?
    package let details: ProcedureDetails

    package init(_ row: WorklistRow) {
        id = row.procedure.id
        version = row.procedure.updatedAt
        accessionNumber = row.procedure.accession.value
        orderNumber = row.procedure.placer.value
        studyInstanceUID = row.procedure.studyInstanceUID
        state = row.procedure.state
        patient = row.patient.id
        patientName = row.patient.demographics.name
        patientIDs = row.identifiers.map(\.value)
        birthDate = row.patient.demographics.birthDate
        sex = row.patient.demographics.sex
        visit = row.encounter?.number
        visitID = row.encounter?.id
        details = row.procedure.details
    }

    private enum CodingKeys: String, CodingKey {
        case id, version, accessionNumber, orderNumber, studyInstanceUID, state, patient, patientName, patientIDs
        case birthDate, sex, visit, visitID
        case modality, station, scheduledAt, code, meaning, priority, details
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(id, forKey: .id)
        try values.encode(version, forKey: .version)
        try values.encode(accessionNumber, forKey: .accessionNumber)
        try values.encode(orderNumber, forKey: .orderNumber)
        try values.encode(studyInstanceUID, forKey: .studyInstanceUID)
        try values.encode(state, forKey: .state)
        try values.encode(patient, forKey: .patient)
        try values.encode(patientName, forKey: .patientName)
        try values.encode(patientIDs, forKey: .patientIDs)
        try values.encode(birthDate, forKey: .birthDate)
        try values.encode(sex, forKey: .sex)
        try values.encodeIfPresent(visit, forKey: .visit)
        try values.encodeIfPresent(visitID, forKey: .visitID)
        // What lists show stands in front.
        try values.encode(details.modality, forKey: .modality)
        try values.encode(details.stationAETitle, forKey: .station)
        try values.encode(details.scheduledAt, forKey: .scheduledAt)
        try values.encode(details.code.value, forKey: .code)
        try values.encode(details.code.meaning, forKey: .meaning)
        try values.encode(details.priority, forKey: .priority)
        try values.encode(details, forKey: .details)
    }
}

/// What became of an order: its steps, what modalities reported, its studies.
package struct OrderStory: Encodable, Sendable {
    package struct Step: Encodable, Sendable {
        package let at: String
        package let from: String
        package let to: String
        package let by: String
        package let reason: String
    }

    package let order: OrderReport
    package let steps: [Step]
    package let performed: [PerformedStepReport]
    /// Study Instance UIDs.
    package private(set) var studies: [String]

    package init(_ procedure: ProcedureRecord, _ records: RecordTransaction) throws {
        order = OrderReport(try records.line(procedure))
        steps = try records.events(ofProcedure: procedure.id).map {
            Step(at: LocalTime.text($0.at), from: $0.from, to: $0.to, by: $0.actor, reason: $0.reason)
        }
        performed = try records.performedSteps(procedure: procedure.id).map(PerformedStepReport.init)
        studies = try records.links(procedure: procedure.id).map(\.studyInstanceUID)
    }

    /// The same for somebody who may not see every study.
    package func showing(_ isSeen: (String) -> Bool) -> OrderStory {
        var shown = self
        shown.studies = studies.filter(isSeen)
        return shown
    }
}

/// A performed procedure step.
package struct PerformedStepReport: Encodable, Sendable {
    package struct Series: Encodable, Sendable {
        package let seriesInstanceUID: String
        package let description: String
        package let protocolName: String
        package let instances: Int
    }

    package let sopInstanceUID: String
    package let status: String
    package let station: String
    package let startedAt: String
    package let endedAt: String
    package let discontinuationReason: String?
    package let series: [Series]
    /// By keyword (PS3.3 Section C.4.16).
    package let dose: [String: String]
    package let exposures: Int

    package init(_ record: PerformedStepRecord) throws {
        let step = try PerformedStep(stored: record.dataSet)
        sopInstanceUID = record.sopInstanceUID
        status = record.status
        station = record.peer
        startedAt = step.startedAt
        endedAt = step.endedAt
        discontinuationReason = step.discontinuationReason
        series = step.series.map {
            Series(
                seriesInstanceUID: $0.seriesInstanceUID, description: $0.description, protocolName: $0.protocolName,
                instances: $0.instances.count)
        }
        dose = Dictionary(step.dose.map { ($0.keyword, $0.value) }, uniquingKeysWith: { first, _ in first })
        exposures = step.exposures
    }
}
