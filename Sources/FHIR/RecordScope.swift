// What of the records a caller may see who may see some studies only: whom and what these studies are linked to.

import Access
import Records

/// People, visits and procedures behind a set of studies.
struct RecordScope: Sendable {
    let studies: Set<String>
    private(set) var people: Set<Int64> = []
    private(set) var encounters: Set<Int64> = []
    private(set) var procedures: Set<Int64> = []

    init(_ studies: Set<String>, _ records: RecordTransaction) throws {
        self.studies = studies
        for uid in studies {
            if let target = try records.link(ofStudy: uid)?.target {
                try add(target, records)
            } else if let procedure = try records.procedure(studyInstanceUID: uid) {
                let target = LinkTarget(
                    procedure: procedure.id, encounter: procedure.encounter, patient: procedure.patient)
                try add(target, records)
            }
        }
    }

    private mutating func add(_ target: LinkTarget, _ records: RecordTransaction) throws {
        if let procedure = target.procedure { procedures.insert(procedure) }
        if let encounter = target.encounter { encounters.insert(encounter) }
        // By its own number a person is found under every row.
        people.formUnion(try records.rows(of: records.patient(id: target.patient)).map(\.id))
    }
}
