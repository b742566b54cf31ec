// What a station would be told, without asking from it: for the terminal and the pages.

package import DICOMCore
package import Encounters
import Foundation

/// What a station asks for; nil asks for nothing in particular.
package struct WorklistQuestion: Sendable {
    /// As when the station does not ask for its own AE title.
    package var isForAnyStation = false
    /// Day or range of days, `yyyymmdd-yyyymmdd`.
    package var date: String?
    package var modality: String?
    /// With wild cards.
    package var patientName: String?
    package var patientID: String?
    package var accessionNumber: String?
    package var limit = 1000

    package init() {}

    func query(stationAETitle: String) throws(WorklistQuery.Fault) -> WorklistQuery {
        let writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
        var step = writer.makeItem()
        step.put(.scheduledStationAETitle, .AE, isForAnyStation ? [] : [stationAETitle])
        step.put(.scheduledProcedureStepStartDate, .DA, date.map { [$0] } ?? [])
        step.put(.modality, .CS, modality.map { [$0] } ?? [])
        var keys = writer
        keys.put(.scheduledProcedureStepSequence, items: [step])
        keys.put(.patientName, .PN, patientName.map { [$0] } ?? [])
        keys.put(.patientID, .LO, patientID.map { [$0] } ?? [])
        keys.put(.accessionNumber, .SH, accessionNumber.map { [$0] } ?? [])
        return try WorklistQuery(keys.finish(), transferSyntax: TransferSyntax.explicitVRLittleEndian.uid)
    }
}

/// The answer.
package struct WorklistPreview: Sendable {
    package let items: [WorklistItem]
    /// Whether there are no more.
    package let isWhole: Bool
    /// What the station reads.
    package let characterSet: OutputCharacterSet

    /// As the station reads it.
    package var shown: [WorklistShown] { items.map { WorklistShown($0, characterSet: characterSet) } }

    /// Throws `WorklistQuery.Fault` for a question that no station could ask.
    package init(
        _ question: WorklistQuestion, stationAETitle: String, characterSet: OutputCharacterSet, encounters: Encounters,
        policy: WorklistPolicy
    ) throws {
        let query = try question.query(stationAETitle: stationAETitle)
        let worklist = Worklist(
            encounters: encounters, policy: policy, callingAETitle: stationAETitle, characterSet: characterSet)
        var items: [WorklistItem] = []
        let isWhole = try worklist.forEach(query) { item in
            items.append(item)
            return items.count < question.limit
        }
        self.items = items
        self.isWhole = isWhole && items.count < question.limit
        self.characterSet = characterSet
    }
}

/// One answer as a station reads it: encoded, and decoded again.
package struct WorklistShown: Encodable, Sendable {
    package struct Lost: Encodable, Sendable {
        package let attribute: String
        package let original: String
        package let shown: String
        /// A letter has become a question mark: not only its marks are gone.
        package let isUnreadable: Bool
    }

    /// How attributes of the scheduled step begin.
    package static let step = "ScheduledProcedureStepSequence/"

    /// Values by keyword; of sequences by the path.
    package let attributes: [String: String]
    package let lost: [Lost]

    package init(_ item: WorklistItem, characterSet: OutputCharacterSet) {
        let (shown, original) = (Self.read(item, characterSet), Self.read(item, .utf8))
        attributes = shown
        lost = original.sorted { $0.key < $1.key }.compactMap { name, value in
            guard let other = shown[name], other != value else { return nil }
            let marks = value.count { $0 == "?" }
            return Lost(
                attribute: name, original: value, shown: other, isUnreadable: other.count { $0 == "?" } > marks)
        }
    }

    private static func read(_ item: WorklistItem, _ characterSet: OutputCharacterSet) -> [String: String] {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: characterSet)
        item.attributes.put(into: &writer)
        var values: [String: String] = [:]
        func add(_ dataSet: DataSet, _ path: String) {
            for element in dataSet.elements {
                let name = path + (element.tag.keyword ?? element.tag.description)
                guard element.vr == .SQ else {
                    // Encoded text may be composed in another way than it was typed.
                    values[name] =
                        dataSet.values(of: element).joined(separator: "\\")
                        .precomposedStringWithCanonicalMapping
                    continue
                }
                for (index, item) in dataSet.items(of: element).enumerated() {
                    add(item, name + (index == 0 ? "/" : "[\(index + 1)]/"))
                }
            }
        }
        let syntax = TransferSyntax.explicitVRLittleEndian
        if let header = try? HeaderReader.read(writer.finish(), transferSyntax: syntax) { add(header.dataSet, "") }
        return values
    }
}
