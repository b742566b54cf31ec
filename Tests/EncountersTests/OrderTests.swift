// Visits and orders: entered, changed, cancelled, in and out of order.

import Encounters
import Records
import Testing

@Suite("Visits and orders")
struct OrderTests {
    private func apply(
        _ hospital: Hospital, _ event: EncounterEvent, asOf: Int64, department: String? = nil, patient: String = "BN1"
    ) throws -> EncounterRecord {
        try hospital.change { desk in
            let patient = try desk.patients.register(Hospital.facts(patient, asOf: asOf), older: .ignored)
            return try desk.encounters.apply(
                event,
                EncounterFacts(issuer: "24001", number: "MALK.2026.0001", asOf: asOf) { details in
                    if let department { details.department = department }
                }, patient: patient)
        }
    }

    @Test("A stay: admitted, moved, moved back, discharged, discharge taken back")
    func stay() throws {
        let hospital = try Hospital()
        #expect(try apply(hospital, .admit, asOf: 1, department: "K01").status == .inProgress)
        #expect(try apply(hospital, .transfer, asOf: 2, department: "K02").details.priorDepartment == "K01")
        #expect(try apply(hospital, .cancelTransfer, asOf: 3).details.department == "K01")
        #expect(try apply(hospital, .discharge, asOf: 4).status == .finished)
        #expect(try apply(hospital, .cancelDischarge, asOf: 5).status == .inProgress)
        #expect(try apply(hospital, .cancelAdmit, asOf: 6).status == .cancelled)
    }

    @Test("A cancelled transfer leads to where the message says, else to where the patient was, else nowhere new")
    func cancelledTransfer() throws {
        let hospital = try Hospital()
        _ = try apply(hospital, .admit, asOf: 1, department: "K02")
        // The transfer itself was never heard of.
        #expect(try apply(hospital, .cancelTransfer, asOf: 2, department: "K01").details.department == "K01")
        #expect(try apply(hospital, .cancelTransfer, asOf: 3).details.department == "K01")
        _ = try apply(hospital, .transfer, asOf: 4, department: "K03")
        // The place that was left is no news.
        #expect(try apply(hospital, .cancelTransfer, asOf: 5, department: "K03").details.department == "K01")
        #expect(try apply(hospital, .cancelTransfer, asOf: 6).details.department == "K01")
    }

    @Test("An older message is refused and changes nothing")
    func outdated() throws {
        let hospital = try Hospital()
        _ = try apply(hospital, .discharge, asOf: 5)
        #expect(throws: EncounterFailure.outdated(what: "visit")) { try apply(hospital, .admit, asOf: 4) }
        let visit = try hospital.look { try $0.encounters(number: "MALK.2026.0001") }
        #expect(visit.map(\.status) == [.finished])
    }

    @Test("Taking back what never was is refused; a visit of another patient is")
    func unknown() throws {
        let hospital = try Hospital()
        #expect(throws: EncounterFailure.unknown(what: "visit")) { try apply(hospital, .cancelAdmit, asOf: 1) }
        _ = try apply(hospital, .admit, asOf: 1)
        #expect(throws: EncounterFailure.self) { try apply(hospital, .update, asOf: 2, patient: "BN2") }
        // Nothing of the refused message is left.
        #expect(try hospital.look { try $0.owner(of: Hospital.code("BN2")) } == nil)
    }

