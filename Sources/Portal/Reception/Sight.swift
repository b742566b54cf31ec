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
        var (orders, visits, patients) = (Set<Int64>(), Set<Int64>(), Set<Int64>())
        func add(_ order: Int64?, _ visit: Int64?, _ patient: Int64) throws {
            if let order { orders.insert(order) }
            if let visit { visits.insert(visit) }
            patients.insert(try records.patient(id: patient).root)
        }
        for study in studies {
            guard let target = try records.link(ofStudy: study)?.target else { continue }
            try add(target.procedure, target.encounter, target.patient)
        }
        switch caller.subject {
        case .encounter(let id):
            try add(nil, id, try records.encounter(id: id).patient)
            for order in try records.procedures(encounter: id) { try add(order.id, id, order.patient) }
        case .procedure(let id):
            let order = try records.procedure(id: id)
            try add(id, order.encounter, order.patient)
        case .study, nil: break
        }
        (self.orders, self.visits, self.patients) = (orders, visits, patients)
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
