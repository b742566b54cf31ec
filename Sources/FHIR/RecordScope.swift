// What of the records a caller may see who may see some studies only: whom and what these studies are linked to.

import Access
import Records

/// People, visits and procedures behind a set of studies.
struct RecordScope: Sendable {
    let studies: Set<String>
    /// By every row: by its own number a merged one is found as well.
    let people: Set<Int64>
    let encounters: Set<Int64>
    let procedures: Set<Int64>

    /// - Parameter studies: only what they are linked to counts: that an order was given a study's UID says nothing of whose
    ///   images came under it.
    init(_ studies: Set<String>, _ records: RecordTransaction) throws {
        self.studies = studies
        let targets = try records.links(ofStudies: studies).map(\.target)
        people = try records.people(ofRows: targets.map(\.patient)).rows
        encounters = Set(targets.compactMap(\.encounter))
        procedures = Set(targets.compactMap(\.procedure))
    }
}
