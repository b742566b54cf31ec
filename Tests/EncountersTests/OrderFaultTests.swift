// Orders and visits that do not go the straight way: late, early, moved, renumbered, begun by mistake.

import Encounters
import Records
import Testing

@Suite("Orders off the straight way")
struct OrderFaultTests {
    private func send(
        _ hospital: Hospital, _ control: OrderControl, _ number: String, patient code: String = "BN1",
        step: ProcedureStep? = nil, accession: String? = nil, asOf: Int64
    ) throws -> ProcedureRecord {
        try hospital.change { desk in
            let patient = try desk.patients.register(Hospital.facts(code, asOf: asOf), older: .ignored)
            var facts = OrderFacts(placer: IssuedNumber(issuer: "HIS", value: number), asOf: asOf, amend: { _ in })
            facts.step = step
            facts.accessionNumber = accession
            return try desk.orders.apply(control, facts, patient: patient, encounter: nil).procedure
        }
    }

    @Test("An order opens the visit; the admission may be older, and counts")
    func orderBeforeAdmission() throws {
        let hospital = try Hospital()
        try hospital.order("O1", patient: "BN1", visit: "V1", asOf: 1005)
        let visit = try hospital.change { desk in
            let patient = try desk.patients.register(Hospital.facts("BN1", asOf: 1000), older: .ignored)
            let facts = EncounterFacts(issuer: "24001", number: "V1", asOf: 1000) { $0.department = "K01" }
            return try desk.encounters.apply(.admit, facts, patient: patient)
        }
        #expect(visit.status == .inProgress && visit.details.department == "K01")
    }

    @Test("A status that is older than the last one is refused")
    func lateStatus() throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1", asOf: 900)
        #expect(try send(hospital, .status, "O1", step: .complete, asOf: 1100).state == "completed")
        #expect(throws: EncounterFailure.outdated(what: "order")) {
            try send(hospital, .status, "O1", step: .start, asOf: 1030)
        }
        #expect(try hospital.state(of: order) == .completed)
    }

    @Test("A visit moves with the studies of its orders; somebody else's visit does not move")
    func visit() throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1", accession: "A1")
        _ = try hospital.change { try $0.links.arrived(Hospital.study("2.25.1", accession: "A1", patientID: "BN1")) }
        // The order gets its visit after the images.
        try hospital.order("O1", patient: "BN1", visit: "V1", asOf: 2)
        #expect(try hospital.look { try $0.link(ofStudy: "2.25.1") }?.target.encounter != nil)
        func move(from prior: String, asOf: Int64) throws -> EncounterRecord {
            try hospital.change { desk in
                let right = try desk.patients.register(
                    Hospital.facts("BN2", name: "LÊ THỊ HOA", asOf: asOf), older: .ignored)
                return try desk.encounters.move(
                    issuer: "24001", number: "V1", from: Hospital.code(prior), to: right, asOf: asOf)
            }
        }
        _ = try hospital.change { try $0.patients.register(Hospital.facts("BN3", name: "TRẦN VĂN BA")) }
        #expect(throws: EncounterFailure.conflict(reason: "This visit is not of the prior patient")) {
            try move(from: "BN3", asOf: 3)
        }
        let moved = try move(from: "BN1", asOf: 4)
        let link = try #require(try hospital.look { try $0.link(ofStudy: "2.25.1") })
        #expect(link.target.patient == moved.patient && link.target.procedure == order.id)
        // Said twice is done once.
        #expect(try move(from: "BN1", asOf: 5).id == moved.id)
        let events = try hospital.look { try $0.events(ofPatient: moved.patient) }
        #expect(events.map(\.kind) == [PatientEvent.Kind.visitMoved.rawValue])
    }

    @Test("A number that we made gives way to the hospital's, and still finds the order; a given one stays")
    func accession() throws {
        let hospital = try Hospital()
        let made = try hospital.order("O1", patient: "BN1")
        let renumbered = try send(hospital, .change, "O1", accession: "RIS-77", asOf: 2)
        #expect(renumbered.accession.value == "RIS-77")
        for number in ["RIS-77", made.accession.value] {
            #expect(try hospital.look { try $0.procedures(accessionNumber: number) }.map(\.id) == [made.id])
        }
        #expect(try send(hospital, .change, "O1", accession: "RIS-78", asOf: 3).accession.value == "RIS-77")
        // Too long for the field: ours stays.
        let other = try hospital.order("O2", patient: "BN1", asOf: 2)
        let long = try send(hospital, .change, "O2", accession: "much too long for a number", asOf: 3)
        #expect(long.accession == other.accession)
    }

    @Test("A link that is taken away, or moved, takes back the begin that only its images made")
    func begunByImages() throws {
        let hospital = try Hospital()
        let wrong = try hospital.order("O1", patient: "BN1", accession: "A1")
        let right = try hospital.order("O2", patient: "BN1", accession: "A2", asOf: 2)
        let study = Hospital.study("2.25.1", accession: "A1", patientID: "BN1")
        _ = try hospital.change { try $0.links.arrived(study) }
        #expect(try hospital.state(of: wrong) == .inProgress)
        try hospital.change { try $0.links.undo(study: study) }
        #expect(try hospital.state(of: wrong) == .scheduled)
        #expect(try hospital.look { try $0.events(ofProcedure: wrong.id) }.map(\.to) == ["in-progress", "scheduled"])
        for order in [wrong, right] {
            try hospital.change { desk in
                try desk.links.decide(
                    study: "2.25.1", target: LinkTarget(procedure: order.id, encounter: nil, patient: 0), reason: "")
            }
        }
        #expect(try hospital.state(of: wrong) == .scheduled)
        #expect(try hospital.state(of: right) == .inProgress)
        // What somebody said stays, also without images.
        _ = try hospital.change { try $0.orders.step(.complete, $0.records.procedure(id: right.id), reason: "done") }
        try hospital.change { try $0.links.undo(study: study) }
        #expect(try hospital.state(of: right) == .completed)
    }

    @Test("What only images began can be cancelled and completed")
    func ends() throws {
        let hospital = try Hospital()
        for (number, step, state) in [
            ("1", ProcedureStep.cancel, ProcedureState.cancelled), ("2", .complete, .completed),
        ] {
            let order = try hospital.order("O\(number)", patient: "BN\(number)")
            _ = try hospital.change {
                try $0.links.arrived(Hospital.study(order.studyInstanceUID, patientID: "BN\(number)"))
            }
            #expect(try hospital.state(of: order) == .inProgress)
            _ = try hospital.change { try $0.orders.step(step, $0.records.procedure(id: order.id), reason: "") }
            #expect(try hospital.state(of: order) == state)
        }
    }
}
