// What a modality says of its work, and what that means for the procedures behind it (PS3.4 Section F.7).

package import DICOMCore
import Records

/// Performed Procedure Step Status (0040,0252).
package enum PerformedStepStatus: String, CaseIterable, Sendable {
    case inProgress = "IN PROGRESS"
    case completed = "COMPLETED"
    case discontinued = "DISCONTINUED"

    package var isFinal: Bool { self != .inProgress }

    /// What it means for the procedure; nil while another step of it is under way.
    /// - Parameter others: of the procedure's other performed steps.
    package func step(beside others: [PerformedStepStatus]) -> ProcedureStep? {
        switch self {
        case .inProgress: .start
        case .completed: others.contains(.inProgress) ? nil : .complete
        case .discontinued:
            others.contains(.inProgress) ? nil : others.contains(.completed) ? .complete : .discontinue
        }
    }
}

/// Why a performed step is not kept as it was sent.
package enum PerformedStepFault: Error, Hashable, Sendable {
    case unreadable
    case duplicate
    case unknown
    /// Completed or discontinued already.
    case final
    case missing([Tag])
    case withoutValue([Tag])
    case invalid(Tag)
}

/// A performed step as a data set.
package struct PerformedStep: Sendable {
    package let dataSet: DataSet

    package init(_ dataSet: DataSet) { self.dataSet = dataSet }

    /// Reads what the records keep.
    package init(stored bytes: [UInt8]) throws(PerformedStepFault) {
        try self.init(bytes, transferSyntax: TransferSyntax.explicitVRLittleEndian.uid)
    }

    package init(_ bytes: [UInt8], transferSyntax: String) throws(PerformedStepFault) {
        guard let header = try? HeaderReader.read(bytes, transferSyntax: TransferSyntax(transferSyntax)) else {
            throw .unreadable
        }
        dataSet = header.dataSet
    }

    /// Its status; nil when it says none.
    package func status() throws(PerformedStepFault) -> PerformedStepStatus? {
        guard let word = dataSet.string(.performedProcedureStepStatus) else { return nil }
        guard let status = PerformedStepStatus(rawValue: word) else { throw .invalid(.performedProcedureStepStatus) }
        return status
    }

    package var patientID: String { dataSet.string(.patientID) ?? "" }
    package var patientName: String { dataSet.string(.patientName) ?? "" }

    /// One scheduled step that was worked on.
    package struct Scheduled: Hashable, Sendable {
        package let studyInstanceUID: String
        package let accessionNumber: String
        package let scheduledProcedureStepID: String
    }

    /// The scheduled steps that it says it did; of unscheduled work only the study has a value.
    package var scheduled: [Scheduled] {
        dataSet.items(.scheduledStepAttributesSequence).map { item in
            Scheduled(
                studyInstanceUID: item.string(.studyInstanceUID) ?? "",
                accessionNumber: item.string(.accessionNumber) ?? "",
                scheduledProcedureStepID: item.string(.scheduledProcedureStepID) ?? "")
        }
    }

    /// Attributes of type 1 for an SCU's N-CREATE (PS3.4 Table F.7.2-1).
    private static let demanded: [Tag] = [
        .scheduledStepAttributesSequence, .performedProcedureStepID, .performedStationAETitle,
        .performedProcedureStepStartDate, .performedProcedureStepStartTime, .performedProcedureStepStatus, .modality,
    ]

    /// Holds a new step against the table. What may be empty may also be absent: nothing here depends on it.
    func checkNew() throws(PerformedStepFault) {
        let absent = Self.demanded.filter { dataSet[$0] == nil }
        guard absent.isEmpty else { throw .missing(absent) }
        let empty = Self.demanded.filter { dataSet[$0].map { $0.length == 0 } ?? true }
        guard empty.isEmpty else { throw .withoutValue(empty) }
        let items = dataSet.items(.scheduledStepAttributesSequence)
        guard !items.isEmpty, items.allSatisfy({ $0[.studyInstanceUID] != nil }) else {
            throw .missing([.studyInstanceUID])
        }
        guard items.allSatisfy({ $0.string(.studyInstanceUID).map { UID.isValid($0) } ?? false }) else {
            throw .withoutValue([.studyInstanceUID])
        }
        guard try status() == .inProgress else { throw .invalid(.performedProcedureStepStatus) }
    }

    /// What an N-SET does not change (PS3.4 Table F.7.2-1, "Not allowed").
    package static let settled: Set<Tag> = [
        .scheduledStepAttributesSequence, .patientName, .patientID, .issuerOfPatientID, .patientBirthDate, .patientSex,
        .referencedPatientSequence, .performedProcedureStepID, .performedStationAETitle, .performedStationName,
        .performedLocation, .performedProcedureStepStartDate, .performedProcedureStepStartTime, .modality, .studyID,
    ]

    /// Every attribute in the form that is kept: Explicit VR Little Endian, UTF-8.
    func encoded(changedBy change: PerformedStep? = nil) -> [UInt8] {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
        writer.putEmpty(.specificCharacterSet)
        for element in dataSet.elements where element.tag.element != 0 { writer.put(element, from: dataSet) }
        // What is put last is what stays.
        for element in change?.dataSet.elements ?? [] {
            guard element.tag.element != 0, !Self.settled.contains(element.tag), let source = change?.dataSet else {
                continue
            }
            writer.put(element, from: source)
        }
        return writer.finish()
    }
}

