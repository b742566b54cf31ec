// What one station finds: searched page by page, and written in the characters that it reads (PS3.4 Section K.4.1).

package import DICOMCore
package import Encounters
import Records

/// The worklist as one station sees it; the network and the command line ask it alike.
package struct Worklist: Sendable {
    let encounters: Encounters
    let policy: WorklistPolicy
    let callingAETitle: String
    let characterSet: OutputCharacterSet

    /// Lines per view of the records: a slow station holds no transaction open.
    private static let page = 50

    package init(
        encounters: Encounters, policy: WorklistPolicy, callingAETitle: String, characterSet: OutputCharacterSet
    ) {
        self.encounters = encounters
        self.policy = policy
        self.callingAETitle = callingAETitle
        self.characterSet = characterSet
    }

    /// Hands every match to `body`, the earliest scheduled first, until it returns false.
    /// - Returns: False when the limit of one answer was met before the end.
    package func forEach(
        _ query: WorklistQuery, _ body: (WorklistItem) -> Bool
    ) throws(EncounterFailure) -> Bool {
        var query = query
        if policy.narrowsToStation { query.narrow(to: callingAETitle) }
        let asked = query
        let filter = try encounters.look { records in
            try asked.filter(performers: { try records.performingPhysicians() })
        }
        var (position, left) = (WorklistPosition?.none, policy.limit)
        // What is put off between two pages comes once.
        var seen = Set<Int64>()
        while true {
            let page = try encounters.look { [position] records in
                try records.worklist(
                    filter, after: position, limit: Self.page, isNamed: { asked.isNamed($0) })
            }
            for row in page where seen.insert(row.procedure.id).inserted {
                guard left > 0 else { return false }
                left -= 1
                let item = WorklistItem(row, policy: policy, station: asked.station ?? callingAETitle)
                guard body(item) else { return true }
            }
            guard page.count == Self.page, let last = page.last else { return true }
            position = WorklistPosition(last.procedure)
        }
    }

    /// One answer: the keys that were asked for, in the characters of the station.
    package func dataSet(_ item: WorklistItem, _ query: WorklistQuery, transferSyntax: String) -> [UInt8] {
        var writer = DataSetWriter(transferSyntax: TransferSyntax(transferSyntax), characterSet: characterSet)
        // Said even when a value happens to be plain ASCII: some readers take their default from the first answer.
        if characterSet.definedTerm != nil { writer.putEmpty(.specificCharacterSet) }
        item.attributes.put(query.identifier, into: &writer)
        return writer.finish()
    }
}
