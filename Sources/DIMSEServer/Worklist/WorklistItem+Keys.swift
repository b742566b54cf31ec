// The return keys as a table, for the conformance statement.

package import DICOMCore

extension WorklistItem {
    /// Every attribute that is answered with a value where one is known (PS3.4 Table K.6-1); a test holds it against
    /// what is answered.
    package static let returnKeys: [(sequence: Tag?, tag: Tag)] = {
        let inStep: [Tag] = [
            .scheduledStationAETitle, .scheduledProcedureStepStartDate, .scheduledProcedureStepStartTime, .modality,
            .scheduledPerformingPhysicianName, .scheduledProcedureStepDescription, .scheduledProtocolCodeSequence,
            .scheduledStationName, .scheduledProcedureStepLocation, .scheduledProcedureStepID,
            .scheduledProcedureStepStatus, .bodyPartExamined, .laterality,
        ]
        let root: [Tag] = [
            .requestedProcedureID, .requestedProcedureDescription, .requestedProcedureCodeSequence, .studyInstanceUID,
            .referencedStudySequence, .referencedPatientSequence, .requestedProcedurePriority,
            .patientTransportArrangements, .reasonForTheRequestedProcedure, .requestedProcedureComments,
            .additionalPatientHistory, .timezoneOffsetFromUTC, .accessionNumber, .issuerOfAccessionNumberSequence,
            .requestingPhysician, .referringPhysicianName, .requestingService,
            .placerOrderNumberImagingServiceRequest, .fillerOrderNumberImagingServiceRequest,
            .orderPlacerIdentifierSequence, .orderFillerIdentifierSequence, .issueDateOfImagingServiceRequest,
            .issueTimeOfImagingServiceRequest, .institutionName, .admissionID, .issuerOfAdmissionIDSequence,
            .currentPatientLocation, .institutionalDepartmentName, .admittingDiagnosesDescription, .admittingDate,
            .admittingTime, .patientName, .patientID, .issuerOfPatientID, .otherPatientIDs, .otherPatientIDsSequence,
            .patientBirthDate, .patientBirthTime, .patientSex, .patientAge, .patientAddress, .patientTelephoneNumbers,
            .ethnicGroup, .patientWeight, .patientSize, .confidentialityConstraintOnPatientDataDescription,
            .patientState, .pregnancyStatus, .medicalAlerts, .allergies, .specialNeeds,
        ]
        return inStep.map { (.scheduledProcedureStepSequence, $0) } + root.map { (nil, $0) }
    }()
}
