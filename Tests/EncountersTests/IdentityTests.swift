// Whom a message is about, when it names several, is late, or speaks of what has been merged or replaced since.

import Encounters
import Records
import Testing

@Suite("Who a message is about")
struct IdentityTests {
    private func code(_ value: String, issuer: String = "24001") throws -> PatientIdentifier {
        try PatientIdentifier(type: PatientIdentifier.medicalRecord, issuer: issuer, value: value)
    }

    @Test("A second code takes nobody over: its holder stays as they are, and both histories say so")
    func secondCode() throws {
        let hospital = try Hospital()
        let hoa = try hospital.change { try $0.patients.register(Hospital.facts("456", name: "LÊ THỊ HOA")) }
        let nam = try hospital.change { desk in
            try desk.patients.register(
                Hospital.facts("123", name: "PHẠM VĂN NAM", birthDate: "19900101", asOf: 2, more: [code("456")]))
        }
        #expect(nam.id != hoa.id)
        #expect(try hospital.person("456") == hoa)
        #expect(try hospital.person("123")?.demographics.name == "PHẠM VĂN NAM")
        for patient in [hoa, nam] {
            let kinds = try hospital.look { try $0.events(ofPatient: patient.id) }.map(\.kind)
            #expect(kinds == [PatientEvent.Kind.contested.rawValue])
        }
    }

    @Test("What was known before a change of name, birth date or sex is kept")
    func history() throws {
        let hospital = try Hospital()
        let old = try hospital.change { try $0.patients.register(Hospital.facts("BN1", name: "LÊ THỊ HOA")) }
        _ = try hospital.change { try $0.patients.register(Hospital.facts("BN1", name: "PHẠM VĂN NAM", asOf: 2)) }
        // The same once more is no change.
        _ = try hospital.change { try $0.patients.register(Hospital.facts("BN1", name: "PHẠM VĂN NAM", asOf: 3)) }
        let events = try hospital.look { try $0.events(ofPatient: old.id) }
        #expect(events.map(\.kind) == [PatientEvent.Kind.changed.rawValue])
        #expect(events.first?.before == old.demographics && events.first?.actor == "test")
    }

