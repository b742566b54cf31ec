// What of the hospital's records a caller sees who sees single studies only: what these belong to.

import Access
import Encounters
import Records

/// Orders, visits and people in a caller's sight.
struct Sight: Sendable {
    /// Nil: all of them.
    let orders: Set<Int64>?
    private let visits: Set<Int64>
    /// Rows that people are seen as.
    private let patients: Set<Int64>

    init(_ caller: Caller, _ records: RecordTransaction) throws {
        guard case .only(let studies) = caller.scope else {
            (orders, visits, patients) = (nil, [], [])
            return
        }
        var targets = try records.links(ofStudies: studies).map(\.target)
        switch caller.subject {
        case .encounter(let id):
            let patient = try records.encounter(id: id).patient
            targets.append(LinkTarget(procedure: nil, encounter: id, patient: patient))
            targets += try records.procedures(encounter: id).map {
                LinkTarget(procedure: $0.id, encounter: id, patient: $0.patient)
            }
        case .procedure(let id):
            let order = try records.procedure(id: id)
            targets.append(LinkTarget(procedure: id, encounter: order.encounter, patient: order.patient))
        case .study, nil: break
        }
        orders = Set(targets.compactMap(\.procedure))
        visits = Set(targets.compactMap(\.encounter))
        patients = try records.people(ofRows: targets.map(\.patient)).roots
    }

    var isWhole: Bool { orders == nil }
    func has(order id: Int64) -> Bool { orders?.contains(id) ?? true }
    func has(visit id: Int64) -> Bool { isWhole || visits.contains(id) }
    func has(patient root: Int64) -> Bool { isWhole || patients.contains(root) }

    /// What is out of sight is answered as if it were not there.
    func demand(_ isSeen: Bool) throws(EncounterFailure) {
        guard isSeen else { throw .records(.notFound) }
    }
}