// MARK: - Reading

/// A series as the modality reported it.
package struct PerformedSeries: Hashable, Sendable {
    package let seriesInstanceUID: String
    package let description: String
    package let protocolName: String
    /// SOP Instance UIDs of its images and other objects.
    package let instances: [String]
}

extension PerformedStep {
    /// Performed Series Sequence (0040,0340).
    package var series: [PerformedSeries] {
        dataSet.items(.performedSeriesSequence).map { item in
            let references =
                item.items(.referencedImageSequence) + item.items(.referencedNonImageCompositeSOPInstanceSequence)
            return PerformedSeries(
                seriesInstanceUID: item.string(.seriesInstanceUID) ?? "",
                description: item.string(.seriesDescription) ?? "", protocolName: item.string(.protocolName) ?? "",
                instances: references.compactMap { $0.string(.referencedSOPInstanceUID) })
        }
    }

    /// Radiation Dose attributes with a value, by keyword (PS3.3 Section C.4.16).
    package var dose: [(keyword: String, value: String)] {
        let tags: [Tag] = [
            .totalTimeOfFluoroscopy, .totalNumberOfExposures, .imageAndFluoroscopyAreaDoseProduct,
            .distanceSourceToDetector, .entranceDose, .entranceDoseInmGy,
        ]
        return tags.compactMap { tag in
            dataSet.string(tag).map { (tag.keyword ?? tag.description, $0) }
        }
    }

    /// Exposures that the modality listed one by one (0040,030E).
    package var exposures: Int { dataSet.items(.exposureDoseSequence).count }

    /// Why it was discontinued, in the words of the code; nil when no code was given.
    package var discontinuationReason: String? {
        let code = dataSet.items(.performedProcedureStepDiscontinuationReasonCodeSequence).first
        return code?.string(.codeMeaning) ?? code?.string(.codeValue)
    }

    /// `yyyymmddHHMMSS`, as far as it was said.
    package var startedAt: String {
        (dataSet.string(.performedProcedureStepStartDate) ?? "")
            + (dataSet.string(.performedProcedureStepStartTime) ?? "").prefix(6)
    }

    package var endedAt: String {
        (dataSet.string(.performedProcedureStepEndDate) ?? "")
            + (dataSet.string(.performedProcedureStepEndTime) ?? "").prefix(6)
    }
}