    @Test("What a person types for a known code has to be that patient; a new one needs a name")
    func entered() throws {
        let hospital = try Hospital()
        _ = try hospital.change { try $0.patients.register(Hospital.facts("BN1")) }
        func check(_ code: String, _ name: String) throws {
            try hospital.change { try $0.patients.check(entered: Hospital.facts(code, name: name)) }
        }
        try check("BN1", "")
        try check("BN1", "Nguyen^Van Duc")
        try check("BN2", "LÊ THỊ HOA")
        #expect(throws: EncounterFailure.conflict(reason: "The patient of this code has another name")) {
            try check("BN1", "LÊ THỊ HOA")
        }
        #expect(throws: EncounterFailure.self) { try check("BN2", "") }
    }

    @Test("After a merge the country's number, and a list with the old code, mean the survivor")
    func afterMerge() throws {
        let hospital = try Hospital()
        let citizen = try PatientIdentifier(type: PatientIdentifier.citizen, issuer: "", value: "024080001234")
        _ = try hospital.change { try $0.patients.register(Hospital.facts("BN1", more: [citizen])) }
        let survivor = try hospital.change { try $0.patients.register(Hospital.facts("BN2")) }
        try hospital.change { try $0.patients.merge(Hospital.code("BN1"), into: survivor, reason: "A40") }
        func facts(_ identifiers: [PatientIdentifier], _ name: String) -> PatientFacts {
            PatientFacts(identifiers: identifiers, asOf: 5) { $0.name = name }
        }
        let name = "Nguyễn Văn Đức"
        for identifiers in [[citizen], [try code("BN1"), try code("BN2")]] {
            #expect(try hospital.change { try $0.patients.register(facts(identifiers, name)).id } == survivor.id)
            #expect(throws: EncounterFailure.merged) {
                try hospital.change { try $0.patients.register(facts(identifiers, "LÊ THỊ HOA")) }
            }
        }
        // Under the old code alone only what was begun before goes on.
        let old = facts([try code("BN1")], name)
        #expect(throws: EncounterFailure.merged) { try hospital.change { try $0.patients.register(old) } }
        #expect(try hospital.change { try $0.patients.register(old, retired: .followed).id } == survivor.id)
        #expect(throws: EncounterFailure.merged) {
            try hospital.change { desk in
                try desk.patients.register(facts([code("BN1")], "LÊ THỊ HOA"), retired: .followed)
            }
        }
    }

    @Test("A merge that comes again after a person took it apart is refused; a newer one is not")
    func mergeAgain() throws {
        let hospital = try Hospital()
        let prior = try hospital.change { try $0.patients.register(Hospital.facts("BN1")) }
        let survivor = try hospital.change { try $0.patients.register(Hospital.facts("BN2")) }
        func merge(_ time: String) throws {
            try hospital.change { desk in
                try desk.patients.merge(
                    Hospital.code("BN1"), into: survivor, reason: "A40", asOf: LocalTime.instant(time))
            }
        }
        hospital.set("20261121080000")
        try merge("20261121075900")
        hospital.set("20261121090000")
        try hospital.change { try $0.patients.unmerge(prior.id) }
        #expect(throws: EncounterFailure.outdated(what: "merge")) { try merge("20261121075900") }
        #expect(try hospital.person("BN1")?.id == prior.id)
        try merge("20261121093000")
        #expect(try hospital.person("BN1")?.id == survivor.id)
    }

    @Test("A late message under a replaced code is about its holder then; the code stays ended")
    func replaced() throws {
        let hospital = try Hospital()
        let patient = try hospital.change { try $0.patients.register(Hospital.facts("BN1")) }
        try hospital.change { try $0.patients.replace(code("BN1"), by: code("BN9"), asOf: 100) }
        let late = try hospital.change { try $0.patients.register(Hospital.facts("BN1", asOf: 90)) }
        #expect(late.id == patient.id)
        #expect(try hospital.person("BN1") == nil)
        // Given out again later it is somebody else's.
        let other = try hospital.change {
            try $0.patients.register(Hospital.facts("BN1", name: "LÊ THỊ HOA", asOf: 110))
        }
        #expect(other.id != patient.id)
        #expect(try hospital.person("BN1")?.id == other.id)
    }

    @Test("What was known before the hospital had a code becomes the hospital's; what is known twice is told of")
    func adoption() throws {
        let hospital = try Hospital()
        let bare = Encounters(records: hospital.encounters.records, settings: OrderSettings())
        func enter(_ value: String) throws -> (PatientRecord, ProcedureRecord) {
            try bare.change(by: "test") { desk in
                let patient = try desk.patients.register(
                    PatientFacts(identifiers: [code(value, issuer: "")], asOf: 1) { $0.name = "NGUYỄN VĂN ĐỨC" })
                let visit = try desk.encounters.visit(
                    EncounterFacts(issuer: "", number: "V\(value)", asOf: 1, amend: { _ in }), patient: patient)
                let facts = OrderFacts(placer: IssuedNumber(issuer: "", value: "O\(value)"), asOf: 1, amend: { _ in })
                return (patient, try desk.orders.apply(.new, facts, patient: patient, encounter: visit).procedure)
            }
        }
        let (patient, order) = try enter("BN1")
        _ = try enter("BN2")
        _ = try hospital.change { try $0.patients.register(Hospital.facts("BN2")) }
        #expect(try hospital.look { try $0.hasUnissued(besides: "24001") })
        let adoption = try hospital.change { try $0.records.adoptUnissued(as: "24001") }
        #expect([adoption.identifiers, adoption.visits, adoption.orders, adoption.contested] == [1, 2, 2, 1])
        #expect(try !hospital.look { try $0.hasUnissued(besides: "24001") })
        #expect(try hospital.person("BN1")?.id == patient.id)
        #expect(try hospital.look { try $0.encounter(issuer: "24001", number: "VBN1") }?.id == order.encounter)
        let known = try hospital.look { try $0.procedure(id: order.id) }
        #expect(known.placer.issuer == "24001" && known.accession.issuer == "24001")
        // An order without an issuer is this site's from now on.
        let again = try hospital.change { desk in
            let facts = OrderFacts(placer: IssuedNumber(issuer: "", value: "OBN1"), asOf: 2, amend: { _ in })
            return try desk.orders.apply(.change, facts, patient: patient, encounter: nil).procedure
        }
        #expect(again.id == order.id)
    }
}