    @Test("A visit that was booked on the wrong person goes to the right one with its orders")
    func move() throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1", visit: "V1")
        let moved = try hospital.change { desk in
            let right = try desk.patients.register(Hospital.facts("BN2", name: "LÊ THỊ HOA", asOf: 2))
            return try desk.encounters.move(
                issuer: "24001", number: "V1", from: Hospital.code("BN1"), to: right, asOf: 2)
        }
        #expect(try hospital.look { try $0.procedure(id: order.id) }.patient == moved.patient)
        #expect(
            try hospital.look { try $0.worklist(WorklistFilter(), limit: 1) }.first?.patient.demographics.name
                == "LÊ THỊ HOA")
    }

    @Test("An order gets its numbers at once, and they fit")
    func numbers() throws {
        let hospital = try Hospital()
        let orders = try (0..<20).map { try hospital.order("O\($0)", patient: "BN\($0)") }
        #expect(Set(orders.map(\.studyInstanceUID)).count == 20)
        #expect(Set(orders.map(\.accession.value)).count == 20)
        for order in orders {
            #expect(order.accession.value.wholeMatch(of: /BG261121[0-9]{6}/) != nil)
            #expect(order.details.requestedProcedureID == order.accession.value)
            #expect(order.state == ProcedureState.scheduled.rawValue)
        }
        let long = try hospital.order("LONG", patient: "BN1", accession: "this is far too long for SH", asOf: 2)
        #expect(long.accession.value.count <= 16)
        #expect(try hospital.order("GIVEN", patient: "BN1", accession: "A-77", asOf: 3).accession.value == "A-77")
    }

    @Test("Changed, cancelled, and cancelled again; a change after that is refused")
    func cancel() throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1")
        func send(_ control: OrderControl, asOf: Int64, at: String? = nil) throws -> ProcedureRecord {
            try hospital.change { desk in
                let patient = try desk.patients.register(Hospital.facts("BN1", asOf: asOf), older: .ignored)
                let facts = OrderFacts(placer: IssuedNumber(issuer: "HIS", value: "O1"), asOf: asOf) { details in
                    if let at { details.scheduledAt = at }
                }
                return try desk.orders.apply(control, facts, patient: patient, encounter: nil).procedure
            }
        }
        #expect(try send(.change, asOf: 2, at: "20261122100000").details.scheduledAt == "20261122100000")
        #expect(throws: EncounterFailure.outdated(what: "order")) { try send(.change, asOf: 1, at: "20261123100000") }
        #expect(try send(.cancel, asOf: 3).state == ProcedureState.cancelled.rawValue)
        #expect(try send(.cancel, asOf: 4).state == ProcedureState.cancelled.rawValue)
        #expect(throws: EncounterFailure.self) { try send(.change, asOf: 5) }
        #expect(try hospital.look { try $0.worklist(WorklistFilter(), limit: 10) }.isEmpty)
        #expect(try hospital.look { try $0.events(ofProcedure: order.id) }.map(\.to).last == "cancelled")
    }

    @Test("A cancel before its order, and one that comes too late")
    func hopelessCancels() throws {
        let hospital = try Hospital()
        func cancel(_ number: String) throws {
            try hospital.change { desk in
                let patient = try desk.patients.register(Hospital.facts("BN1", asOf: 9), older: .ignored)
                let facts = OrderFacts(placer: IssuedNumber(issuer: "HIS", value: number), asOf: 9, amend: { _ in })
                _ = try desk.orders.apply(.cancel, facts, patient: patient, encounter: nil)
            }
        }
        #expect(throws: EncounterFailure.unknown(what: "order")) { try cancel("NEVER") }
        let order = try hospital.order("O1", patient: "BN1", asOf: 9)
        try hospital.change { _ = try $0.orders.step(.start, order, reason: "") }
        try hospital.change { _ = try $0.orders.step(.complete, order, reason: "") }
        #expect(throws: EncounterFailure.unlawful(state: .completed, step: .cancel)) { try cancel("O1") }
    }

    @Test("The same procedure ordered twice is warned of")
    func duplicate() throws {
        let hospital = try Hospital()
        func enter(_ number: String) throws -> OrderOutcome {
            try hospital.change { desk in
                let patient = try desk.patients.register(Hospital.facts("BN1"))
                let facts = OrderFacts(placer: IssuedNumber(issuer: "HIS", value: number), asOf: 1) {
                    $0.code = Coded(value: "18.0219", scheme: "VN", meaning: "CLVT sọ não")
                    $0.modality = "CT"
                }
                return try desk.orders.apply(.new, facts, patient: patient, encounter: nil)
            }
        }
        #expect(try enter("O1").warning == nil)
        #expect(try enter("O2").warning != nil)
    }
}
